"""Arguments that are literals are checked by their place or by their name, whichever they are given by."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Literal

import pytest
import torch

import wsed
from wsed import WsedError
from wsed.data.holdout import Holdout
from wsed.data.windows import Windows
from wsed.decoding.tuning import Tuning
from wsed.literals import checked, choices_of, hints_of, owner_of
from wsed.losses.mil import MIL, mil
from wsed.losses.schedule import Ramp
from wsed.losses.triplet import Triplet
from wsed.models.heads.mlp import MLP
from wsed.spec import REGISTERED

SCORES, TAGS = torch.full((1, 2, 3), 0.5), torch.ones(1, 3)


@checked
def pool(*scores: float, over: Literal["clip", "frame"] = "clip") -> str:
    return over


@checked
def mean(scores: float, over: Literal["clip", "frame"] = "clip") -> str:
    return over


def test_a_keyword_only_argument_has_no_place():
    assert pool(0.1, 0.2, 0.3) == "clip"
    with pytest.raises(WsedError, match="pool: unknown over 'frames'"):
        pool(0.1, over="frames")


def test_an_argument_is_checked_by_place_and_by_name():
    assert mean(0.1, "frame") == "frame"
    with pytest.raises(WsedError, match="mean: unknown over 'frames'"):
        mean(0.1, "frames")
    with pytest.raises(WsedError, match="mean: unknown over 'frames'"):
        mean(0.1, over="frames")


@checked(owner="data.crops")
@dataclass(frozen=True)
class Crops:
    where: Literal["start", "end"] = "start"


def test_a_dataclass_is_checked_and_stays_what_it_is():
    assert replace(Crops(), where="end") == Crops("end")
    with pytest.raises(WsedError, match=r"data.crops: unknown where 'ends' \(did you mean end\?\); known: start, end"):
        Crops("ends")


def callables() -> Iterator[tuple[str, Callable[..., object]]]:
    """The public functions of `wsed` and the constructors of its public classes, by name; `cli` is not called."""
    for module in map(import_module, sorted(all_modules())):
        for name, member in vars(module).items():
            public = not name.startswith("_") and getattr(member, "__module__", None) == module.__name__
            if public and isinstance(member, type) and not inspect.isabstract(member) and not is_base(member):
                yield f"{module.__name__}.{name}", member.__init__
            elif public and inspect.isfunction(member):
                yield f"{module.__name__}.{name}", member


def all_modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(wsed.__path__, "wsed.")]
    return [name for name in names if not name.startswith("wsed.cli.")]


def is_base(cls: type) -> bool:
    """Whether only its registered subclasses are made: these check the constructor that they inherit."""
    return cls not in REGISTERED and any(cls in other.__mro__ for other in REGISTERED)


def test_whatever_takes_a_literal_is_checked():
    takes = {
        name: function
        for name, function in callables()
        if any(choices_of(hint) is not None for key, hint in hints_of(function).items() if key != "return")
    }
    assert {"wsed.losses.mil.mil", "wsed.ops.mine.triplets", "wsed.data.windows.Windows"} <= takes.keys()
    assert len(takes) > 40
    unchecked = [name for name, function in takes.items() if owner_of(function) is None]
    assert unchecked == [], "decorate them with wsed.literals.checked"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MIL("maxx"), r"loss mil: unknown pooling 'maxx' \(did you mean max or mean\?\); known: max, mean"),
        (lambda: mil(SCORES, TAGS, pooling="maxx"), r"mil: unknown pooling 'maxx' \(did you mean max or mean"),
        (lambda: Triplet("semihard"), r"loss triplet: unknown miner 'semihard' \(did you mean semi_hard"),
        (lambda: MLP(4, 2, aggregation="means"), r"head mlp: unknown aggregation 'means' \(did you mean mean"),
        (lambda: Ramp(1.0, 5, shape="lin"), r"Ramp: unknown shape 'lin' \(did you mean linear\?\)"),
        (lambda: Windows(1.0, placement="centred"), r"data.windows: unknown placement 'centred' \(did you mean center"),
        (lambda: Holdout(0.1, by="clips"), r"data.holdout: unknown by 'clips' \(did you mean clip"),
        (lambda: Tuning(tags="exactly"), r"evaluation.tuning: unknown tags 'exactly' \(did you mean exact\?\)"),
    ],
)
def test_a_python_user_is_told_near_names(call, message):
    with pytest.raises(WsedError, match=message):
        call()
