"""Draws what each loss does, for the page reference/losses.md: MkDocs calls it as a hook when the site is built.

A loss gets a scene of one clip (or of some embeddings) whose scores are free numbers. Steps of gradient descent on
these numbers, by this loss alone, show what the loss asks of a network. `python docs/make_gallery.py FOLDER` writes the
pictures.
"""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wsed.losses.base import LOSSES, Loss
from wsed.losses.mil import MIL
from wsed.ops.pooling import POOLINGS
from wsed.types import Batch, Events, Output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PLACE = "reference/losses"
LABELS = ("Dog", "Speech", "Cat")
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # of Okabe and Ito: told apart by the colour-blind too
EVENTS = ((0, 0, 2.0, 4.5), (0, 1, 5.5, 9.0))
SECONDS, RATE = 10.0, 10.0
FRAMES = int(SECONDS * RATE)
STEPS, STEP = 120, 0.1


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pictures to the files of the site."""
    from mkdocs.structure.files import File

    for name, picture in pictures():
        files.append(File.generated(config, f"{PLACE}/{name}.svg", content=picture))
    return files


def pictures() -> Iterator[tuple[str, bytes]]:
    """The picture of each loss as SVG, by name, and that of the poolings."""
    for name in LOSSES.names():
        if LOSSES[name].__module__.startswith("wsed."):
            scene = scene_of(name)
            yield name, _svg(_drawn(scene, descend(scene, LOSSES[name]())))
    yield "poolings", _svg(poolings())


@dataclass(frozen=True)
class Scene:
    """What a loss reads: a batch, and an output some of whose fields are free.

    Args:
        kind: what is drawn: `frames` (score curves), `mix` (of a mixed clip), `clips` or `frame_points` (embeddings).
        batch: the labels.
        output: the output at the start.
        free: fields of the output that the descent moves.
    """

    kind: str
    batch: Batch
    output: Output
    free: tuple[str, ...]


def scene_of(name: str) -> Scene:
    """The scene of a loss, by what it needs."""
    needs = LOSSES[name]().needs.output
    if "clip_embedding" in needs:
        return _clip_points()
    if "embeddings" in needs:
        return _frame_points()
    scene = _one_clip()
    if "mixed" in needs:
        mixed = replace(scene.output, teacher=None)
        teacher = Output(_teacher(scene.output), torch.tensor([[3.0, 2.0, -3.0]]), frame_rate=RATE)
        return replace(scene, kind="mix", output=Output(mixed=replace(mixed, teacher=teacher)))
    if "teacher" in needs:
        teacher = Output(_teacher(scene.output), torch.tensor([[3.0, 2.0, -3.0]]), frame_rate=RATE)
        return replace(scene, output=replace(scene.output, teacher=teacher))
    return scene


def descend(scene: Scene, loss: Loss) -> Scene:
    """The scene after gradient descent; in each step, the number with the greatest gradient moves by `STEP`."""
    holder = scene.output.mixed if scene.kind == "mix" else scene.output
    assert holder is not None
    free = {field: holder.need(field).clone().requires_grad_() for field in scene.free}
    for step in range(STEPS):
        now = replace(holder, **free)
        value = loss(replace(scene.output, mixed=now) if scene.kind == "mix" else now, scene.batch)
        gradients = torch.autograd.grad(value, list(free.values()), allow_unused=True)
        greatest = max((float(g.abs().max()) for g in gradients if g is not None), default=0.0)
        if greatest == 0:
            break
        size = STEP * (1 - step / STEPS) / greatest
        with torch.no_grad():
            for number, gradient in zip(free.values(), gradients, strict=True):
                if gradient is not None:
                    number -= size * gradient
    moved = replace(holder, **{field: number.detach() for field, number in free.items()})
    return replace(scene, output=replace(scene.output, mixed=moved) if scene.kind == "mix" else moved)


def poolings() -> Figure:
    """What `mil` does to the curve of one tagged class, by pooling."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True, sharey=True).flatten()
    for axis, pooling in zip(axes, POOLINGS, strict=False):
        start = _one_clip()
        _curves(axis, start, descend(start, MIL(pooling=pooling)), 0)
        if pooling == "attention":
            _line(axis, start.output.need("attention")[0, :, 0], ":", "black", "attention")
        axis.set_title(pooling, fontsize=9)
    for axis in axes[len(POOLINGS) :]:
        axis.axis("off")
    figure.supxlabel("seconds", fontsize=8)
    return figure


def _one_clip() -> Scene:
    """A clip with a dog and speech, no cat; the curves at the start confuse the two in part."""
    time = torch.arange(FRAMES) / RATE
    shapes = {0: ((3.2, 0.7, 3.4), (7.2, 0.9, 2.2)), 1: ((7.0, 0.8, 3.2), (3.0, 0.6, 2.0)), 2: ((5.0, 0.9, 2.6),)}
    logits = torch.full((FRAMES, len(LABELS)), -2.0)
    for label, bumps in shapes.items():
        for centre, width, height in bumps:
            logits[:, label] += height * torch.exp(-0.5 * ((time - centre) / width) ** 2)
    attention = torch.stack([torch.exp(-0.5 * ((time - c) / 1.0) ** 2) for c in (3.0, 7.0, 5.0)], 1)
    output = Output(
        frame_logits=logits[None],
        clip_logits=torch.zeros(1, len(LABELS)),
        attention=attention[None],
        activation_map=attention[None],
        frame_rate=RATE,
    )
    return Scene("frames", _batch([[1.0, 1.0, 0.0]], EVENTS), output, ("frame_logits", "clip_logits"))


def _teacher(output: Output) -> Tensor:
    """The curves of a teacher, which knows more than the student."""
    labels = _batch([[1.0, 1.0, 0.0]], EVENTS).frame_labels(FRAMES, RATE)
    return output.need("frame_logits") * 0.5 + 2.5 * labels - 1


def _clip_points() -> Scene:
    """Twelve clips of three classes as points of a plane."""
    generator = torch.Generator().manual_seed(2)
    points = 0.9 * torch.randn(12, 2, generator=generator)
    tags = torch.eye(3)[torch.arange(12) % 3]
    points += 0.5 * tags @ torch.tensor([[1.0, 0.3], [-0.6, 0.9], [-0.3, -1.0]])
    return Scene(
        "clips", _batch(tags.tolist(), ()), Output(clip_embedding=points, frame_rate=RATE), ("clip_embedding",)
    )


def _frame_points() -> Scene:
    """The frames of two clips, with their events known, as points of a plane."""
    generator = torch.Generator().manual_seed(0)
    batch = _batch([[1.0, 1.0, 0.0]] * 2, [(clip, *event[1:]) for clip in (0, 1) for event in EVENTS])
    labels = batch.frame_labels(20, 2.0)
    points = torch.randn(2, 20, 2, generator=generator) + 0.8 * labels[..., :2]
    output = Output(torch.zeros(2, 20, 3), embeddings=points, frame_rate=2.0)
    return Scene("frame_points", batch, output, ("embeddings",))


def _batch(tags: list[list[float]], events: object) -> Batch:
    known = torch.ones(len(tags), len(LABELS), dtype=torch.bool)
    return Batch(
        audio=None,
        n_samples=torch.full((len(tags),), int(SECONDS * 1000)),
        clip_labels=torch.tensor(tags),
        tagged=known,
        events=Events.of(list(events)),  # type: ignore[call-overload]
        timed=known,
        source=torch.zeros(len(tags), dtype=torch.long),
        sources=("all",),
        clip_ids=tuple(f"clip_{i}.wav" for i in range(len(tags))),
        features=torch.zeros(len(tags), 1, 1),
    )


def _drawn(start: Scene, end: Scene) -> Figure:
    if start.kind in ("frames", "mix"):
        return _frames(start, end)
    points: Mapping[str, Callable[[Scene], tuple[Tensor, Tensor]]] = {
        "clips": lambda scene: (scene.output.need("clip_embedding"), scene.batch.clip_labels.argmax(1)),
        "frame_points": _frame_classes,
    }
    figure = Figure(figsize=(6, 2.8), layout="constrained")
    for axis, scene, title in zip(figure.subplots(1, 2), (start, end), ("before", "after"), strict=True):
        places, classes = points[start.kind](scene)
        for number, label in enumerate((*LABELS, "silence")):
            own = places[classes == number]
            if len(own):
                marker, colour = "os^x"[number], (*COLOURS, "#777777")[number]
                axis.plot(*own.T.tolist(), marker, color=colour, label=label, markersize=5, alpha=0.8)
        axis.set_title(title, fontsize=9)
        axis.set_aspect("equal", adjustable="datalim")
        axis.tick_params(labelsize=7)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def _frame_classes(scene: Scene) -> tuple[Tensor, Tensor]:
    embeddings = scene.output.need("embeddings")
    labels = scene.batch.frame_labels(embeddings.shape[1], scene.output.rate)
    silent = labels.sum(2) == 0
    return embeddings.flatten(0, 1), torch.where(silent, len(LABELS), labels.argmax(2)).flatten()


def _frames(start: Scene, end: Scene) -> Figure:
    figure = Figure(figsize=(7, 2.1), layout="constrained")
    before, after = (scene.output.mixed or scene.output for scene in (start, end))
    for label, axis in enumerate(figure.subplots(1, 3, sharey=True)):
        _curves(axis, start, end, label)
        moved = before.need("clip_logits")[0, label], after.need("clip_logits")[0, label]
        clip = "" if torch.equal(*moved) else f"; clip {moved[0].sigmoid():.2f} to {moved[1].sigmoid():.2f}"
        axis.set_title(LABELS[label] + clip, fontsize=9)
        if before.teacher is not None:
            _line(axis, before.teacher.frame_scores[0, :, label], ":", "black", "teacher")
        axis.set_xlabel("seconds", fontsize=8)
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8)
    return figure


def _curves(axis: "Axes", start: Scene, end: Scene, label: int) -> None:
    for _, own, onset, offset in EVENTS:
        if own == label:
            axis.axvspan(onset, offset, color="#dddddd", lw=0)
    before, after = ((scene.output.mixed or scene.output).frame_scores[0, :, label] for scene in (start, end))
    _line(axis, before, "--", "#777777", "before")
    _line(axis, after, "-", COLOURS[label], "after")
    axis.set_ylim(-0.03, 1.03)
    axis.tick_params(labelsize=7)


def _line(axis: "Axes", curve: Tensor, style: str, colour: str, name: str) -> None:
    axis.plot((torch.arange(FRAMES) / RATE).tolist(), curve.tolist(), style, color=colour, label=name, linewidth=1.3)


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures():
        (folder / f"{name}.svg").write_bytes(picture)
