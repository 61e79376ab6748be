"""Figures of merit as tables for a terminal, in per cent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsed.metrics.bootstrap import over_seeds
from wsed.metrics.scores import FIGURES, SCENARIOS

AVERAGES = ("macro", "micro")
TOO_GOOD = "the decoder was tuned on these very clips: these scores are too good"
HEADERS = {key: name.replace(" ", "\n").replace("intersection", "intersec.") for key, name in FIGURES}


def score_table(scores: Mapping[str, Any], width: int = 80) -> RenderableType:
    """A row a class, then the averages with their intervals, then PSDS, tagging and how it was made.

    Args:
        scores: as `System.figures` gives them, without NaN (`plain`).
        width: of the terminal; names of classes are cut to fit.
    """
    kinds = [key for key, _ in FIGURES if scores.get(key) is not None]
    with_psds = [name for name in SCENARIOS if scores.get(name) is not None and name in scores.get("psds", {})]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    room = max(width - 11 * len(kinds) - 7 * len(with_psds) - 8, 13)
    table.add_column("class", no_wrap=True, max_width=room, overflow="ellipsis")
    for name in [*(HEADERS[key] for key in kinds), *(name.upper() for name in with_psds), "ref."]:
        table.add_column(name, justify="right", no_wrap=True)
    classes: Mapping[str, Any] = scores[kinds[0]]["per_class"] if kinds else {}
    for label, values in classes.items():
        cells = [_percent(scores[key]["per_class"][label]["f1"]) for key in kinds]
        cells += [_share(scores["psds"][name]["per_class"][label]) for name in with_psds]
        table.add_row(Text(label), *cells, str(values.get("n_ref", "")))
    for average in AVERAGES:
        cells = [_percent(scores[key].get(average), _interval(scores, key, average)) for key in kinds]
        cells += [""] * len(with_psds)
        table.add_row(average, *cells, str(scores[kinds[0]].get("n_ref", "")) if kinds else "", style="bold")
    return Group(table, *_lines(scores))


def seeds_table(runs: Mapping[str, Mapping[str, Any]], width: int = 80) -> RenderableType:
    """Mean and standard deviation (n - 1) over seeds: a row a class, the averages, then the best seed and each PSDS.

    Args:
        runs: the figures of each seed, by its name.
        width: of the terminal.
    """
    first = next(iter(runs.values()))
    kinds = [key for key, _ in FIGURES if all(scores.get(key) is not None for scores in runs.values())]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    table.add_column("class", no_wrap=True, max_width=max(width - 14 * len(kinds) - 2, 13), overflow="ellipsis")
    for key in kinds:
        table.add_column(HEADERS[key], justify="right", no_wrap=True)
    for label in first[kinds[0]]["per_class"] if kinds else ():
        cells = [_spread([s[key]["per_class"][label]["f1"] for s in runs.values()]) for key in kinds]
        table.add_row(Text(label), *cells)
    for average in AVERAGES:
        table.add_row(average, *(_spread([s[key][average] for s in runs.values()]) for key in kinds), style="bold")
    table.add_row("best, macro", *(_percent(max(s[key]["macro"] or 0.0 for s in runs.values())) for key in kinds))
    lines = []
    for name in SCENARIOS:
        if all(scores.get(name) is not None for scores in runs.values()):
            found = over_seeds(scores[name] for scores in runs.values())
            lines.append(Text(f"{name.upper()} {found.mean:.3f}" + (f" +- {found.std:.3f}" if len(runs) > 1 else "")))
    lines.append(Text(f"mean +- standard deviation over {len(runs)} runs"))
    if too_good := [name for name, scores in runs.items() if scores.get("tuned_on_these_clips")]:
        lines.append(Text(f"{TOO_GOOD} ({', '.join(too_good)})", style="bold red"))
    return Group(table, *lines)


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    found = over_seeds(known)
    return f"{100 * found.mean:.1f} +- {100 * found.std:.1f}" if len(known) > 1 else f"{100 * found.mean:.1f}"


def comparison_table(comparison: Mapping[str, Any]) -> Table:
    """Second minus first, with its interval and p; F1 in per cent, PSDS as a fraction."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    table.add_column(f"paired, {comparison['resamples']} resamples", no_wrap=True)
    for header in ("first", "second", "difference", f"{comparison['level']:.0%} interval", "p"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, value in _leaves(comparison):
        psds = name in SCENARIOS
        show = _share if psds else _percent

        def signed(x: float | None, psds: bool = psds) -> str:
            return "-" if x is None else f"{x:+.4f}" if psds else f"{100 * x:+.1f}"

        interval = f"{signed(value['low'])} to {signed(value['high'])}"
        p = "-" if value["p"] is None else f"{value['p']:.3f}"
        table.add_row(name, show(value["first"]), show(value["second"]), signed(value["difference"]), interval, p)
    return table


def print_notes(console: Console, notes: list[str]) -> None:
    """What a reader of the scores should know of the input."""
    for note in notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True, markup=False, highlight=False)


def _lines(scores: Mapping[str, Any]) -> Iterator[RenderableType]:
    found = [f"{name.upper()} {_psds(scores, name)}" for name in SCENARIOS if scores.get(name) is not None]
    if found:
        points = scores.get("operating_points")
        yield Text(", ".join(found) + (f", {len(points)} operating points" if points else ", all thresholds"))
    if scores.get("kind") in ("operating points", "frame scores"):
        where = "operating point" if scores["kind"] == "operating points" else "threshold"
        yield Text(f"F1 at the {where} {scores['threshold']:g}")
    yield from _tag_lines(scores)
    if embedding := scores.get("embedding"):
        values = [f"{key.replace('_', ' ')} {'-' if v is None else f'{v:.3f}'}" for key, v in embedding.items()]
        yield Text(f"embeddings: {', '.join(values)}")
    if (event := scores.get("event_f1")) and "micro_error_rate" in event:
        errors = f"{event['substitutions']} S, {event['deletions']} D, {event['insertions']} I"
        rate = event["micro_error_rate"]
        yield Text(f"events: error rate {'-' if rate is None else f'{rate:.2f}'} ({errors})")
    if scores.get("backend", "native") != "native":
        yield Text(f"computed by {scores['backend']}", style="bold")
    if interval := scores.get("intervals"):
        kind = "BCa" if interval["method"] == "bca" else interval["method"]
        own = "wsed's own " if scores.get("backend", "native") != "native" else ""
        yield Text(
            f"intervals: {own}{interval['level']:.0%} {kind} bootstrap, {interval['resamples']} resamples of the clips"
        )
    if tuned := scores.get("tuned"):
        yield Text(f"decoder tuned on the {tuned['split']} set: {', '.join(tuned['values'])}")
    if scores.get("tuned_on_these_clips"):
        yield Text(TOO_GOOD, style="bold red")


def _tag_lines(scores: Mapping[str, Any]) -> Iterator[Text]:
    if tagging := scores.get("tagging"):
        names = {"macro_ap": "mAP", "macro_auroc": "AUROC", "macro_pauroc": "mpAUC"}
        values = [f"{name} {_percent(tagging[key])}" for key, name in names.items()]
        prime = tagging["macro_d_prime"]
        yield Text(f"tagging: {', '.join(values)}, d' {'-' if prime is None else f'{prime:.2f}'}")
    if (tags := scores.get("tagging_f1")) and "macro_f_harmonic" in tags:
        means = f"precision {_percent(tags['macro_precision'])}, recall {_percent(tags['macro_recall'])}"
        three = f"F1 {_percent(tags['macro'])}, of these {_percent(tags['macro_f_harmonic'])}"
        yield Text(f"tags, means over classes: {means}, {three}; micro F1 {_percent(tags['micro'])}")


def _psds(scores: Mapping[str, Any], name: str) -> str:
    interval = scores.get("intervals", {}).get(name)
    value = f"{scores[name]:.4f}"
    if interval is None or interval["low"] is None:
        return value
    return f"{value} ({interval['low']:.3f}-{interval['high']:.3f})"


def _interval(scores: Mapping[str, Any], figure: str, average: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = scores.get("intervals", {}).get(figure, {}).get(average)
    return found


def _leaves(found: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in found.items():
        if isinstance(value, Mapping):
            name = f"{above} {key}".strip().replace("_", " ")
            if "difference" in value:
                yield name, value
            else:
                yield from _leaves(value, name)


def _percent(value: float | None, interval: Mapping[str, Any] | None = None) -> str:
    if value is None:
        return "-"
    if interval is None or interval["low"] is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f}\n{100 * interval['low']:.1f}-{100 * interval['high']:.1f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
