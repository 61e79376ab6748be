"""The network of Chou, Jang & Yang 2018 (M&mnet): ensemble prediction, pyramid, sizes."""

import json
import shutil
from functools import partial

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import pytest
import torch
import yaml

import wsed
from wsed import WsedError, testing
from wsed.build import build
from wsed.cli.main import main
from wsed.losses.bce import ClipBCE
from wsed.losses.micro import Micro as MicroLoss
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.framewise import Framewise
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro, summed_attention
from wsed.models.heads.parts import Parts
from wsed.models.mmnet import MMNet, pooled_frames
from wsed.models.network import Composed

LABELS = wsed.Labels("abc")


SMALL = partial(ResNet1d, channels=(8, 12, 10))


MELS = partial(LogMel, 8000, 256, 80, 16, 0.0, log_offset=1e-4)


def network(encoder=SMALL, heads=None, kind=MMNet, **arguments):
    heads = heads or [partial(Macro, hidden=7), Micro]
    return kind(LABELS, encoder, heads, MELS(), **arguments)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def count(*modules, weights_only=False):
    return sum(p.numel() for m in modules for p in m.parameters() if not weights_only or p.dim() > 1)


def test_parameter_counts_of_the_paper(golden):
    counts = golden("param_counts")["mmnet_dcase17"]
    encoder, macro = ResNet1d(128), Macro(384, 17)
    assert count(encoder, macro) == counts["backbone_all"]
    assert count(encoder, macro, Micro(384, 17, kernel=1)) == counts["k1_all"]
    assert count(encoder, macro, Micro(384, 17)) == counts["k3_all"]
    dense = partial(Micro, 384, 17, dense_detector=True)
    expected = counts["weights_only"]
    for name, modules in (
        ("ResNet", (encoder, macro)),
        ("ResNet", (encoder, dense(aspects=0))),  # WLAT, SLAT
        ("PLAT_det_k3", (encoder, macro, Micro(384, 17, aspects=0))),
        ("ATT_att_k3", (encoder, dense())),
        ("Mmnet_k3", (encoder, macro, Micro(384, 17))),
    ):
        found = count(*modules, weights_only=True)
        assert found == expected[name]
        printed = counts["paper_millions"][name.split("_")[0]]
        assert int(found / 1e4) == round(100 * printed)
    own_reading = count(encoder, Parts(384, 17), weights_only=True)
    assert own_reading / 1e6 == pytest.approx(6.84, abs=0.02)  # SPDA, of which the paper gives nothing but its size


@pytest.fixture
def golden_case(golden):
    values = golden("mmnet_loss")
    inputs = values["inputs"]
    v, det, cls = (tensor(inputs[name])[None] for name in ("v", "det_logits", "cls_logits"))
    valid = torch.ones(1, 5, dtype=torch.bool)
    attention = {norm: summed_attention(v, valid, norm).expand(-1, -1, 2) for norm in ("sum", "mean")}
    return values, det, cls, attention, valid


def test_golden_weights_of_frames(golden_case):
    values, _, _, attention, valid = golden_case
    for norm, name in (("sum", "alpha_softmax_of_a_sum"), ("mean", "alpha_softmax_of_a_mean")):
        one_hot = torch.eye(5, dtype=torch.float64)[None]  # frame t has class t alone: the result is alpha
        of = wsed.Output(frame_logits=one_hot, attention=attention[norm][..., :1].expand(-1, -1, 5), valid=valid)
        torch.testing.assert_close(pooled_frames(of)[0], tensor(values[name]), atol=1e-9, rtol=0)


def test_golden_ensemble_prediction(golden_case):
    values, det, cls, attention, valid = golden_case
    expected = values["clip_prediction"]
    torch.testing.assert_close(cls.sigmoid()[0], tensor(expected["macro"]), atol=1e-9, rtol=0)
    pooled = pooled_frames(wsed.Output(frame_logits=det, attention=attention["sum"], valid=valid))
    logit = (cls + pooled) / 2
    torch.testing.assert_close(logit[0], tensor(expected["ensemble_logit_mean_code"]), atol=1e-9, rtol=0)
    torch.testing.assert_close(logit.sigmoid()[0], tensor(expected["sigmoid_of_ensemble_logit"]), atol=1e-9, rtol=0)


def parts(system, batch):
    """What the subnets give, each by itself."""
    of = system.encoder(*system.frontend(batch.audio, batch.n_samples))
    macro, micro = (head(of) for head in system.heads)
    return of, macro, micro, [head(level) for head, level in zip(system.level_heads, of.levels, strict=True)]


@pytest.mark.parametrize("pyramid", [False, True])
def test_clip_scores_are_ensemble_prediction_of_all_maps(pyramid):
    torch.manual_seed(0)
    system, batch = network(partial(SMALL, pyramid=pyramid)), testing.batch()
    assert system.provides == {"frame_logits", "clip_logits", "attention", "clip_embedding", "embeddings", "valid"}
    for training in (False, True):
        system.train(training)
        torch.manual_seed(1)
        output = system(batch)
        of, macro, micro, levels = parts(system, batch)
        pooled = [pooled_frames(m) for m in (micro, *levels)]
        torch.testing.assert_close(output.clip_logits, (macro.clip_logits + sum(pooled) / len(pooled)) / 2)
        assert len(output.levels) == 4 * pyramid
        the_subnets_are_in_the_output(output, micro, levels, learned=False)
        assert torch.equal(output.valid, of.valid)


def the_subnets_are_in_the_output(output, micro, levels, learned):
    """`learned`: whether losses can change the attention."""
    for found, alone in zip((output, *output.levels), (micro, *levels), strict=True):
        torch.testing.assert_close(found.attention, alone.attention)
        torch.testing.assert_close(found.frame_logits, alone.frame_logits)
        assert found.attention.requires_grad == learned
        assert torch.equal(found.valid, alone.valid)


def trains_every_weight(pyramid, kind, loss):
    torch.manual_seed(0)
    system, batch = network(partial(SMALL, pyramid=pyramid), kind=kind), testing.batch()
    output = system(batch)
    (ClipBCE()(output, batch) + loss()(output, batch)).backward()
    still = [name for name, p in system.named_parameters() if p.grad is None]
    assert not still
    for head in (system.heads[1], *system.level_heads):
        assert head.att.weight.grad.abs().max() > 0


@pytest.mark.parametrize("pyramid", [False, True])
def test_every_weight_is_trained(pyramid):
    trains_every_weight(pyramid, MMNet, MicroLoss)


def test_ensemble_prediction_can_be_left_out_of_the_same_weights():
    torch.manual_seed(0)
    system, plain, batch = network().eval(), network(ep=False).eval(), testing.batch()
    plain.load_state_dict(system.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(plain(batch).clip_logits, parts(system, batch)[1].clip_logits)
        assert not torch.allclose(plain(batch).clip_logits, system(batch).clip_logits)
        system.mu = 1.0
        torch.testing.assert_close(plain(batch).clip_logits, system(batch).clip_logits)


def test_a_network_that_cannot_be_is_refused():
    for macro in (Macro, partial(Macro, activation_map=True)):  # which is no attention
        with pytest.raises(WsedError, match="no head provides attention"):
            network(heads=[macro, partial(Micro, aspects=0)])
    with pytest.raises(WsedError, match="no head provides attention, frame_logits"):
        network(heads=[Macro])
    for pyramid in (False, True):
        with pytest.raises(WsedError, match=r"the last head, .* provides no attention, frame_logits; use"):
            network(partial(SMALL, pyramid=pyramid), heads=[Micro, Macro])
    with pytest.raises(WsedError, match=r"channels .* must be three"):
        ResNet1d(16, channels=(8, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(network, mu=7.0), r"mmnet: mu must be in \[0, 1\], not 7"),
        (partial(network, mu=-0.5), r"mmnet: mu must be in \[0, 1\], not -0\.5"),
        (partial(ResNet1d, 16, depth=18), r"resnet1d: unknown depth 18 \(did you mean .*; known: 8, 12, 28, 50"),
        (partial(Macro, 6, 3, "median"), r"macro: unknown pooling 'median' \(did you mean mean\?\); known: mean, max"),
        (partial(Micro, 6, 3, attention_norm="men"), r"micro: unknown attention_norm 'men' .*mean.*; known: sum, mean"),
        (partial(Micro, 6, 3, kernel=2), "micro: kernel must be odd and 1 or more, not 2"),
        (partial(Micro, 6, 3, kernel=-1), "micro: kernel must be odd and 1 or more, not -1"),
        (partial(Micro, 6, 3, aspects=-1), r"micro: aspects must be 0 \(no attention\) or more, not -1"),
    ],
)
def test_settings_that_are_not_known_are_named(make, message):
    with pytest.raises(WsedError, match=message):
        make()


ENCODERS = {
    "resnet1d": SMALL,
    "pyramid": partial(SMALL, pyramid=True),
    "convnet": partial(SMALL, depth=8),
    "crnn": partial(CRNN, channels=4, gru=4, dense=8, pools=[(2, 4), (1, 2), (1, 2)], dropout=0.0),
    "cnn": partial(CNN, channels=4, pools=[(2, 4), (2, 2)], dropout=0.0),
}


def keeps_padding_out(encoder, kind):
    torch.manual_seed(0)
    system = network(ENCODERS[encoder], kind=kind).eval()
    testing.check_network(system)
    batch = testing.batch(3)
    batch = type(batch)(**{**vars(batch), "n_samples": torch.tensor([8000, 7000, 5000])})
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :5000]})
    batch = type(batch)(**{**vars(batch), "audio": batch.audio * (torch.arange(8000) < batch.n_samples[:, None])})
    with torch.no_grad():
        together, alone = system(batch), system(alone)
    torch.testing.assert_close(together.clip_logits[2:], alone.clip_logits, atol=1e-4, rtol=0)
    for many, one in zip((together, *together.levels), (alone, *alone.levels), strict=True):
        m = int(one.valid.sum())
        assert int(many.valid[2].sum()) == m > 0
        for field in ("frame_logits", "attention"):
            torch.testing.assert_close(getattr(many, field)[2:, :m], getattr(one, field)[:, :m], atol=1e-4, rtol=0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_clip_does_not_depend_on_the_padding_of_its_neighbours(encoder):
    keeps_padding_out(encoder, MMNet)


def test_bfloat16_stays_near_float32_and_weights_go_round():
    torch.manual_seed(0)
    init = {"encoder": {"class_path": "wsed.models.encoders.resnet1d.ResNet1d", "init_args": {"pyramid": True}}}
    init |= {"head": ["wsed.models.heads.macro.Macro", "wsed.models.heads.micro.Micro"]}
    config = {"class_path": "wsed.models.mmnet.MMNet", "init_args": init}
    system, other = build(wsed.Network, config, LABELS).eval(), build(wsed.Network, config, LABELS).eval()
    other.load_state_dict(system.state_dict())
    batch = testing.batch(2, sample_rate=22050)
    exact = system(batch)
    torch.testing.assert_close(other(batch).clip_logits, exact.clip_logits)
    with torch.autocast("cpu", torch.bfloat16):
        output = system(batch)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    (MicroLoss()(output, batch) + ClipBCE()(output, batch)).backward()
    assert all(torch.isfinite(p.grad).all() for p in system.parameters() if p.grad is not None)


def stays_finite_without_a_valid_frame(kind, loss):
    """As a filler has none."""
    system, batch = network(partial(SMALL, pyramid=True), kind=kind).eval(), testing.batch()
    batch = type(batch)(**{**vars(batch), "n_samples": torch.tensor([8000, 8000, 8000, 0])})
    output = system(batch)
    assert not output.valid[3].any()
    (ClipBCE()(output, batch) + loss()(output, batch)).backward()
    assert torch.isfinite(output.clip_logits).all()
    assert all(torch.isfinite(p.grad).all() for p in system.parameters() if p.grad is not None)


def test_a_clip_without_a_valid_frame_stays_finite():
    stays_finite_without_a_valid_frame(MMNet, MicroLoss)


def lowers_its_loss(encoder, kind, loss):
    torch.manual_seed(0)
    system, batch = network(ENCODERS[encoder], kind=kind), testing.batch()
    optimizer = torch.optim.Adam(system.parameters(), lr=0.01)
    values = []
    for _ in range(40):
        output = system(batch)
        total = ClipBCE()(output, batch) + loss()(output, batch)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < 0.8 * values[0]


@pytest.mark.parametrize("encoder", ["crnn", "cnn", "pyramid"])
def test_a_few_steps_lower_the_loss(encoder):
    lowers_its_loss(encoder, MMNet, MicroLoss)


def test_macro_and_micro_join_on_any_encoder_without_their_network():
    torch.manual_seed(0)
    system = Composed(LABELS, ENCODERS["crnn"], [partial(Macro, hidden=7), Micro], MELS())
    batch = testing.batch()
    output = system(batch)
    (ClipBCE()(output, batch) + MicroLoss()(output, batch)).backward()
    assert all(p.grad is not None for p in system.parameters())
    assert system.provides >= {"clip_logits", "frame_logits", "attention"}
    framewise = Composed(LABELS, ENCODERS["crnn"], Framewise, MELS())
    assert output.frame_rate == framewise.frame_rate


EXPERIMENT = """
model:
  network:
    class_path: mmnet
    init_args:
      encoder: {class_path: crnn, init_args: {channels: 4, gru: 4, dense: 8}}
      frontend: {class_path: logmel, init_args: {sample_rate: 8000, n_fft: 256, hop_length: 160, log_offset: 1e-4}}
  losses:
    macro: {loss: {class_path: clip_bce, init_args: {reduction: sum, class_weights: {counts: [4, 4], n_clips: 8}}}}
    micro: {loss: {class_path: micro, init_args: {class_weights: {counts: [4, 4]}}}}
evaluation: {tuning: {tags: exact}}
data: {corpus: {class_path: desed, init_args: {}}, batch: {weak: 4}, workers: 0}
trainer: {max_epochs: 1, accelerator: cpu}
"""


@pytest.mark.slow
def test_an_experiment_runs_and_is_tested_again_without_ensemble_prediction(tmp_path, corpus):
    """Thresholds tuned for one way of prediction are not those of the other."""
    config = yaml.safe_load(EXPERIMENT)
    config["data"]["corpus"]["init_args"]["root"] = str(corpus)
    config["trainer"]["default_root_dir"] = str(tmp_path / "run")
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(tmp_path / "exp.yaml")]) == 0
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    assert wsed.load(best).network.ep
    other = tmp_path / "other.ckpt"
    shutil.copy(best, other)
    again = ["--config", str(tmp_path / "run" / "config.yaml"), "--model.network.init_args.ep", "false"]
    again += ["--ckpt_path", str(other), "--trainer.default_root_dir", str(tmp_path / "other")]

    def scores(run, stage="test"):
        return json.loads((tmp_path / run / stage / "scores.json").read_text())

    assert scores("run")["tuned"]["values"] == scores("run", "validation")["tuned"]["values"]
    assert main(["test", *again]) == 0
    assert scores("other")["tuned"] is None
    assert main(["validate", *again]) == 0
    assert main(["test", *again]) == 0
    assert scores("other")["tuned"]["values"] == scores("other", "validation")["tuned"]["values"]
    assert scores("other")["decoder"] != scores("run")["decoder"]
    assert not wsed.load(other).network.ep
    assert wsed.load(best).network.ep
