"""The experiments that come with the library: a folder of the repository, and a part of the wheel."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).parent


def home() -> Path | None:
    """The folder that holds `experiments`: `wsed/shipped` of an installed wheel, else the repository.

    >>> place = home()
    >>> place is None or (place / "experiments" / "quickstart.yaml").is_file()
    True
    """
    for place in (PACKAGE / "shipped", PACKAGE.parent):
        if (place / "experiments" / "quickstart.yaml").is_file():
            return place
    return None


def located(file: str) -> str:
    """The path of a file; a file of `experiments/` that the working folder lacks is taken from the library.

    >>> located("my.yaml")
    'my.yaml'
    >>> Path(located("experiments/quickstart.yaml")).name
    'quickstart.yaml'
    """
    place = home()
    if place is None or Path(file).exists() or Path(file).parts[:1] != ("experiments",):
        return file
    return str(place / file) if (place / file).is_file() else file


def make_importable() -> None:
    """Let configurations name the classes of `experiments`, such as `experiments.fpd.readings.ReadingFPD`.

    The folder comes last in `sys.path`, so that it shadows no other module.
    """
    place = home()
    if place is not None and str(place) not in sys.path:
        sys.path.append(str(place))
