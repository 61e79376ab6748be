"""Files of other programs are scored as tables are, and names match without folders and suffixes."""

import json

import pytest

from wsed.cli.main import main
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.formats.writing import write_events
from wsed.scoring.evaluate import evaluate

FIRST = (Event("Dog", 0.5, 1.5, 0.9), Event("Fine Cat", 3.0, 4.0, 0.6))
RECORDINGS = (
    Recording("site 1/a.wav", "/data/site 1/a.wav", 10.0, 8000, FIRST),
    Recording("b.flac", "/data/b.flac", 5.0, 8000, (Event("Dog", 0.0, 2.0, 0.8),)),
    Recording("c.wav", "/data/c.wav", 4.0, 8000, ()),
)
FILES = {
    "tsv": "events.tsv", "csv": "events.csv", "json": "events.json", "rttm": "events.rttm", "audacity": "audacity",
    "label-studio": "label_studio.json", "textgrid": "textgrid", "raven": "raven.selections.txt",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    for name in FILES:
        write_events(folder, name, RECORDINGS)
    (folder / "reference.tsv").write_text(
        "filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.5\tDog\na.wav\t3.0\t4.0\tFine Cat\n"
        "b.wav\t0.0\t2.0\tDog\nc.wav\n"
    )
    return folder


@pytest.mark.parametrize("name", [*FILES, "raven/"])
def test_every_format_scores_the_same(written, name):
    report = evaluate(written / "reference.tsv", [written / FILES.get(name, "raven")], resamples=0)
    assert report.value("event_f1/macro") == 1.0
    (note,) = [note for note in report.input.notes if "without folders and suffixes" in note]
    assert note.startswith("clip names that match without folders and suffixes (of ")
    assert ": 2 (" in note or ": 3 (" in note


def test_the_reference_may_be_of_another_program(written):
    report = evaluate(written / "audacity", [written / "events.json"], resamples=0)
    assert report.value("event_f1/macro") == 1.0


def test_a_mistake_in_a_folder_of_label_tracks_names_its_file_and_line(written, capsys):
    """It named the folder and the number of the event among those of all files."""
    track = written / "audacity/b.txt"
    track.write_text(track.read_text() + "3.0\t4.0\tDig\n1.0\t1.0\tDog\n")
    args = ["evaluate", "--reference", str(written / "reference.tsv"), "--predictions", str(written / "audacity")]
    assert main(args) == 2
    assert f"{track}:2: unknown label 'Dig' (did you mean Dog?)" in " ".join(capsys.readouterr().err.split())
    track.write_text(track.read_text().replace("Dig", "Dog"))
    report = evaluate(written / "reference.tsv", [written / "audacity"], resamples=0)
    assert f"events of 0 s (offset equal to onset), left out: 1 (first: {track}:3)" in report.input.notes


def test_names_that_could_be_of_two_clips_are_strangers(written, tmp_path):
    (tmp_path / "two.tsv").write_text(
        "filename\tonset\toffset\tevent_label\nx/a.wav\t0.5\t1.5\tDog\ny/a.wav\t3.0\t4.0\tDog\nb.wav\t0\t2\tDog\n"
    )
    report = evaluate(written / "reference.tsv", [tmp_path / "two.tsv"], resamples=0)
    assert any("clips that the reference lacks, left out: 2" in note for note in report.input.notes)


def test_a_damaged_file_is_named(written, tmp_path, capsys):
    (tmp_path / "events.json").write_text(json.dumps({"found": []}))
    status = main(
        ["evaluate", "--reference", str(written / "reference.tsv"), "--predictions", str(tmp_path / "events.json")]
    )
    assert status == 2
    assert "events.json is not a JSON file of `wsed detect`" in capsys.readouterr().err
