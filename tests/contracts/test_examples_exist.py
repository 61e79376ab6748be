"""Each public function, class and method has an example (`>>>`) in its docstring.

`tests/test_examples.py` runs the examples.
"""

import importlib
import inspect
import pkgutil

import pytest

PACKAGES = [
    "wsed",
    "wsed.augment",
    "wsed.data",
    "wsed.decoding",
    "wsed.losses",
    "wsed.metrics",
    "wsed.models",
    "wsed.study",
    "wsed.testing",
]

ALLOWED = {
    "wsed.errors.WsedError": "an exception: it is caught, not called",
    "wsed.data.corpus.audioset.AudioSet.read": "called by `clips`",
    "wsed.data.corpus.dcase2017.DCASE2017.read": "called by `clips`",
    "wsed.losses.metric_learning.MetricLearning": "needs an extra package",
    "wsed.models.encoders.audio_transformer.AST": "needs an extra package",
    "wsed.models.encoders.beats.BEATs": "needs an extra package",
    "wsed.models.encoders.clap.CLAP": "needs an extra package",
    **{f"wsed.models.encoders.speech.{name}": "needs an extra package" for name in ("HuBERT", "Wav2Vec2", "WavLM")},
    "wsed.models.encoders.wav2vec2_bert.Wav2Vec2Bert": "needs an extra package",
    "wsed.models.encoders.whisper.Whisper": "needs an extra package",
    **{
        f"wsed.run.RunFolder.{name}": "reads the files of a finished run"
        for name in ("configuration", "detections", "labels", "report", "scores")
    },
    "wsed.testing.corpora.check_corpus": "needs a corpus on disk: see `tests/contracts/test_data_contracts.py`",
    "wsed.testing.readers.check_reader": "needs a corpus on disk: see `tests/contracts/test_data_contracts.py`",
}
"""What needs no example, and why."""

HOOKS = {
    "example": "an example itself, for `wsed.testing`",
    "pin_memory": "called by a data loader",
    "prepare": "called before training",
}
"""Methods that need no example, and why."""


def exported(package):
    """The public names of a package: those of `__all__`, or what its modules define."""
    module = importlib.import_module(package)
    if names := vars(module).get("__all__"):
        things = [getattr(module, name) for name in names if not name.startswith("_")]
        # `wsed` exports names of its packages: each is checked with its own package
        return [thing for thing in things if package != "wsed" or home(thing) not in ("models", "losses", "scoring")]
    modules = [importlib.import_module(f"{package}.{part.name}") for part in pkgutil.iter_modules(module.__path__)]
    things = [(part.__name__, value) for part in modules for name, value in vars(part).items() if name[0] != "_"]
    return [value for module, value in things if getattr(value, "__module__", "") == module]


def home(thing):
    return (getattr(thing, "__module__", "") + ".").split(".")[1]


def examples(thing):
    """The lines of the examples in a docstring."""
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__  # a class may inherit its docstring
    lines = (line.strip() for line in (text or "").splitlines())
    return "\n".join(line for line in lines if line.startswith((">>> ", "... ")))


def function_of(value):
    return inspect.unwrap(getattr(value, "__func__", value))


def methods(cls):
    """The public methods of a class, without those of a base class outside wsed: a framework calls these."""
    others = {name for base in cls.__mro__ if not base.__module__.startswith("wsed") for name in vars(base)}
    for name, value in vars(cls).items():
        if not name.startswith("_") and name not in others | HOOKS.keys() and inspect.isfunction(function_of(value)):
            yield name


def without_example(thing):
    """The names of what has no example: the thing itself, and its methods if it is a class.

    An example of a method may also be in its class, or in a base class.
    """
    name = f"{thing.__module__}.{thing.__qualname__}"
    if not examples(thing):
        yield name
    for method in methods(thing) if inspect.isclass(thing) else ():
        family = [base for base in thing.__mro__ if base.__module__.startswith("wsed")]
        defined = [function_of(vars(base)[method]) for base in family if method in vars(base)]
        if not any(f".{method}(" in examples(base) for base in family) and not any(map(examples, defined)):
            yield f"{name}.{method}"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_have_examples(package):
    things = [thing for thing in exported(package) if inspect.isclass(thing) or inspect.isfunction(thing)]
    assert things
    missing = {name for thing in things for name in without_example(thing)}
    assert not missing - ALLOWED.keys(), sorted(missing - ALLOWED.keys())


def test_nothing_is_allowed_without_need():
    things = [thing for p in PACKAGES for thing in exported(p) if inspect.isclass(thing) or inspect.isfunction(thing)]
    missing = {name for thing in things for name in without_example(thing)}
    assert not ALLOWED.keys() - missing
