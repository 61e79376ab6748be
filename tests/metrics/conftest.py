"""The published DESED baseline predictions, and `sed_eval` as the judge of our counts."""

import csv
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"
Row = tuple[int, int, float, float]


class Desed(NamedTuple):
    """Reference and predictions of the DESED 2021 baseline teacher, and the scores its authors printed."""

    labels: list[str]
    files: list[str]
    reference: list[Row]
    estimated: list[Row]
    folder: Path


def rows_of(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture(scope="session")
def desed() -> Desed:
    folder = SHARED / "data/reference/desed_baseline2021_teacher"
    if not folder.is_dir():
        pytest.skip(f"needs the published predictions in {folder}")
    reference = rows_of(folder / "validation.tsv", "\t")
    estimated = rows_of(folder / "predictions0.5.csv", ",")
    labels = sorted({row["event_label"] for row in reference if row["event_label"]})
    files = list(dict.fromkeys(row["filename"] for row in reference))
    place = {name: i for i, name in enumerate(files)}

    def numbers(rows: list[dict[str, str]]) -> list[Row]:
        return [
            (place[r["filename"]], labels.index(r["event_label"]), float(r["onset"]), float(r["offset"]))
            for r in rows
            if r["event_label"]
        ]

    return Desed(labels, files, numbers(reference), numbers(estimated), folder)


class Judge:
    """`sed_eval` on rows of (clip, label, onset, offset), called as the DCASE baselines call it."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def events(self, reference: list[Row], estimated: list[Row], n_labels: int, **settings: Any) -> Any:
        settings = {"t_collar": 0.2, "percentage_of_length": 0.2, **settings}
        metric = self.module.sound_event.EventBasedMetrics(
            [str(i) for i in range(n_labels)], empty_system_output_handling="zero_score", **settings
        )
        return self._fed(metric, reference, estimated)

    def segments(self, reference: list[Row], estimated: list[Row], n_labels: int, length: float = 1.0) -> Any:
        metric = self.module.sound_event.SegmentBasedMetrics([str(i) for i in range(n_labels)], time_resolution=length)
        metric.empty_system_output_handling = "zero_score"  # its constructor does not take it
        return self._fed(metric, reference, estimated)

    def _fed(self, metric: Any, reference: list[Row], estimated: list[Row]) -> Any:
        true, said = self._by_clip(reference), self._by_clip(estimated)
        for clip in sorted({*true, *said}):
            metric.evaluate(true.get(clip, []), said.get(clip, []))
        return metric

    @staticmethod
    def _by_clip(rows: Iterable[Row]) -> dict[int, list[dict[str, Any]]]:
        clips: dict[int, list[dict[str, Any]]] = {}
        for clip, label, onset, offset in rows:
            item = {"event_label": str(label), "onset": onset, "offset": offset, "filename": f"{clip}.wav"}
            clips.setdefault(clip, []).append(item)
        return clips


@pytest.fixture(scope="session")
def judge() -> Judge:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated, and sed_eval asks for it
        module = pytest.importorskip("sed_eval", reason="needs the extra `eval`")
    return Judge(module)


@pytest.fixture(scope="session")
def same_as_judge() -> Any:
    """Asserts that counts, class-wise scores and averages equal those of `sed_eval`."""
    return assert_same


def assert_same(counts: Any, metric: Any, n_labels: int, tolerance: float = 1e-9) -> None:
    by_class, overall = metric.results_class_wise_metrics(), metric.results_overall_metrics()
    for i in range(n_labels):
        theirs, known = by_class[str(i)], counts.n_ref[i] > 0
        assert counts.n_ref[i] == theirs["count"]["Nref"]
        assert counts.n_sys[i] == theirs["count"]["Nsys"]
        assert counts.tp[i] == metric.class_wise[str(i)]["Ntp"]
        assert counts.f1[i] == pytest.approx(theirs["f_measure"]["f_measure"], abs=tolerance, nan_ok=True)
        assert counts.recall[i] == pytest.approx(theirs["f_measure"]["recall"], abs=tolerance, nan_ok=True)
        if known:  # of a class without reference sed_eval has a precision of 0 and an error rate of 0 or 1e15
            assert counts.precision[i] == pytest.approx(theirs["f_measure"]["precision"], abs=tolerance)
            assert counts.error_rate[i] == pytest.approx(theirs["error_rate"]["error_rate"], abs=tolerance)
            assert counts.deletion_rate[i] == pytest.approx(theirs["error_rate"]["deletion_rate"], abs=tolerance)
    if not counts.n_ref.sum():
        return
    macro = metric.results_class_wise_average_metrics()
    assert counts.macro_f1 == pytest.approx(macro["f_measure"]["f_measure"], abs=tolerance)
    assert counts.macro_recall == pytest.approx(macro["f_measure"]["recall"], abs=tolerance)
    if counts.n_ref.all():
        assert counts.macro_precision == pytest.approx(macro["f_measure"]["precision"], abs=tolerance)
        assert counts.macro_error_rate == pytest.approx(macro["error_rate"]["error_rate"], abs=tolerance)
    assert counts.micro_f1 == pytest.approx(overall["f_measure"]["f_measure"], abs=tolerance)
    assert counts.micro_precision == pytest.approx(overall["f_measure"]["precision"], abs=tolerance)
    assert counts.micro_recall == pytest.approx(overall["f_measure"]["recall"], abs=tolerance)
