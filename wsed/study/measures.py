"""Measures of a finished run: numbers of its report, and functions of clip weights if they can be computed again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.metrics.base import METRICS
from wsed.metrics.bootstrap import PerResample, Statistic, Weights
from wsed.metrics.chosen import metric_of
from wsed.metrics.system import System
from wsed.metrics.tagging import ap, mean_known, ranking_scores
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.scoring.resampling import samples
from wsed.study.runs import ScoredClips
from wsed.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SHORT = 1.5
"""A class is short if half of its test events last at most this long, in seconds."""


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A finished run: its report, its scores, and the truth of its test clips.

    Args:
        folder: folder of the run.
        report: the report of its test.
        scored: its scores with the truth; None if they are not those of whole clips of the corpus.

    >>> from wsed.metrics.base import MetricValue
    >>> run = MeasuredRun(RunFolder(Path("runs/a")), Report(2, {"event_f1": MetricValue({"macro": 0.25})}), None)
    >>> run.value("event_f1"), run.statistic("event_f1")
    (25.0, None)
    """

    folder: RunFolder
    report: Report
    scored: ScoredClips | None

    @classmethod
    def read(cls, folder: RunFolder, clips: Mapping[str, Clip] | None) -> "MeasuredRun":
        """Read the test of a run.

        Args:
            folder: folder of the run.
            clips: test clips of the corpus by id; None: they are unknown, so that only the report is used.

        Raises:
            WsedError: the run was not tested, or its files are damaged.

        >>> MeasuredRun.read(RunFolder(Path("runs/none")), None)
        Traceback (most recent call last):
        wsed.errors.WsedError: ...
        """
        report = folder.report("test")
        there = folder.split("test").scores.is_file()  # a network that only embeds leaves none
        scores = folder.scores("test") if clips is not None and there else None
        if clips is None or scores is None or not clips.keys() >= set(scores.clip_ids):
            return cls(folder, report, None)
        return cls(folder, report, ScoredClips.read(folder, "test", clips.values()))

    def value(self, source: str) -> float:
        """A measure in points: of the report, or computed from the scores. NaN if the run does not have it.

        Args:
            source: path in the report, such as `event_f1` or `tagging/macro_ap`; `correlation/<class>/<class>`; or
                `short_less_long_ap`.

        """
        name, _, rest = source.partition("/")
        if name == "correlation":
            return self._correlation(rest)
        if name in COMPUTED:
            statistic = self.statistic(source)
            return float("nan") if statistic is None else float(statistic(np.ones((1, self.n_clips)))[0])
        return 100 * float(self.report.value(source, float("nan")))

    @property
    def n_clips(self) -> int:
        """Number of test clips."""
        return self.report.clips

    def statistic(self, source: str) -> Statistic | None:
        """The measure in points as a function of clip weights; None if only the report has it."""
        if self.scored is None:
            return None
        name, _, number = source.partition("/")
        if name in COMPUTED:
            return COMPUTED[name](self.scored)
        if name == "correlation":
            return correlation_of(self.scored, number)
        if name.partition(":")[0] not in METRICS:
            return None
        system = self._system(self.scored)
        drawn = {each.number: each for each in samples(system, {name: metric_of(name)})}
        each = drawn.get(number or next(iter(drawn), ""))
        return None if each is None or each.n_clips != self.n_clips else in_points(each.statistic)

    def _system(self, scored: ScoredClips) -> System:
        """The events and tags that the run detected, so that its decoder need not be built again."""
        has_events = self.folder.split("test").predictions.is_file()
        clip_scores = scored.scores.clip_scores
        tags = None
        if clip_scores is not None and self.report.run is not None:
            threshold = self.report.run.decoder.get("tag_threshold", 0.5)
            tags = clip_scores > clip_scores.new_tensor(threshold)
        return System(
            scored.labels,
            scored.truth,
            self.folder.detections("test").events if has_events else None,
            scored.scores.durations,
            tags=tags,
            clip_scores=clip_scores,
        )

    def _correlation(self, pair: str) -> float:
        table = None if self.report.run is None else self.report.run.correlation
        places = None if table is None else _places(table.labels, pair)
        return float("nan") if table is None or places is None else 100 * table.matrix[places[0]][places[1]]


def missing_sounds(corpus: Corpus) -> list[str]:
    """A line for each split of a corpus with missing sound files, with their number.

    >>> from wsed.types import Labels
    >>> class Toy(Corpus):
    ...     labels, sources = Labels(["Dog"]), ("weak",)
    ...     def clips(self, split, sources=None):
    ...         return [Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}))]
    >>> missing_sounds(Toy())
    ['1 of 1 sound files of train are missing']
    """
    lines = []
    for split in filter(corpus.has, SPLITS):
        paths = {clip.path for clip in corpus.clips(split)}
        missing = sum(not path.is_file() for path in paths)
        if missing:
            lines.append(f"{missing} of {len(paths)} sound files of {split} are missing")
    return lines


def short_less_long_ap(scored: ScoredClips) -> Statistic:
    """Mean average precision of classes with short events less that of the others, in points.

    A class is short if half its test events last 1.5 s or less.

    >>> import torch
    >>> from wsed.truth import Truth
    >>> from wsed.types import Events, Labels
    >>> from wsed.values import Scores
    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0), (1, 1, 0.0, 9.0)]), n_clips=2, n_labels=2)
    >>> frames = [torch.tensor([[0.9, 0.8]]), torch.tensor([[0.1, 0.2]])]
    >>> scored = ScoredClips(Labels(["Dog", "Rain"]), Scores.of_clips(["a", "b"], frames, frame_rate=1.0), truth)
    >>> short_less_long_ap(scored)(np.ones((1, 2))).tolist()
    [50.0]
    """
    events = scored.truth.events
    seconds, label = (events.offset - events.onset).numpy(), events.label.numpy()
    median = [np.median(seconds[label == c]) if (label == c).any() else np.nan for c in range(len(scored.labels))]
    short, known = np.array(median) <= SHORT, ~np.isnan(median)

    def statistic(weights: Weights) -> PerResample:
        every = ranking_scores(scored.tags, scored.clip_scores, ap, weights)
        result: PerResample = 100 * (mean_known(every[:, short & known]) - mean_known(every[:, ~short & known]))
        return result

    return statistic


COMPUTED: Mapping[str, Callable[[ScoredClips], Statistic]] = {"short_less_long_ap": short_less_long_ap}
"""Measures that no report has."""


def correlation_of(scored: ScoredClips, pair: str) -> Statistic | None:
    """The correlation over clips of the mean scores of two classes, in points; None if it lacks one of them.

    Args:
        scored: scores of the clips.
        pair: `<class>/<class>`.

    >>> import torch
    >>> from wsed.truth import Truth
    >>> from wsed.types import Events, Labels
    >>> from wsed.values import Scores
    >>> scores = Scores.of_clips(["a", "b"], [torch.tensor([[0.9, 0.1]]), torch.tensor([[0.2, 0.8]])], frame_rate=1.0)
    >>> scored = ScoredClips(Labels(["Dog", "Rain"]), scores, Truth.of_events(Events.of([]), n_clips=2, n_labels=2))
    >>> correlation_of(scored, "Dog/Rain")(np.ones((1, 2))).round(3).tolist(), correlation_of(scored, "Dog/Cat")
    ([-100.0], None)
    """
    places = _places(scored.labels.names, pair)
    if places is None or scored.scores.frames is None:
        return None
    frames, valid = scored.scores.padded()
    means = (frames.sum(1) / valid.sum(1, keepdim=True).clamp(min=1))[:, list(places)].double().numpy()

    def statistic(weights: Weights) -> PerResample:
        share = weights / weights.sum(1, keepdims=True)
        centred = means[None] - (share @ means)[:, None]
        one, other = centred[..., 0], centred[..., 1]
        size = (share * one**2).sum(1) * (share * other**2).sum(1)
        result: PerResample = 100 * (share * one * other).sum(1) / np.sqrt(np.where(size > 0, size, np.nan))
        return result

    return statistic


def _places(labels: tuple[str, ...], pair: str) -> tuple[int, int] | None:
    """The places of two classes; None if the corpus lacks one of them."""
    first, _, second = pair.partition("/")
    return (labels.index(first), labels.index(second)) if {first, second} <= set(labels) else None


def in_points(statistic: Statistic) -> Statistic:
    """A share as a number of points.

    >>> in_points(lambda weights: weights[:, 0])(np.array([[0.5]])).tolist()
    [50.0]
    """
    return lambda weights: 100 * statistic(weights)


def clip_groups(root: Path, clips: Mapping[str, Clip], ids: tuple[str, ...], by: str | None) -> list[tuple[str, ...]]:
    """The groups of test clips: of a column of the corpus, or of the recordings in them by `provenance.tsv`.

    Args:
        root: folder of the corpus.
        clips: clips by id.
        ids: the clips.
        by: name of the groups, such as `patient`; None: by `provenance.tsv`.

    Returns:
        The groups of each clip; empty if there are none.

    >>> clip_groups(Path("none"), {}, (), None)
    []
    """
    if by is not None:
        own = [clips[name].groups.get(by) for name in ids]
        return [(str(name),) for name in own if name is not None] if None not in own else []
    from wsed.data.table import read_rows

    for path in sorted(root.glob("metadata/**/provenance.tsv")):
        of: dict[str, list[str]] = {}
        for _, row in read_rows(path, ["filename", "source_file", "background_file"]):
            of.setdefault(row["filename"], []).extend(filter(None, (row["source_file"], row["background_file"])))
        groups = [tuple(of.get(Path(clips[name].path).name, ())) for name in ids]
        if ids and all(groups):
            return groups
    return []
