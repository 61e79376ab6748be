"""Recipes: rows, what makes them, their runs."""

import pytest

from wsed.errors import WsedError
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
        ("seeds: 2", "seeds: two", "seeds must be a number or a list"),
        ("  mil: {", "  mil: {base: [base.yaml, null], ", "mil.base is .*write a file, a list of files, or null"),
        ('"!mil"', '"!mill"', "did you mean mil"),
        ("rows: [mil, glu], m", "rows: [mil, gluu], m", "did you mean glu"),
    ],
)
def test_mistakes_are_named(folder, old, new, message):
    assert old in RECIPE
    (folder / "recipe.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(WsedError, match=message):
        read_recipe(folder)


def test_pairs_are_those_of_claims_then_those_to_compare(folder):
    more = "borrowed: [other]\ncompare: [[mil, glu], [glu, glu_oracle], [other, mil]]\n"
    (folder / "recipe.yaml").write_text(RECIPE + more)
    assert read_recipe(folder).pairs() == (("mil", "glu"), ("glu", "glu_oracle"), ("other", "mil"))
    for wrong, message in (("[[mil, gluu]]", "did you mean glu"), ("[[mil]]", "compare 1: rows must be two")):
        (folder / "recipe.yaml").write_text(RECIPE + f"compare: {wrong}\n")
        with pytest.raises(WsedError, match=message):
            read_recipe(folder)
