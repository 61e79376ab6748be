"""Nothing in a training step waits for the device: no loss, augmentation, encoder or head looks at values."""

import traceback
import warnings
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import wsed
from wsed import testing
from wsed.augment.base import augmented
from wsed.augment.draws import Draws
from wsed.models.encoders.crnn import CRNN
from wsed.models.interpolation import mixes
from wsed.ops import host
from wsed.registry import registry
from wsed.testing.accelerator import DEVICE, Accelerator, draws
from wsed.types import Encoded

LOOKS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique2", "unique_dim", "bincount", "is_nonzero")
"""Operations whose result, or the size of it, comes from the values: an accelerator must be waited for."""
METHODS = ("tolist", "item", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__")
OWN_WAY = {
    "metric_learning": "the package's own losses and miners look",
    **dict.fromkeys(
        ("wav2vec2", "wavlm", "hubert", "wav2vec2_bert", "module", "beats"),
        "clips of different length go through one length at a time",
    ),
}
ON_CPU = {"transformers": "its feature extractor, of transformers, runs on the CPU"}
"""Encoders that an accelerator waits for by their nature; their documentation says how to run them once only."""


class Waits(TorchDispatchMode):
    """Counts where an accelerator would be waited for, on a CPU that is taken for one."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.found, self.counts = [], False
        monkeypatch.setattr(host, "on_cpu", lambda tensor: False)
        for name in METHODS:
            monkeypatch.setattr(torch.Tensor, name, partial(self.method, name, getattr(torch.Tensor, name)))
        for name in METHODS:  # a method, not a partial, so that it is bound
            counted = getattr(torch.Tensor, name)
            monkeypatch.setattr(torch.Tensor, name, lambda tensor, *a, counted=counted, **k: counted(tensor, *a, **k))

    def __enter__(self):
        self.counts = True
        return super().__enter__()

    def __exit__(self, *error):
        self.counts = False
        return super().__exit__(*error)

    def method(self, name, original, tensor, *args, **kwargs):
        self.note(f"Tensor.{name}")
        return original(tensor, *args, **kwargs)

    def note(self, name):
        """Leave out what the checker of annotations does, which is there in tests only."""
        if not self.counts:
            return
        for frame in reversed(traceback.extract_stack()):
            if "jaxtyping" in frame.filename or "beartype" in frame.filename:
                return
            if "/wsed/" in frame.filename.replace("\\", "/"):
                break
        self.found.append(name)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        by_index = name in ("index", "index_put", "index_put_", "_index_put_impl_")
        if name in LOOKS or (by_index and any(i is not None and i.dtype == torch.bool for i in args[1])):
            self.note(name)
        if name == "repeat_interleave" and not (kwargs or {}).get("output_size"):
            self.note(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    return Waits(monkeypatch)


def test_what_waits_is_counted(waits):
    x = torch.arange(3.0)
    with waits:
        bool(x.sum() > 2)
        x[x > 1]
        x[torch.tensor([0, 1])]
        x.tolist()
    assert "Tensor.__bool__" in waits.found
    assert "Tensor.tolist" in waits.found
    assert "index" in waits.found
    assert waits.found.count("index") == 1


@pytest.mark.parametrize("epoch", [0, 1000])
@pytest.mark.parametrize("name", wsed.components("loss"))
def test_losses(name, epoch, waits):
    if name in OWN_WAY:
        pytest.skip(OWN_WAY[name])
    loss, of = registry("loss")[name](), testing.batch(6)
    loss.start_epoch(epoch)
    output = testing.output(of)
    with waits:
        loss(output, of).backward()
    assert waits.found == []


@pytest.mark.parametrize("miner", ["random", "hard", "semi_hard"])
def test_miners(miner, waits):
    loss, of = registry("loss")["triplet"](miner=miner), testing.batch(6)
    output = testing.output(of)
    with waits:
        loss(output, of).backward()
    assert waits.found == []


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("name", wsed.components("encoder"))
def test_encoders(name, padded, waits):
    if name in ON_CPU:
        pytest.skip(ON_CPU[name])
    if name in OWN_WAY and padded:
        pytest.skip(OWN_WAY[name])
    if name == "beats":
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    build, frontend = registry("encoder")[name].example()
    n_bands, n_steps = (64, 48) if frontend is None else (frontend.n_bands, 600)
    encoder = build(n_bands)
    valid = torch.arange(n_steps).expand(3, -1) < torch.tensor([n_steps, n_steps, 2 * n_steps // 3])[:, None]
    features = torch.randn(3, n_bands, n_steps)
    with waits:
        frames = encoder(features, valid if padded else None).frames
        if frames.requires_grad:
            frames.sum().backward()
    assert waits.found == []


@pytest.mark.parametrize("name", wsed.components("head"))
def test_heads(name, waits):
    head, valid = registry("head")[name](6, 3), torch.arange(9).expand(2, 9) < torch.tensor([[9], [5]])
    with waits:
        output = head(Encoded(torch.randn(2, 9, 6), valid))
    assert output.valid is not None
    assert waits.found == []


@pytest.mark.parametrize("full", [True, False])
def test_a_step_of_the_usual_network_with_a_teacher(full, waits):
    student = partial(wsed.Composed, encoder=partial(CRNN, channels=4, gru=4, dense=8))
    network = registry("network")["mean_teacher"](wsed.Labels("abc"), student).train()
    of = replace(testing.batch(sample_rate=22050), full=full)
    if full:
        of = replace(of, n_samples=torch.full_like(of.n_samples, of.audio.shape[1]))
    loss = registry("loss")["frame_bce"]()
    with waits:
        loss(network(of), of).backward()
        network.after_step()
    assert waits.found == []


def clips(full):
    of = replace(testing.batch(8, seconds=1.0), features=torch.randn(8, 64, 50))
    return replace(of, n_samples=torch.full_like(of.n_samples, 8000), full=True) if full else of


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", [name for name in wsed.components("augment") if name != "compose"])
def test_augmentations(name, full):
    augment, of = registry("augment")[name].example(), clips(full)
    augment.prepare(8000, lambda folder, rate: [])
    same = augment(of, Draws.of("cpu", 3))
    with Accelerator() as accelerator:
        result = augment(of.to(DEVICE), draws(3))
    assert accelerator.waits == []
    for field, value in testing.inputs.tensors(result).items():
        if (name, field) != ("noise", "audio"):  # drawn on the device
            assert torch.equal(value.hidden, vars(same)[field])
    assert all(torch.equal(a.hidden, b) for a, b in zip(result.events.columns, same.events.columns, strict=True))


def test_all_augmentations_ask_little_of_the_device():
    made = [registry("augment")[name].example() for name in wsed.components("augment") if name != "compose"]
    for augment in made:
        augment.prepare(8000, lambda folder, rate: [])
    of = replace(clips(full=True), features=None)
    with Accelerator() as accelerator:
        batch, features = of.to(DEVICE), torch.randn(8, 64, 50).to(DEVICE)
        assert accelerator.transfers == 2  # features, and all the rest together
        augmented(batch, made, draws(3), lambda audio, n_samples: (features, None))
        assert accelerator.transfers <= 2 + 2 + 2  # one for audio, one for features; recordings and responses, once
    assert accelerator.waits == []
    assert accelerator.operations.total() <= 60


def test_interpolation_of_clips_without_tags(waits):
    of, output = clips(full=True), testing.output(testing.batch(8))
    of = replace(of, tagged=of.tagged & (torch.arange(8) < 3)[:, None])
    with Accelerator() as accelerator:
        teacher = replace(output, frame_logits=output.frame_logits.detach().to(DEVICE), clip_logits=None)
        mixed, _ = mixes(of.to(DEVICE), replace(teacher, valid=None), 0.2, draws(3))
    assert accelerator.waits == []
    assert torch.equal(mixed.features.hidden, mixes(of, output, 0.2, Draws.of("cpu", 3))[0].features)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", [name for name in wsed.components("loss") if name not in OWN_WAY])
def test_losses_on_a_device(name):
    loss, of = registry("loss")[name]().cuda(), testing.batch(6)
    output = testing.output(of)
    loss.start_epoch(1000)
    moved = testing.move_output(output, "cuda")
    batch = of.to("cuda")
    loss(moved, batch).backward()  # what is set up once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mode does not see all operations that wait
        torch.cuda.set_sync_debug_mode("error")
    try:
        loss(moved, batch).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", [name for name in wsed.components("augment") if name != "compose"])
def test_augmentations_on_a_device(name):
    augment, of = registry("augment")[name].example(), clips(full=True).to("cuda")
    augment.prepare(8000, lambda folder, rate: [])
    augment(of, Draws.of("cuda", 3))  # what is set up once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        augment(of, Draws.of("cuda", 4))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", ["fpd", "cosine_penalty", "kl_penalty"])
def test_the_way_of_an_accelerator_gives_the_same(name, monkeypatch):
    values, of = [], testing.batch(6)
    for on_cpu in (True, False):
        monkeypatch.setattr(host, "on_cpu", lambda tensor, on_cpu=on_cpu: on_cpu)
        loss, output = registry("loss")[name](), testing.output(of)
        loss.start_epoch(1000)
        value = loss(output, of)
        value.backward()
        values.append([value, (output.embeddings if name == "fpd" else output.frame_logits).grad])
    for one, other in zip(*values, strict=True):
        torch.testing.assert_close(one, other)
    assert values[0][0] > 0
