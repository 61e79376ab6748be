"""The page on other packages shows the same number in their code and in ours."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs/how-to/from-other-packages.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
LABELS = ("Cat", "Dog", "Speech")
SECONDS, RATE = 10.0, 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reference, and a system that finds most events, with its scores, operating points and events at 0.5."""
    place, rng = tmp_path_factory.mktemp("migration"), np.random.default_rng(0)
    head = "filename\tonset\toffset\tevent_label"
    (place / "operating_points").mkdir()
    (place / "scores").mkdir()
    reference, at = [head], {threshold: [head] for threshold in (0.2, 0.35, 0.5, 0.65, 0.8)}
    times = np.arange(int(SECONDS * RATE) + 1) / RATE
    for clip in range(12):
        scores = 0.3 * rng.random((len(times) - 1, len(LABELS)))
        for k, label in enumerate(LABELS):
            onset, length = int(rng.integers(0, 60)), int(rng.integers(5, 40))
            if rng.random() < 0.7:
                reference.append(f"{clip}.wav\t{onset / RATE}\t{(onset + length) / RATE}\t{label}")
                late, height = int(rng.integers(0, 4)), rng.random()
                scores[onset + late : onset + length, k] += 0.7 * height
        table = ["onset\toffset\t" + "\t".join(LABELS)]
        table += [f"{a}\t{b}\t" + "\t".join(map(str, row)) for a, b, row in zip(times, times[1:], scores, strict=False)]
        (place / f"scores/{clip}.tsv").write_text("\n".join(table) + "\n")
        for threshold, rows in at.items():
            active = np.pad(scores > threshold, ((1, 1), (0, 0)))
            for k, label in enumerate(LABELS):
                edges = np.flatnonzero(np.diff(active[:, k].astype(int)))
                rows += [f"{clip}.wav\t{a / RATE}\t{b / RATE}\t{label}" for a, b in edges.reshape(-1, 2)]
    for threshold, rows in at.items():
        (place / f"operating_points/th_{threshold}.tsv").write_text("\n".join(rows) + "\n")
    (place / "reference.tsv").write_text("\n".join(reference) + "\n")
    (place / "events.tsv").write_text("\n".join(at[0.5]) + "\n")
    durations = ["filename\tduration", *(f"{clip}.wav\t{SECONDS}" for clip in range(12))]
    (place / "durations.tsv").write_text("\n".join(durations) + "\n")
    return place


def pairs():
    """Each block of theirs and the block of ours after it, by the headings they stand under."""
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        package, blocks = part.split("\n")[0], BLOCK.findall(part)
        for i, (theirs, ours) in enumerate(zip(blocks[::2], blocks[1::2], strict=True)):
            yield pytest.param(package, theirs, ours, id=f"{package} {i + 1}")


@pytest.mark.parametrize(("package", "theirs", "ours"), [*pairs()])
@pytest.mark.filterwarnings("ignore")
def test_the_same_number_in_their_code_and_in_ours(package, theirs, ours, folder, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, which sed_eval asks for, is deprecated
        pytest.importorskip(package, reason="needs the extra `eval`")
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in (theirs, ours):
        exec(compile(block, PAGE.name, "exec"), names)
    assert 0.05 < names["ours"] < 0.95  # a number that says something
    assert names["ours"] == pytest.approx(names["theirs"], abs=1e-6 if package == "psds_eval" else 1e-9)


def test_every_package_has_its_pairs():
    assert [pair.values[0] for pair in pairs()] == ["sed_eval", "psds_eval", "sed_scores_eval", "sed_scores_eval"]
