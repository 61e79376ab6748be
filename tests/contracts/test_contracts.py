"""Everything registered keeps its contract; a new component is tested by existing."""

from dataclasses import replace
from functools import partial

import pytest

import wsed
from wsed import testing
from wsed.ops.reduce import masked_mean
from wsed.registry import registry

LABELS = wsed.Labels(["a", "b", "c"])


@pytest.mark.parametrize("name", wsed.components("loss"))
def test_loss(name):
    needs_extra(name)
    testing.check_loss(registry("loss")[name]())


@pytest.mark.parametrize("pooling", ["max", "mean", "linear_softmax", "exp_softmax", "attention", "auto", "noisy_or"])
def test_mil_with_any_pooling(pooling):
    testing.check_loss(registry("loss")["mil"](pooling=pooling))


@pytest.mark.parametrize("name", wsed.components("frontend"))
def test_frontend(name):
    build = {"cached_fusion": lambda: registry("encoder")[name].example()[1]}.get(name, registry("frontend")[name])
    testing.check_frontend(build())


def needs_extra(name):
    """Skip a component whose optional package is not installed."""
    if name == "metric_learning":
        pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    if name == "beats":
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    if name in ("wav2vec2", "hubert", "wavlm", "wav2vec2_bert", "ast", "clap", "whisper", "transformers"):
        pytest.importorskip("transformers", reason="the extra speech is not installed")


@pytest.mark.parametrize("name", wsed.components("encoder"))
def test_encoder(name):
    needs_extra(name)
    encoder, frontend = registry("encoder")[name].example()
    if frontend is None:
        testing.check_encoder(encoder)
    else:
        testing.check_encoder(encoder, frontend.n_bands, n_steps=600)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("crnn", {"activation": "glu", "pools": [(2, 4), (2, 4), (1, 4)]}),
        ("crnn", {"channels": [4, 8, 8], "gru": 8, "dense": None, "layers": 2}),
        ("cnn", {"channels": 8, "kernels": [5, 5, 3], "dropout": 0.0}),
        ("cnn", {"channels": 8, "kernels": [5, 5, 3], "pools": [(2, 4), (2, 4), (1, 4)]}),
        ("conformer", {"pools": [(2, 4), (2, 4)]}),
    ],
)
def test_encoder_with_other_settings(name, arguments):
    testing.check_encoder(partial(registry("encoder")[name], **arguments))


@pytest.mark.parametrize("name", wsed.components("head"))
def test_head(name):
    testing.check_head(registry("head")[name])


@pytest.mark.parametrize("name", wsed.components("encoder"))
def test_network_of_any_encoder(name):
    needs_extra(name)
    encoder, frontend = registry("encoder")[name].example()
    testing.check_network(wsed.Composed(LABELS, encoder, frontend=frontend))


@pytest.mark.parametrize("name", wsed.components("network"))
def test_network(name):
    testing.check_network(registry("network")[name].example(LABELS))


@pytest.mark.parametrize("name", wsed.components("augment"))
def test_augment(name):
    testing.check_augment(registry("augment")[name].example(), changes=name != "compose")


def test_the_contract_notices_a_broken_network():
    class Silent(wsed.Composed):
        def forward(self, batch):
            return replace(super().forward(batch), clip_logits=None)

    with pytest.raises(AssertionError, match="and does not fill"):
        testing.check_network(Silent.example(LABELS))

    class Neighbours(wsed.Composed):
        def forward(self, batch):
            output = super().forward(batch)
            return replace(output, clip_logits=output.clip_logits + len(batch))

    with pytest.raises(AssertionError, match="neighbours"):
        testing.check_network(Neighbours.example(LABELS))

    class Slower(wsed.Composed):
        def forward(self, batch):
            return replace(super().forward(batch), frame_rate=1.0)

    with pytest.raises(AssertionError, match="another frame rate"):
        testing.check_network(Slower.example(LABELS))


def test_a_contract_notices_a_broken_loss():
    class Peeks(wsed.Loss):
        needs = wsed.Needs(output=frozenset({"frame_logits"}))

        def forward(self, output, batch):
            return output.frame_logits.mean() + output.clip_logits.mean()

    with pytest.raises((AssertionError, AttributeError)):
        testing.check_loss(Peeks())

    class CountsPadding(wsed.Loss):
        needs = wsed.Needs(output=frozenset({"frame_logits"}))

        def forward(self, output, batch):
            return masked_mean(output.frame_scores)

    with pytest.raises(AssertionError, match="not valid"):
        testing.check_loss(CountsPadding())

    class CountsUnknown(wsed.Loss):
        needs = wsed.Needs(output=frozenset({"clip_logits"}))

        def forward(self, output, batch):
            return masked_mean((output.clip_scores - batch.clip_labels).square())

    with pytest.raises(AssertionError, match="not tagged"):
        testing.check_loss(CountsUnknown())

    with pytest.raises(wsed.WsedError, match="cannot need 'tags'"):
        wsed.Needs(known=frozenset({"tags"}))

    class NotAMean(wsed.Loss):
        needs = wsed.Needs(output=frozenset({"frame_logits"}))

        def forward(self, output, batch):
            return output.frame_logits.sum((1, 2))

    with pytest.raises(AssertionError, match="0-d"):
        testing.check_loss(NotAMean())
