"""The numbers of a finished run, and the same for draws of the groups of its test clips; kept in the run's folder."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.metrics.base import METRICS
from wsed.metrics.bootstrap import PerResample, Statistic
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.resampling import samples
from wsed.study.crossed import draws
from wsed.study.measures import clip_groups, in_points

KEPT = "numbers.npz"
"""File in the folder of a run that keeps its numbers, so that its scores are read once."""
DIGEST = "digest of the draws"
"""Name in that file of a digest of the groups of recordings that were drawn."""
RESAMPLES = 300
"""Number of draws of the groups of recordings."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """The groups of test clips that are drawn for intervals: the recordings in them, or patients.

    Args:
        groups: groups of the test clips; None: intervals are over seeds alone.
        ids: the test clips, in the order of `groups`.
        kind: what a group is.
        resamples: number of draws.

    >>> Recordings().sentence, Recordings(Groups.of(["a", "b"]), ("1", "2")).sentence
    ('Intervals are over seeds alone: no groups of the test clips are known.', 'Intervals are over seeds and 2 \
recordings.')
    """

    groups: Groups | None = None
    ids: tuple[str, ...] = ()
    kind: str = "recordings"
    resamples: int = 0

    @classmethod
    def of(
        cls,
        root: Path | None,
        clips: Mapping[str, Clip],
        ids: tuple[str, ...],
        by: str | None = None,
        resamples: int = RESAMPLES,
    ) -> "Recordings":
        """The groups of test clips by a column of the corpus, such as `patient`, or by its `provenance.tsv`.

        Args:
            root: folder of the corpus; None: it is not known.
            clips: clips by id.
            ids: the test clips, in the order of their scores.
            by: name of the groups; without it, or if a clip has no such group, the recordings of `provenance.tsv` are
                taken.
            resamples: number of draws.

        >>> Recordings.of(None, {}, ()).groups is None
        True
        """
        if root is None or not ids:
            return cls()
        named = clip_groups(root, clips, ids, by) if by else []
        own = named or clip_groups(root, clips, ids, None)
        if len({name for names in own for name in names}) < 2:
            return cls()
        return cls(Groups.of(own), ids, f"groups by {by}" if named else "recordings", resamples)

    @property
    def sentence(self) -> str:
        """A sentence that says what the intervals are over."""
        if self.groups is None:
            return "Intervals are over seeds alone: no groups of the test clips are known."
        return f"Intervals are over seeds and {len(self.groups)} {self.kind}."

    def digest(self) -> str:
        """A text that differs for other groups, clips or numbers of draws.

        >>> Recordings().digest() == Recordings(kind="patients").digest() != Recordings(resamples=5).digest()
        True
        """
        groups = None if self.groups is None else (self.groups.names, self.groups.places.tolist())
        return hashlib.sha256(json.dumps((groups, list(self.ids), self.resamples)).encode()).hexdigest()

    def draw(self, statistics: Mapping[str, Statistic], ids: tuple[str, ...]) -> dict[str, PerResample]:
        """The statistics of a run for each draw of the groups; none if there are no groups.

        Args:
            statistics: functions of clip weights, by column.
            ids: the test clips of the run.

        Raises:
            WsedError: the run was tested on other clips.

        >>> recordings = Recordings(Groups.of(["a", "b"]), ("1", "2"), resamples=5)
        >>> recordings.draw({"n": lambda weights: weights.sum(1)}, ("1", "2"))["n"].tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
        """
        if self.groups is None:
            return {}
        if ids != self.ids:
            raise WsedError("the runs were tested on other clips, or in another order: their scores cannot be paired")
        weights = draws(self.groups, self.resamples)
        return {name: self.groups.statistic(statistic)(weights) for name, statistic in statistics.items()}


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of one run.

    Args:
        value: the numbers by column.
        drawn: the same for each draw of the groups; a column that is not there is compared over seeds alone.

    >>> import tempfile
    >>> recordings, others = (Recordings(Groups.of(own), ("1", "2", "3"), resamples=2) for own in ("aab", "abb"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = RunFolder(Path(folder))
    ...     Numbers({"F1": 20.0}, {"F1": np.array([19.0, 21.0])}).keep(run, recordings)
    ...     Numbers.kept(run, recordings).value, Numbers.kept(run, others)
    ({'F1': 20.0}, None)
    """

    value: Mapping[str, float]
    drawn: Mapping[str, PerResample] = field(default_factory=dict)

    @classmethod
    def of(cls, statistics: Mapping[str, Statistic], ids: tuple[str, ...], recordings: Recordings) -> "Numbers":
        """The numbers of a run, and the same for each draw of the groups.

        Args:
            statistics: functions of clip weights, by column.
            ids: the test clips of the run.
            recordings: the groups that are drawn.

        Raises:
            WsedError: the run was tested on other clips than those in the groups.

        >>> Numbers.of({"n": lambda weights: weights.sum(1)}, ("1", "2"), Recordings()).value
        {'n': 2.0}
        """
        every = np.ones((1, len(ids)))
        values = {name: float(statistic(every)[0]) for name, statistic in statistics.items()}
        return cls(values, recordings.draw(statistics, ids))

    def keep(self, run: RunFolder, recordings: Recordings) -> None:
        """Write the numbers into the folder of the run, with a digest of the groups that were drawn."""
        columns: dict[str, Any] = {n: np.array([value, *self.drawn.get(n, ())]) for n, value in self.value.items()}
        columns[DIGEST] = np.array(recordings.digest())
        with write_whole(run.path / KEPT) as part:
            np.savez(part, **columns)

    @classmethod
    def kept(cls, run: RunFolder, recordings: Recordings) -> "Numbers | None":
        """The numbers that a run keeps; None if there are none, the run was scored later, or there are other draws.

        Numbers that an earlier version kept do not say which groups were drawn. They are read if the frame scores were
        deleted, so that they cannot be computed anew.
        """
        path, test = run.path / KEPT, run.split("test")
        if not path.is_file():
            return None
        with np.load(path) as file:
            columns = {name: file[name] for name in file.files}
        digest = columns.pop(DIGEST, None)
        if digest is None:
            is_current = not test.frame_scores.is_file()
        else:
            scored = [
                each.stat().st_mtime for split in (test, run.split("validation")) for each in split.path.glob("*")
            ]
            is_current = str(digest) == recordings.digest() and max(scored, default=0.0) <= path.stat().st_mtime
        if not is_current or not all(len(values) in (1, recordings.resamples + 1) for values in columns.values()):
            return None
        return cls({n: float(v[0]) for n, v in columns.items()}, {n: v[1:] for n, v in columns.items() if len(v) > 1})


Seeds = Mapping[str, Numbers]
"""The numbers of the runs of a row, by seed."""


def statistics_of(system: System, columns: Mapping[str, tuple[str, str]]) -> dict[str, Statistic]:
    """Numbers of metrics in points, as functions of clip weights; those that cannot be computed are left out.

    Args:
        system: a system with its truth.
        columns: the metric and the number of each column.

    >>> from wsed.testing.metrics import system
    >>> of = statistics_of(system(), {"event F1": ("event_f1", "macro"), "none": ("event_f1", "main")})
    >>> list(of), 0 < of["event F1"](np.ones((1, len(system().truth.tags))))[0] < 100
    (['event F1'], np.True_)
    """
    metrics = {name: METRICS[name]() for name in dict.fromkeys(metric for metric, _ in columns.values())}
    found = {(each.metric, each.number): each.statistic for each in samples(system, metrics)}
    return {name: in_points(found[key]) for name, key in columns.items() if key in found}
