"""Everything registered keeps its contract; a new component is tested by existing."""

import pytest

import wsed
from wsed import testing
from wsed.ops.reduce import masked_mean
from wsed.registry import registry

LABELS = wsed.Labels(["a", "b", "c"])


@pytest.mark.parametrize("name", wsed.list("loss"))
def test_loss(name):
    testing.check_loss(registry("loss")[name]())


@pytest.mark.parametrize("pooling", ["max", "mean", "linear_softmax", "exp_softmax", "attention", "auto", "noisy_or"])
def test_mil_with_any_pooling(pooling):
    testing.check_loss(registry("loss")["mil"](pooling=pooling))


@pytest.mark.parametrize("name", wsed.list("frontend"))
def test_frontend(name):
    testing.check_frontend(registry("frontend")[name]())


@pytest.mark.parametrize("name", wsed.list("encoder"))
def test_encoder(name):
    testing.check_encoder(registry("encoder")[name])


def test_encoder_with_time_pooling_and_glu():
    crnn = registry("encoder")["crnn"]
    testing.check_encoder(lambda n: crnn(n, activation="glu", pools=[(2, 4), (2, 4), (1, 4)]))


@pytest.mark.parametrize("name", wsed.list("head"))
def test_head(name):
    testing.check_head(registry("head")[name])


@pytest.mark.parametrize("name", wsed.list("encoder"))
def test_network(name):
    testing.check_network(wsed.Composed(LABELS, registry("encoder")[name]))


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
