"""Intervals of a report by groups of clips, such as patients, for the runs of wsed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wsed.data.clip import Clip
from wsed.errors import WsedError, near
from wsed.metrics.groups import Groups
from wsed.report.html.figures import metrics_of
from wsed.report.html.shown import Shown
from wsed.scoring.formats.groups import read_groups
from wsed.scoring.resampling import Resampling, by_group, resample, samples


def groups_of_clips(groups: str, clips: Mapping[str, Clip], clip_ids: Sequence[str]) -> Groups:
    """The groups of the clips of a run: of a table, or of a kind of group that the corpus knows.

    Args:
        groups: a table, see `wsed.scoring.formats.groups.read_groups`; or a kind of group, such as `patient`.
        clips: the clips of the corpus by id.
        clip_ids: the clips that were scored.

    Raises:
        WsedError: there is no such table or kind, or a clip has no group.

    >>> clips = {name: Clip(name, Path(name), "test", groups={"patient": name[0]}) for name in ("a1", "a2", "b1")}
    >>> groups_of_clips("patient", clips, ["a1", "a2", "b1"]).names
    ('a', 'b')
    """
    if Path(groups).is_file():
        return read_groups(groups, groups, clip_ids)
    kinds = sorted({kind for name in clip_ids for kind in clips[name].groups})
    if groups not in kinds:
        there = f"the clips have: {', '.join(kinds)}" if kinds else "the corpus knows no groups"
        raise WsedError(f"--groups {groups}: no such table or kind of group{near(groups, kinds)}; {there}")
    absent = [name for name in clip_ids if groups not in clips[name].groups]
    if absent:
        raise WsedError(f"--groups {groups}: the clip {absent[0]!r} has none, nor have {len(absent) - 1} others")
    result = Groups.of([clips[name].groups[groups] for name in clip_ids])
    if len(result) < 2:
        raise WsedError(f"--groups {groups}: all clips are of {result.names[0]!r}; intervals need two groups or more")
    return result


def with_groups(shown: Shown, groups: Groups, resamples: int) -> Shown:
    """A run with intervals over whole groups of its clips, in place of those of its test."""
    if shown.system is None or shown.report is None or not resamples:
        return replace(shown, groups=groups)
    intervals = resample(by_group(samples(shown.system, metrics_of(shown)), groups), Resampling(resamples))
    notes = (*shown.notes, f"intervals by {len(groups)} groups of {len(groups.places)} clips")
    intervals = replace(intervals, groups=len(groups))
    return replace(shown, report=replace(shown.report, intervals=intervals), groups=groups, notes=notes)
