"""Several processes train as one with the same batches: each loss, each augmentation and each row of the experiments.

`CAMPAIGN=table.md pytest -m slow tests/distributed/test_campaign.py` writes the table that the documentation shows;
with `CAMPAIGN_RANKS=3`, three processes are compared with one instead of two; with `CAMPAIGN_ACCELERATOR=gpu`, they
share one GPU. A training with a difference beyond the limits is repeated at a tenth of the rate and in float64. Under
`pytest -n`, each worker writes a table of its own, `table.gw0.md` and so on.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_experiments import dcase2021, desed, ward  # noqa: F401  fixtures
from tests.conftest import make_corpus
from tests.distributed.campaign import DOUBLE, METRICS, RANKS
from tests.distributed.campaign_cases import cases, compared, second_tags

HEAD = """\
| what | kind | parameters | metrics | parameters moved by | at a tenth of the rate | in float64 |
|---|---|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The file that gets a row for each case."""
    path = Path(os.environ.get("CAMPAIGN", tmp_path_factory.mktemp("table") / "table.md"))
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        path = path.with_suffix(f".{worker}{path.suffix}")
    path.write_text(HEAD)
    return path


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The tiny corpus, where each clip has one tag, for episodes of classes."""
    return make_corpus(tmp_path_factory.mktemp("single"), clips=4 * RANKS)


@pytest.fixture(scope="module")
def corpora():
    """The folders of corpora that have a second tag."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name.replace(" ", "-"))
def test_several_processes_train_as_one(case, tmp_path, request, table, corpora):
    root = request.getfixturevalue(case.corpus)
    if case.corpus == "desed" and root not in corpora:
        corpora[root] = second_tags(root)
    found = compared(case, root, tmp_path)
    values = [f"{value:.1e}" for value in (found.parameters, found.metrics, found.moved)]
    if found.is_beyond:  # by rounding, if it is gone in float64; the lower rate shows how much of it had grown
        slow = compared(replace(case, rate=case.rate / 10), root, tmp_path / "slow")
        wide = compared(case, root, tmp_path / "double", double=True)
        values.append(
            f"{slow.parameters:.1e}, {slow.metrics:.1e}{f' ({slow.where})' if slow.metrics > METRICS else ''}"
        )
        values.append(f"{wide.parameters:.1e}, {wide.metrics:.1e}")
    with table.open("a") as file:
        file.write(f"| `{case.name}` | {case.kind} | {' | '.join(values + [''] * (5 - len(values)))} |\n")
    if found.is_beyond:
        assert wide.parameters <= DOUBLE, found
        assert wide.metrics <= METRICS, wide.where
