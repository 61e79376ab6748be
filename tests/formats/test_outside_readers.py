"""What is written is read with equal times by well-kept readers of other projects, where these are installed."""

import pytest

from tests.formats.test_writing import FIRST, RECORDINGS, SECOND
from wsed.formats.writing import write_events


@pytest.fixture
def written(tmp_path):
    for name in ("audacity", "raven", "rttm", "textgrid"):
        write_events(tmp_path, name, RECORDINGS)
    return tmp_path


def times(events):
    return sorted((e.label, e.onset, e.offset) for e in events)


def test_praat_by_textgrid(written):
    textgrid = pytest.importorskip("textgrid")
    grid = textgrid.TextGrid.fromFile(str(written / "textgrid/site 1/a.TextGrid"))
    assert (grid.minTime, grid.maxTime) == (0.0, 10.0)
    names = {tier.name: tier.name.replace('""', '"') for tier in grid}  # textgrid keeps the doubled quotes of Praat
    found = [(names[tier.name], part.minTime, part.maxTime) for tier in grid for part in tier if part.mark]
    assert sorted(found) == times(FIRST)


@pytest.mark.filterwarnings("ignore")
def test_rttm_by_pyannote(written):
    util = pytest.importorskip("pyannote.database.util")
    found = util.load_rttm(written / "events.rttm")
    for uri, events in (("site_1/a", FIRST), ("c", SECOND)):  # RTTM has no blanks
        rows = [(label, turn.start, turn.end) for turn, _, label in found[uri].itertracks(yield_label=True)]
        expected = [(label.replace(" ", "_"), onset, offset) for label, onset, offset in times(events)]
        assert [row[0] for row in sorted(rows)] == [row[0] for row in expected]
        assert [row[1:] for row in sorted(rows)] == [pytest.approx(row[1:]) for row in expected]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "file", "column"),
    [
        ("raven", "raven/site 1/a.selections.txt", {"annot_col": "Common Name"}),
        ("aud-seq", "audacity/site 1/a.txt", {}),
    ],
)
def test_raven_and_audacity_by_crowsetta(written, form, file, column):
    crowsetta = pytest.importorskip("crowsetta")
    made = crowsetta.formats.by_name(form).from_file(written / file, **column)
    if form == "raven":
        found = [(box.label, box.onset, box.offset) for box in made.to_bbox()]
    else:
        sequence = made.to_seq()
        found = list(zip(map(str, sequence.labels), sequence.onsets_s, sequence.offsets_s, strict=True))
    assert sorted(found) == times(FIRST)
