"""Pseudo labels whose faults are mended with the true events."""

from experiments.what_wins.true_events import main, with_true_borders, with_true_events
from tests.experiments.what_wins.test_borders import TRUTH, event
from wsed.formats.reading import read_events

SURE = [
    event("a", 1.1, 5.5, "Dog", 0.9),  # overlaps two; the first more
    event("a", 1.5, 2.5, "Dog", 0.8),  # the same again
    event("c", 3.0, 4.0, "Cat", 0.7),  # false
]


def test_borders_are_those_of_the_true_event():
    assert with_true_borders(TRUTH, SURE) == [event("a", 1.0, 2.0, "Dog", 0.8), SURE[2]]


def test_no_event_of_a_sure_class_is_missed_or_false():
    assert with_true_events(TRUTH, SURE) == [event("a", 1.0, 2.0, "Dog", 1.0), event("a", 5.0, 9.0, "Dog", 1.0)]


def test_unsure_events_stay(tmp_path, monkeypatch):
    rows = ["a\t1.1\t5.5\tDog\t0.9", "a\t0\t1\tCat\t0.2"]
    for name, lines in {"true": ["a\t1\t2\tDog\t1"], "detected": rows}.items():
        (tmp_path / f"{name}.tsv").write_text("\n".join(["filename\tonset\toffset\tevent_label\tconfidence", *lines]))
    files = [str(tmp_path / f"{name}.tsv") for name in ("true", "detected", "mended")]
    monkeypatch.setattr("sys.argv", ["true_events", *files, "--mend", "borders"])
    main()
    mended = [e._replace(line=0) for e in read_events(files[2])]
    assert mended == [e._replace(line=0) for e in (event("a", 1, 2, "Dog", 0.9), event("a", 0, 1, "Cat", 0.2))]
