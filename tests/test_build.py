"""Components from names and arguments, and back."""

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated

import pytest

import wsed
from wsed.build import build, part_of
from wsed.errors import WsedError
from wsed.losses.base import Loss, Weighted
from wsed.losses.bce import ClipBCE
from wsed.models.base import (
    ENCODERS,
    NETWORKS,
    Encoder,
    EncoderFactory,
    Frontend,
    Head,
    HeadFactory,
    Network,
    NetworkFactory,
)
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.network import Composed
from wsed.spec import REGISTERED, Spec, StartingWeights, spec_of
from wsed.types import Labels

LABELS = Labels(["cat", "dog"])
SMALL = {"class_path": "crnn", "init_args": {"channels": 4, "gru": 4, "dense": 8}}


@pytest.fixture
def wrapper(monkeypatch):
    """A network by a third party, whose argument has a name that wsed does not know."""
    monkeypatch.setattr(NETWORKS, "_classes", dict(NETWORKS._classes))

    class Wrapper(Network):
        def __init__(
            self, labels: Labels, backbone: NetworkFactory, gain: float = 2.0, weights: StartingWeights = None
        ) -> None:
            super().__init__()
            self.labels, self.inner, self.gain = labels, backbone(labels), gain
            self.weights = weights

    NETWORKS.names()
    yield NETWORKS.register("wrapper")(Wrapper)
    del REGISTERED[Wrapper]


@pytest.mark.parametrize(
    ("annotation", "kind", "factory"),
    [
        (Loss, "loss", False),
        (ClipBCE, "loss", False),
        (Frontend, "frontend", False),
        (EncoderFactory, "encoder", True),
        (Callable[[int, int], Head], "head", True),
        (type[Encoder], "encoder", True),
        (NetworkFactory, "network", True),
        (Annotated[Loss, "mine"], None, None),
        (int, None, None),
        (Sequence[Loss], None, None),
        (Callable[[int], int], None, None),
        ("Loss", None, None),
    ],
)
def test_the_annotation_says_the_kind(annotation, kind, factory):
    part = part_of(annotation)
    assert (part and part.registry.kind, part and part.factory) == (kind, factory)


def test_components_factories_and_containers_are_built():
    assert isinstance(build(Loss, "clip_bce"), ClipBCE)
    assert isinstance(build(Loss | None, "clip_bce"), ClipBCE)
    assert build(Loss | None, None) is None
    assert build(str | Loss, "clip_bce") == "clip_bce"
    encoder = build(EncoderFactory, SMALL)(64)
    assert isinstance(encoder, CRNN)
    heads = build(Sequence[HeadFactory] | HeadFactory, ["framewise", {"class_path": "clip_attention"}])
    assert isinstance(heads[1](8, 2), ClipAttention)
    terms = build(Mapping[str, Weighted], {"tags": {"loss": "clip_bce", "weight": 0.5}})
    assert isinstance(terms["tags"].loss, ClipBCE)
    assert terms["tags"].weight == 0.5
    loss = ClipBCE()
    assert build(Loss, loss) is loss


def test_a_wrapper_of_a_third_party_is_built_and_written_down(wrapper):
    network = build(
        Network, Spec("wrapper", {"backbone": {"class_path": "composed", "init_args": {"encoder": SMALL}}}), LABELS
    )
    assert isinstance(network.inner.encoder, CRNN)
    again = build(Network, spec_of(network), LABELS)
    assert spec_of(again) == spec_of(network)
    assert spec_of(network).init_args["gain"] == 2.0
    assert spec_of(network).init_args["backbone"]["class_path"] == "composed"


def test_weights_to_start_from_are_no_part_of_a_spec(wrapper):
    network = wrapper(LABELS, partial(Composed, encoder=partial(CRNN, channels=4)), weights="far/away.ckpt")
    assert network.weights == "far/away.ckpt"
    assert "weights" not in spec_of(network).init_args


@pytest.mark.parametrize("kind", ["loss", "frontend"])
def test_everything_that_needs_no_argument_makes_the_round_trip(kind):
    for cls in wsed.registry.registry(kind).classes():
        try:
            one = cls()
        except TypeError:
            continue
        except WsedError as error:  # its package is an extra that is not installed
            if "pip install 'wsed[" not in str(error):
                raise
            continue
        spec = spec_of(one)
        assert spec_of(build(cls, spec)) == spec
        assert build(cls, Spec.read(spec.to_plain())) is not None


def test_a_spec_survives_copies_and_has_all_defaults():
    network = Composed(LABELS, partial(CRNN, channels=4), frontend=LogMel(sample_rate=8000, f_max=4000.0))
    spec = spec_of(network)
    assert spec.init_args["encoder"] == {
        "class_path": "crnn",
        "init_args": dict(spec_of(CRNN(64, channels=4)).init_args),
    }
    assert spec.init_args["head"]["class_path"] == "framewise"
    assert spec.init_args["frontend"]["init_args"]["sample_rate"] == 8000
    assert spec_of(copy.deepcopy(network)) == spec
    assert spec_of(pickle.loads(pickle.dumps(network))) == spec
    assert "labels" not in spec.init_args


def test_what_cannot_be_written_down_says_why():
    network = Composed(LABELS, lambda n: CRNN(n, channels=4))
    with pytest.raises(
        WsedError, match=r"argument 'encoder' of Composed cannot be written as a plain value: the function .*lambda"
    ):
        spec_of(network)

    class Mine(Composed):
        def __init__(self, labels):
            super().__init__(labels, partial(CRNN, channels=4))

    with pytest.raises(WsedError, match="Mine is not registered with wsed"):
        spec_of(Mine(LABELS))
    with pytest.raises(WsedError, match="not a partial of a class with named arguments"):
        spec_of(Composed(LABELS, partial(CRNN, 64), heads=[]) if False else partial(CRNN, 64))


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Loss, "clip_bse", r"unknown loss 'clip_bse' \(did you mean clip_bce"),
        (Loss, {"class_path": "os.system"}, "loss 'os.system' is not registered with wsed"),
        (Loss, {"class_path": "wsed.models.encoders.crnn.CRNN"}, "loss 'wsed.models.encoders.crnn.CRNN' is not regist"),
        (Loss, {"class_path": "clip_bce", "init_args": {"x": 1}}, "arguments of ClipBCE: .*unexpected.*'x'"),
        (Network, {"class_path": "composed", "init_args": {"encoder": "crn"}}, "unknown encoder 'crn'"),
    ],
)
def test_mistakes(annotation, value, message):
    with pytest.raises(WsedError, match=message):
        build(annotation, value, *([LABELS] if annotation is Network else []))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CRNN(64, activation="gelu"), r"encoder crnn: unknown activation 'gelu' .*known: relu, glu"),
        (lambda: ClipBCE(reduction="Sum"), r"loss clip_bce: unknown reduction 'Sum' \(did you mean sum\?\)"),
        (lambda: ClipAttention(8, 2, frames="atention"), r"head clip_attention: unknown frames 'atention' \(did you"),
        (lambda: ClipBCE(None, "Sum"), "unknown reduction 'Sum'"),
    ],
)
def test_literals_are_checked_for_python_users_too(make, message):
    with pytest.raises(WsedError, match=message):
        make()


def test_registered_subclasses_name_themselves(monkeypatch):
    monkeypatch.setattr(ENCODERS, "_classes", dict(ENCODERS._classes))

    @ENCODERS.register("narrow")
    class Narrow(CRNN):
        pass

    assert spec_of(Narrow(64, channels=2)).class_path == "narrow"
    with pytest.raises(WsedError, match="encoder narrow: unknown activation"):
        Narrow(64, activation="gelu")
    del REGISTERED[Narrow]
