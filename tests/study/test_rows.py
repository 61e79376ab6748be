"""Recipes: rows, what makes them, their runs."""

import pytest

from wsed.errors import WsedError
from wsed.metrics import EventF1
from wsed.study.rows import read_recipe

RECIPE = """
title: A paper
seeds: 2
rows:
  mil: {title: MIL, paper: {event_f1: [28.9, 1.95], tagging_f1: 68}}
  glu: {seeds: [0, 3], after: mil}
  glu_oracle: {weights_of: glu}
overlays:
  small: "*"
  oracle: ["*", "!mil"]
claims:
  - {name: b, rows: [mil, glu], measure: event_f1, expect: above}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rows").mkdir()
    for name in ("base", "rows/mil", "rows/glu", "rows/glu_oracle", "small", "oracle"):
        (tmp_path / f"{name}.yaml").write_text("{}")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def test_a_recipe_says_what_makes_a_row(folder):
    recipe = read_recipe(folder)
    assert list(recipe.rows) == ["mil", "glu", "glu_oracle"]
    assert (recipe.rows["mil"].seeds, recipe.rows["glu"].seeds) == ((0, 1), (0, 3))
    assert recipe.rows["mil"].paper["event_f1"].std == 1.95
    assert (recipe.rows["glu"].after, recipe.rows["glu_oracle"].weights_of) == ("mil", "glu")
    names = [path.relative_to(folder).as_posix() for path in recipe.configs("glu", "oracle")]
    assert names == ["base.yaml", "rows/glu.yaml", "oracle.yaml"]
    (folder / "recipe.yaml").write_text(RECIPE.replace("  mil: {", "  mil: {base: [base.yaml, small.yaml], "))
    assert [path.stem for path in read_recipe(folder).configs("mil")] == ["base", "small", "mil"]
    assert ("mil", "oracle") not in recipe.combinations()
    assert len(recipe.combinations()) == 3 + 3 + 2
    with pytest.raises(WsedError, match="is not for the row mil"):
        recipe.configs("mil", "oracle")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: A", "titel: A", "did you mean title"),
        ("weights_of: glu", "weights: glu", "did you mean weights_of"),
        ("  mil: {", "  mill: {", "needs .*mill.yaml, which does not exist"),
        ("[28.9, 1.95]", "high", "a number or"),
        ("seeds: 2", "seeds: two", "seeds must be a number of 1 or more, or a list"),
        ("seeds: 2", "seeds: 0", "seeds must be a number of 1 or more, or a list"),
        ("seeds: 2", "seeds: [0, 0]", "or a list of different numbers"),
        ("seeds: 2", "seeds: true", "seeds must be a number of 1 or more, or a list"),
        ("seeds: [0, 3], after: mil", "after: glu_oracle", "the row glu needs itself: glu after glu_oracle after glu"),
        ('  small: "*"', '  tiny: "*"', "overlays.tiny needs .*tiny.yaml, which does not exist"),
        ("  mil: {", "  mil: {base: [base.yaml, null], ", "mil.base is .*write a file, a list of files, or null"),
        ('"!mil"', '"!mill"', "did you mean mil"),
        ("rows: [mil, glu], m", "rows: [mil, gluu], m", "did you mean glu"),
        ("expect: above", "expect: equal", r"recipe.yaml: claim 1 \(b\) expects `equal` without a margin"),
        ("expect: above", "expect: equal, margin: 0", "without a margin"),
        ("expect: above", "expect: equal, margin: one", r"recipe.yaml: claim 1 \(b\): margin is 'one'; write a number"),
        ("expect: above", "expect: above, margin: .nan", "margin is nan"),
        ("expect: above", "expect: above, margin: -1", "margin is -1"),
        (
            "measure: event_f1",
            "measure: event_f11",
            r"claim 1 \(b\): no measure 'event_f11' \(did you mean event_f1 or",
        ),
        ("measure: event_f1", "measure: event_f1/makro", r"unknown number of event_f1 'makro' \(did you mean macro"),
        (
            "measure: event_f1",
            "measure: event_f1/per_class/Dog/f11",
            r"unknown number of event_f1 'f11' \(did you mean f1",
        ),
        ("measure: event_f1", "measure: correlation/Dog", "correlation/CLASS/CLASS"),
        ("tagging_f1: 68", "taging_f1: 68", r"rows.mil.paper: no measure 'taging_f1' \(did you mean tagging_f1"),
        (
            "seeds: 2",
            "seeds: 2\nmeasures: {map: tagging/macro_app}",
            r"measures.map: unknown number of tagging 'macro_app'",
        ),
    ],
)
def test_mistakes_are_named(folder, old, new, message):
    assert old in RECIPE
    (folder / "recipe.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(WsedError, match=message):
        read_recipe(folder)


@pytest.mark.parametrize(
    "source", ["event_f1/micro", "segment_f1:length=0.1/macro", "event_f1/per_class/A/B/f1", "short_less_long_ap"]
)
def test_measures_are_paths_in_the_report_or_computed(folder, source):
    own = RECIPE.replace("measure: event_f1", "measure: own") + f"measures: {{own: {source}, pair: correlation/A/B}}\n"
    (folder / "recipe.yaml").write_text(own)
    assert read_recipe(folder).claims[0].measure == "own"


def test_a_metric_is_not_computed_to_learn_its_numbers(folder, monkeypatch):
    def compute(self, system):
        raise AssertionError

    compute.__module__ = "wsed.metrics.f1"
    monkeypatch.setattr(EventF1, "compute", compute)
    (folder / "recipe.yaml").write_text(RECIPE.replace("measure: event_f1", "measure: event_f1/micro"))
    assert read_recipe(folder).claims[0].measure == "event_f1/micro"


@pytest.mark.parametrize("source", ["event_f1:collar=1/macro", "event_f1:collar=1"])
def test_settings_that_a_metric_lacks_are_refused(folder, source):
    (folder / "recipe.yaml").write_text(RECIPE + f"measures: {{own: '{source}'}}\n")
    with pytest.raises(WsedError, match="event_f1 has no setting 'collar'"):
        read_recipe(folder)


def test_pairs_are_those_of_claims_then_those_to_compare(folder):
    more = "borrowed: [other]\ncompare: [[mil, glu], [glu, glu_oracle], [other, mil]]\n"
    (folder / "recipe.yaml").write_text(RECIPE + more)
    assert read_recipe(folder).pairs() == (("mil", "glu"), ("glu", "glu_oracle"), ("other", "mil"))
    for wrong, message in (("[[mil, gluu]]", "did you mean glu"), ("[[mil]]", "compare 1: rows must be two")):
        (folder / "recipe.yaml").write_text(RECIPE + f"compare: {wrong}\n")
        with pytest.raises(WsedError, match=message):
            read_recipe(folder)
