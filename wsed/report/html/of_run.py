"""What a report shows of the folder of a run."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import compress

import torch
import yaml

from wsed.build import build
from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.data.holdout import Holdout
from wsed.data.load import TableLoader
from wsed.data.reading.files import Files
from wsed.data.windows import Windows
from wsed.decoding import Decoder, StepDecoder
from wsed.decoding.base import replaced
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.report.html.attention import attention_of
from wsed.report.html.by_group import groups_of_clips, with_groups
from wsed.report.html.learning import training_logs
from wsed.report.html.shown import Shown, Sound
from wsed.report.html.thresholds import of_decoder
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import truth_of
from wsed.scoring.report import Report
from wsed.scoring.score import system_of
from wsed.truth import tags_of
from wsed.tuned import decoder_of
from wsed.types import Events, Labels, Split
from wsed.values import Detections, Scores, Truth


@checked
def of_run(run: RunFolder, split: Split, groups: str | None = None, resamples: int = 1000) -> Shown:
    """What a report shows of a run: its scores, detected events, truth, sounds, configuration and log.

    If the corpus has moved, truth and sound are missing; a note says so.

    Args:
        run: the run.
        split: the clips.
        groups: groups of clips for intervals: a table, or a kind of group that the corpus knows; None: single clips.
        resamples: number of resamples of such intervals.

    Raises:
        WsedError: the split was not scored, or the clips have no such groups.
    """
    report = None if split == "predict" else run.report(split)
    scores, labels = run.scores(split), run.labels(split)
    detected = Detections(Events.of([]), torch.zeros(0)) if scores.frames is None else run.detections(split)
    settings = run.configuration()
    decoder = decoder_in(settings, report)
    shown = Shown(
        name=f"{run.path}",
        labels=labels,
        clip_ids=tuple(scores.clip_ids),
        detected=detected.events,
        confidence=detected.confidence,
        durations=scores.durations,
        report=report,
        curves=None if scores.frames is None else decoder.curves(scores),
        thresholds=tuple(torch.as_tensor(decoder.threshold).expand(len(labels)).tolist()),
        scores=scores,
        config=yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True),
        logs=training_logs(run.path),
        attention=attention_of(run),
        facts=_facts(run),
    )
    return _with_truth(shown, settings, split, decoder, scores, groups, resamples)


def _with_truth(
    shown: Shown,
    settings: Mapping[str, object],
    split: Split,
    decoder: Decoder,
    scores: Scores,
    groups: str | None,
    resamples: int,
) -> Shown:
    try:
        clips, annotated = clips_in(settings, split)
        truth = _cut(truth_of(clips, scores.clip_ids, shown.labels), scores, clips, annotated, shown.labels)
    except WsedError as error:
        note = f"without true events and sound, since the clips have moved: {error}"
        return replace(shown, notes=(*shown.notes, note))
    sounds = {clip.id: Sound(clip.path, clip.start or 0.0) for clip in clips}
    if split == "predict":
        return replace(shown, sounds=sounds)
    system = system_of(scores, truth, shown.labels, decoder, shown.detected)
    tags = truth.tags if bool(truth.tagged.all()) else None
    points = of_decoder(decoder, scores, tags) if system.timed is not None and scores.frames is not None else ()
    shown = replace(shown, sounds=sounds, system=system, points=points)
    if groups is None:
        return shown
    return with_groups(shown, groups_of_clips(groups, {clip.id: clip for clip in clips}, shown.clip_ids), resamples)


def decoder_in(settings: Mapping[str, object], report: Report | None) -> Decoder:
    """The decoder of a run, with the settings that its report names, which may be tuned."""
    evaluation = settings.get("evaluation")
    spec = evaluation.get("decoder") if isinstance(evaluation, Mapping) else None
    decoder = decoder_of(spec) if isinstance(spec, Mapping) else StepDecoder()
    values = {} if report is None or report.run is None else dict(report.run.decoder)
    return replaced(decoder, {name: value for name, value in values.items() if name in decoder.values()})


@checked
def clips_in(settings: Mapping[str, object], split: Split) -> tuple[Sequence[Clip], Mapping[str, Collection[str]]]:
    """The clips of a split by the settings of a run, and the classes that each source annotates.

    Raises:
        WsedError: the corpus cannot be read, or too many sound files are missing.
    """
    data = settings.get("data")
    if not isinstance(data, Mapping):
        raise WsedError("the configuration has no data.corpus")
    corpus, windows, holdout = (data.get(name) for name in ("corpus", "windows", "holdout"))
    corpus = build(Corpus, corpus)
    if not isinstance(corpus, Corpus):
        raise WsedError("the configuration has no data.corpus")
    held = Holdout(holdout) if isinstance(holdout, float | int) else build(Holdout, holdout)
    cut = build(Windows, windows)
    batch, seconds = data.get("batch"), data.get("duration")
    sources = tuple(name for name, n in batch.items() if n) if isinstance(batch, Mapping) else ()
    loader = TableLoader(
        corpus, Files(), sources or None, held, cut, seconds if isinstance(seconds, int | float) else None, 1.0
    )
    try:
        table = loader.load(split).table
    except WsedError:
        if cut is not None:
            raise
        listed, annotated = loader.listed(split)  # the sound has moved, the tables are there
        return list(listed), annotated
    rows = zip(table.sources, table.annotated.tolist(), strict=True)
    return list(table.clips), {source: list(compress(corpus.labels, row)) for source, row in rows}


def _cut(
    truth: Truth, scores: Scores, clips: Sequence[Clip], annotated: Mapping[str, Collection[str]], labels: Labels
) -> Truth:
    """The truth within the scored seconds, without the classes that a clip or its source does not annotate."""
    seconds = scores.durations[truth.events.clip]
    inside = truth.events.onset < seconds
    events = truth.events[inside]
    events = replace_offsets(events, torch.minimum(events.offset, seconds[inside]))
    beyond = tags_of(truth.events, len(truth), len(labels)) & ~tags_of(events, len(truth), len(labels))
    tags = truth.tags & ~beyond
    of_clip = {clip.id: clip for clip in clips}
    known, sure = (
        torch.tensor(rows, dtype=torch.bool).reshape(truth.timed.shape)
        for rows in (
            [[label in annotated.get(of_clip[name].source, labels) for label in labels] for name in scores.clip_ids],
            [[label not in of_clip[name].unsure for label in labels] for name in scores.clip_ids],
        )
    )
    return replace(
        truth,
        tags=tags,
        events=events,
        tagged=truth.tagged & known & (sure | tags),
        timed=truth.timed & known & sure,
    )


def replace_offsets(events: Events, offset: torch.Tensor) -> Events:
    """The events with other offsets.

    >>> replace_offsets(Events.of([(0, 0, 1.0, 3.0)]), torch.tensor([2.0])).offset.tolist()
    [2.0]
    """
    return Events(events.clip, events.label, events.onset, offset, events.gain, events.group)


def _facts(run: RunFolder) -> Mapping[str, object]:
    path = run.versions("fit")
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
