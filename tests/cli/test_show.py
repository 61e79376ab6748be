"""Runs of several seeds are averaged; runs that differ in more are said to."""

import pytest

from wsed.cli.show import differences
from wsed.run import RunFolder

CONFIG = "seed_everything: {seed}\ndata: {{corpus: {{class_path: desed, init_args: {{root: {root}}}}}, workers: 1}}\n"


@pytest.mark.parametrize(("root", "differing"), [("a", []), ("b", ["data.corpus.root"])])
def test_settings_that_differ_are_named(tmp_path, root, differing):
    runs = []
    for seed, of_seed in enumerate(("a", root)):
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / "config.yaml").write_text(CONFIG.format(seed=seed, root=of_seed))
        runs.append(RunFolder(tmp_path / str(seed)))
    assert differences(runs) == differing
