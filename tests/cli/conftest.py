"""What test files of the command line share."""

import pytest
import yaml


@pytest.fixture(scope="module")
def exp(request, tmp_path_factory, corpus) -> str:
    """The file of an experiment: the settings ``SMALL`` of the test file, on the tiny corpus."""
    small = request.module.SMALL
    data = {**small["data"], "corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}}
    path = tmp_path_factory.mktemp("exp") / "exp.yaml"
    path.write_text(yaml.safe_dump({**small, "data": data}))
    return str(path)
