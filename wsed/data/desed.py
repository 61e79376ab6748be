"""`DESED` as wsed 0.1 had it: the data module of a corpus in DESED's layout."""

import inspect
import warnings
from pathlib import Path
from typing import Any

from wsed.data.corpus import desed
from wsed.data.module import SEDDataModule


def DESED(root: str | Path, **settings: Any) -> SEDDataModule:  # noqa: N802
    """A data module made as in wsed 0.1; write `SEDDataModule(wsed.data.corpus.desed.DESED(root), batch=...)`.

    Args:
        root: the corpus.
        settings: settings of the corpus and of the data module.
    """
    warnings.warn(
        "wsed.data.desed.DESED is SEDDataModule(wsed.data.corpus.desed.DESED(root), batch=...) since wsed 0.2",
        FutureWarning,
        stacklevel=2,
    )
    of_corpus = settings.keys() & inspect.signature(desed.DESED).parameters.keys()
    corpus = desed.DESED(Path(root), **{name: settings.pop(name) for name in of_corpus})
    return SEDDataModule(corpus, **settings)
