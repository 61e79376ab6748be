"""The finished runs of a row, and their scores with the truth of the clips."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.build import arguments_of, build
from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import read_scores, truth_of
from wsed.spec import Spec
from wsed.types import Labels, Split
from wsed.values import Scores, Truth


def finished(folders: Path | Sequence[Path], row: str) -> list[RunFolder]:
    """The tested runs of a row, in the order of their seeds.

    Args:
        folders: folders of runs; the runs in the first folder that has tested runs of the row are returned.
        row: name of the row.

    >>> finished(Path("runs/none"), "mil")
    []
    """
    for folder in [folders] if isinstance(folders, Path) else folders:
        runs = [run for run in RunFolder(folder / row).seeds() if run.split("test").report.is_file()]
        if runs:
            return runs
    return []


def by_row(folders: Path | Sequence[Path], rows: Iterable[str]) -> Mapping[str, list[RunFolder]]:
    """The tested runs of rows; rows without tested runs are left out.

    >>> by_row(Path("runs/none"), ["mil", "fsl"])
    {}
    """
    runs = {row: finished(folders, row) for row in rows}
    return {row: several for row, several in runs.items() if several}


def corpus_of(run: RunFolder, root: Path | None = None) -> Corpus:
    """The corpus that a run names in its configuration, of any kind.

    A corpus that is named by import path must have been imported, since a run's files import nothing.

    Args:
        run: the run.
        root: folder of the corpus, if it has moved since the run; for one with pseudo labels, of the corpus it wraps.

    Raises:
        WsedError: the configuration names no known corpus.

    >>> corpus_of(RunFolder(Path("runs/none")))
    Traceback (most recent call last):
    wsed.errors.WsedError: ...
    """
    data = run.configuration().get("data")
    spec = Spec.read(data.get("corpus") if isinstance(data, Mapping) else None)
    arguments = spec.init_args if root is None else _moved(spec.init_args, root)
    module, _, name = spec.class_path.rpartition(".")
    own = vars(sys.modules[module]).get(name) if module in sys.modules else None
    if isinstance(own, type) and issubclass(own, Corpus):
        hints = arguments_of(own)
        corpus: object = own(**{name: build(hints.get(name), value) for name, value in arguments.items()})
    else:
        corpus = build(Corpus, Spec(spec.class_path, arguments))
    assert isinstance(corpus, Corpus)
    return corpus


def _moved(arguments: Mapping[str, object], root: Path) -> dict[str, object]:
    """The arguments of a corpus in another folder."""
    inner = arguments.get("corpus")
    if isinstance(inner, Mapping):
        moved = _moved(inner.get("init_args") or {}, root)
        return {**arguments, "corpus": {**inner, "init_args": moved}}
    return {**arguments, "root": str(root)}


def root_of(run: RunFolder) -> Path | None:
    """The folder of the corpus in a run's configuration, or of a corpus inside it; None if none is named.

    >>> root_of(RunFolder(Path("runs/none")))
    Traceback (most recent call last):
    wsed.errors.WsedError: ...
    """
    data = run.configuration().get("data")
    arguments = Spec.read(data.get("corpus") if isinstance(data, Mapping) else None).init_args
    while isinstance(inner := arguments.get("corpus"), Mapping):
        arguments = inner.get("init_args") or {}
    root = arguments.get("root")
    return None if root is None else Path(str(root))


@checked
def clips_of(run: RunFolder, split: Split, root: Path | None = None) -> Sequence[Clip]:
    """The clips of a split in the corpus of a run, as it needs them to read its scores.

    For the validation of a corpus without validation clips these are the training clips: the run held some out.

    Args:
        run: the run.
        split: the split.
        root: as in `corpus_of`, as are the errors.

    >>> clips_of(RunFolder(Path("runs/none")), "test")
    Traceback (most recent call last):
    wsed.errors.WsedError: ...
    """
    corpus = corpus_of(run, root)
    return corpus.clips(split if split != "validation" or corpus.has("validation") else "train")


@dataclass(frozen=True, eq=False)
class ScoredClips:
    """The scores of a run for the clips of a split, with the truth of the clips.

    Attributes:
        labels: the classes of the run.
        scores: scores of the clips.
        truth: truth of the same clips.

    >>> from wsed.types import Events
    >>> scores = Scores.of_clips(["a.wav"], [torch.tensor([[0.2], [0.7]])], frame_rate=1.0)
    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0)]), n_clips=1, n_labels=1)
    >>> scored = ScoredClips(Labels(["Dog"]), scores, truth)
    >>> scored.clip_scores.max() > 0.5, scored.tags.tolist()
    (tensor(True), [[True]])
    """

    labels: Labels
    scores: Scores
    truth: Truth

    @classmethod
    def read(cls, run: RunFolder, split: Split, clips: Iterable[Clip], seconds: float | None = None) -> "ScoredClips":
        """Read the scores in the folder of a run.

        Args:
            run: the run.
            split: the split.
            clips: clips of the corpus with their events; they may be more than the clips of the split.
            seconds: duration of each clip, for files of scores without durations.

        Raises:
            WsedError: there are no scores, a clip is not among `clips`, or the clips have other labels than those that
                the run was scored with.

        >>> ScoredClips.read(RunFolder(Path("runs/none")), "test", clips=[])
        Traceback (most recent call last):
        wsed.errors.WsedError: ...
        """
        labels, scores = read_scores(run.split(split).path, seconds)
        truth = truth_of(clips, scores.clip_ids, labels)
        _check_labels(run, split, labels, truth)
        return cls(labels, scores, truth)

    @cached_property
    def clip_scores(self) -> Float[Tensor, "clip label"]:
        """The clip scores; the greatest frame scores if there are no clip scores."""
        if self.scores.clip_scores is not None:
            return self.scores.clip_scores
        frames, valid = self.scores.padded()
        return frames.masked_fill(~valid[..., None], -torch.inf).amax(1)

    @property
    def tags(self) -> Bool[Tensor, "clip label"]:
        """The true tags."""
        return self.truth.tags.bool()


def _check_labels(run: RunFolder, split: Split, labels: Labels, truth: Truth) -> None:
    """Refuse a corpus in which most classes have other numbers of events, or of tags, than in the report of the run.

    Another draw of a synthetic corpus may have files of the same names. Single classes may differ: the report knows of
    no events after the seconds that were scored, nor of classes that were not annotated.
    """
    if not run.split(split).report.is_file():
        return
    metrics = run.report(split).metrics
    events = torch.bincount(truth.events.label, minlength=len(labels)).tolist()
    for name, what, here in (("event_f1", "events", events), ("tagging_f1", "clips", truth.tags.sum(0).tolist())):
        metric = metrics.get(name)
        per_class = {} if metric is None else metric.per_class
        there = [per_class[label].get("n_ref", 0) if label in per_class else 0 for label in labels]
        known = [i for i, count in enumerate(there) if count > 0]
        other = [i for i in known if there[i] != here[i]]
        if len(other) * 2 > len(known):
            i = other[0]
            raise WsedError(
                f"{run.path} was scored on {there[i]:g} {what} of {labels.names[i]} ({split}), but the corpus has "
                f"{here[i]} in the same clips: give the corpus that the run was tested on (--root), or test it again"
            )
