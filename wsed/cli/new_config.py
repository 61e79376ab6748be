"""The YAML of `wsed new`: settings chosen for the recordings and the machine, each with its reason."""

import os
import shlex
from dataclasses import fields, is_dataclass
from math import ceil
from pathlib import Path

import yaml

from wsed.data.corpus.folder.material import Material

TEMPLATE = """\
{head}
#   wsed fit --config {file}
#   wsed detect {run} RECORDINGS
model:
  network:
    encoder:
      class_path: crnn
      init_args: {{activation: glu, channels: {channels}, pools: [[1, 4], [1, 4], [1, 4]]}}
    frontend:  # 25 frames a second, at the rate of most files
      class_path: logmel
      init_args: {{sample_rate: {rate}, n_fft: {window}, hop_length: {hop}, f_max: {highest}}}
    head: {{class_path: framewise, init_args: {{pooling: linear_softmax}}}}
  losses:
{losses}
  optimizer: {{class_path: torch.optim.Adam, init_args: {{lr: 3.0e-3}}}}
  lr_scheduler:
    class_path: torch.optim.lr_scheduler.MultiStepLR
    init_args: {{milestones: [{milestone}], gamma: 0.1}}
evaluation:
  decoder: {{smooth: 0.2, threshold: 0.5, merge_gap: 0.2, tags: clip}}
  tuning: {tuning}
data:
  corpus:
    class_path: folder
    init_args:
{corpus}
  batch: {batch}  # files of each kind in a batch
{reading}
{holdout}trainer: {{max_epochs: {epochs}}}  # {steps} steps each, for {cores} cores
"""

LONG = 30.0
"""Seconds: recordings are read whole up to this length; longer ones are cut where events say what a part holds."""
WINDOW = 10.0
AUDIO = 320.0
"""Seconds of audio in a batch."""
STEPS = 600
"""Steps of a training: enough for some hundred files, some minutes on two cores."""
MANY_CORES = 8
HIGHEST = 32000
"""Hz: what lies above 16 kHz is left out."""


def plain(value: object) -> object:
    """Settings as YAML has them: dataclasses as mappings of what is not their default."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(vars(value)[f.name]) for f in fields(value) if vars(value)[f.name] != f.default}
    if isinstance(value, Path):
        return value.as_posix()
    return value


def flow(value: object) -> str:
    """A value in one line of YAML.

    >>> flow({"by": "patient", "classes": ["no", "Dog"]})
    "{by: patient, classes: ['no', Dog]}"
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True).strip()
    return text.removesuffix("...").strip()


def reading(material: Material) -> tuple[float, str]:
    """The seconds of audio of a clip, and the lines of the YAML that set them."""
    median, _, longest = material.seconds
    if longest <= LONG:
        length = ceil(2 * longest) / 2
        return length, f"  duration: {length:g}  # the longest file; shorter ones are padded within a batch"
    if material.files.get("strong", 0) > material.files.get("weak", 0):
        return (
            WINDOW,
            f"  windows: {{length: {WINDOW:g}}}  # files last up to {longest:.0f} s; events are cut with them",
        )
    length = min(ceil(longest), 60)
    lines = (
        f"  # Files last {median:.0f} s (median) to {longest:.0f} s. Only the beginning of longer files is read, with",
        "  # the tags of the whole file: better cut them and tag the parts.",
        f"  duration: {length}",
    )
    return float(length), "\n".join(lines)


def quotas(material: Material, length: float) -> dict[str, int]:
    """Clips of each source in a batch."""
    known = {source: n for source, n in material.files.items() if source != "unlabelled"}
    total = sum(known.values())
    size = max(4, min(32, round(AUDIO / length), ceil(total / 8)))
    return {source: max(1, round(size * n / total)) for source, n in sorted(known.items(), key=lambda item: -item[1])}


def losses(material: Material) -> list[str]:
    """The lines of the losses: of events where they are known, of tags where only they are."""
    lines = []
    if material.files.get("strong"):
        lines.append("    events: {loss: frame_bce}  # for files whose events are known")
    if material.files.get("weak"):
        lines.append("    tags: {loss: {class_path: mil, init_args: {pooling: linear_softmax}}}  # for files with tags")
    return lines


def tuning(material: Material) -> str:
    """The setting that fits the decoder's thresholds."""
    if material.events:
        return "{tags: exact, thresholds: events, medians: [0, 0.2, 0.4, 0.8]}  # fitted to validation events"
    return "{tags: exact}  # validation files have tags only: thresholds of tags"


def config_of(material: Material, out: Path) -> str:
    """The text of the YAML.

    Args:
        material: what the folder holds.
        out: the file to write, for the commands at its top.
    """
    rate = min(material.sample_rate, HIGHEST)
    window = 1 << round(0.064 * rate).bit_length() - 1
    cores = os.cpu_count() or 1
    length, read = reading(material)
    batch = quotas(material, length)
    steps = max(1, max(ceil(material.files[source] / n) for source, n in batch.items()))
    epochs = max(8, min(60, round(STEPS / steps)))
    arguments = {key: plain(value) for key, value in material.settings.items()}
    if material.rare:
        arguments["classes"] = list(material.classes)
    return TEMPLATE.format(
        head="\n".join(f"# {line}" for line in head(material)),
        file=shlex.quote(str(out)),
        run=shlex.quote(f"runs/{out.stem}/seed_0"),
        channels=16 if cores < MANY_CORES else 32,
        rate=rate,
        window=window,
        hop=round(rate / 25),
        highest=rate // 2,
        losses="\n".join(losses(material)),
        milestone=round(0.75 * epochs),
        tuning=tuning(material),
        corpus="\n".join(f"      {key}: {flow(value)}" for key, value in arguments.items()),
        batch=flow(batch),
        reading=read,
        holdout="" if material.splits["validation"] else "  holdout: 0.15  # training files kept for validation\n",
        epochs=epochs,
        steps=steps,
        cores=cores,
    )


def head(material: Material) -> list[str]:
    """What the folder holds, as comments."""
    lines = [f"{sum(material.splits.values())} files, {len(material.classes)} classes: {', '.join(material.classes)}"]
    lines += material.notes
    if material.rare:
        rare = ", ".join(f"{label} ({n})" for label, n in material.rare.items())
        lines.append(f"left out as too rare for every split: {rare}; classes: {{Name: [one, another]}} merges labels")
    return lines
