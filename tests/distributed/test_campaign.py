"""Several processes train as one with the same batches: each loss, each augmentation and each row of the experiments.

`CAMPAIGN=table.md pytest -m slow tests/distributed/test_campaign.py` writes the table of the documentation; with
`CAMPAIGN_RANKS=3`, three processes alone are compared with one, instead of two and three; with
`CAMPAIGN_ACCELERATOR=gpu`, they share one GPU. A training with a difference beyond the limits is repeated in float64.
Under `pytest -n`, each worker writes a table of its own, `table.gw0.md` and so on.
"""

import os
from pathlib import Path

import pytest

from tests.cli.test_experiments import dcase2021, desed, ward  # noqa: F401  fixtures
from tests.conftest import make_corpus
from tests.distributed.campaign import CLIPS, DOUBLE, LEAST, METRICS, PARAMETERS, RANKS
from tests.distributed.campaign_cases import Case, begin, cases, compared, second_tags, small

HEAD = ["what", "kind", *(f"{ranks}: {cell}" for ranks in RANKS for cell in ("parameters", "metrics", "float64"))]
HEAD += ["parameters moved by", "rate"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The file that gets a row for each case."""
    path = Path(os.environ.get("CAMPAIGN", tmp_path_factory.mktemp("table") / "table.md"))
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        path = path.with_suffix(f".{worker}{path.suffix}")
    path.write_text(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|\n")
    return path


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The tiny corpus, where each clip has one tag, for episodes of classes."""
    return make_corpus(tmp_path_factory.mktemp("single"), clips=2 * CLIPS)


@pytest.fixture(scope="module")
def corpora():
    """The folders of corpora that have a second tag."""
    return {}


def write(table: Path, case: Case, cells: list[str]) -> None:
    with table.open("a") as file:
        file.write(f"| `{case.name}` | {case.kind} | {' | '.join(cells)} |\n")


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name.replace(" ", "-"))
def test_several_processes_train_as_one(case, tmp_path, request, table, corpora):
    root = request.getfixturevalue(case.corpus)
    if case.corpus == "desed" and root not in corpora:
        corpora[root] = second_tags(root)
    rate = begin(case, root, tmp_path)
    found = compared(case, root, tmp_path, rate)
    cells = {ranks: [f"{of.parameters:.1e}", f"{of.metrics:.1e}", ""] for ranks, of in found.items()}
    beyond = {ranks for ranks, of in found.items() if of.is_beyond}
    wide = compared(case, root, tmp_path, rate, double=True) if beyond else {}
    for ranks in beyond:  # by rounding alone, if the difference is gone in float64
        cells[ranks][1] += f" ({found[ranks].where})"
        cells[ranks][2] = f"{wide[ranks].parameters:.1e}, {wide[ranks].metrics:.1e}"
    moved = next(iter(found.values())).moved
    row = [cell for ranks in RANKS for cell in cells.get(ranks, ["", "", ""])]
    write(table, case, [*row, f"{moved:.1e}", f"{rate:.1e}"])
    assert moved >= LEAST, f"{case.name}: parameters move too little"
    for ranks in beyond:
        assert wide[ranks].parameters <= DOUBLE, found
        assert wide[ranks].metrics <= METRICS, wide[ranks].where


FPD = {"class_path": "fpd", "init_args": {"wps_start_epoch": 0, "gather": False}}
"""Pairs the clips of each process alone."""

FAULTS = [
    ({"losses": {"frames": {"loss": FPD}}}, False, "pairs of each process"),
    ({}, True, "gradients of each process"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "fault", "name"), FAULTS, ids=[name.replace(" ", "-") for *_, name in FAULTS])
def test_the_campaign_sees_a_fault(model, fault, name, tmp_path, table, desed):  # noqa: F811
    """The limits tell a fault from rounding."""
    case = Case(name, "fault", small(model=model), ranks=RANKS[:1])
    rate = begin(case, desed, tmp_path)
    (found,) = compared(case, desed, tmp_path, rate, fault=fault).values()
    values = [f"{found.parameters:.1e}", f"{found.metrics:.1e} ({found.where})", *[""] * (3 * len(RANKS) - 2)]
    write(table, case, [*values, f"{found.moved:.1e}", f"{rate:.1e}"])
    assert found.parameters > 3 * PARAMETERS, found
    assert found.metrics > 3 * METRICS, found
