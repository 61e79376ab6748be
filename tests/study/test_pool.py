"""The processes that do the commands of a study."""

import sys
import time

import pytest

from wsed.cli import run_worker
from wsed.study import pool
from wsed.study.pool import Pool

FAKE = """
import json, os, pathlib, sys, time
for line in sys.stdin:
    command = json.loads(line)
    log = pathlib.Path(command["log"])
    log.write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    while command["lines"] == [["wait"]] and not log.with_name("go").is_file():
        time.sleep(0.01)
    print(json.dumps({"status": 0, "seconds": 100}), flush=True)
"""
"""A process that writes which GPU it sees, and says that it took so long that it is to be replaced."""


@pytest.mark.parametrize(("visible", "names"), [(None, {"0", "1"}), ("", {"0", "1"}), ("2,5", {"2", "5"})])
def test_a_new_process_takes_the_gpu_of_the_one_before_it(visible, names, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WORKER", (sys.executable, "-c", FAKE))
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with Pool(2, gpus=2) as processes:
        long, start = processes.submit([["wait"]], tmp_path / "long"), time.monotonic()
        while not (tmp_path / "long").is_file():
            assert time.monotonic() - start < 60
            time.sleep(0.01)
        for name in ("one", "two", "three"):
            assert processes.submit([[]], tmp_path / name).result(60).failure is None
        (tmp_path / "go").touch()
        assert long.result(60).failure is None
    seen = {name: (tmp_path / name).read_text() for name in ("long", "one", "two", "three")}
    assert seen["one"] == seen["two"] == seen["three"] != seen["long"]
    assert set(seen.values()) == names


def test_a_module_and_a_command_see_their_own_arguments(tmp_path, monkeypatch, capsys):
    """`sys.argv` goes into the files of versions."""
    (tmp_path / "show.py").write_text("import sys, pathlib\npathlib.Path(sys.argv[1]).write_text(sys.argv[2])")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    seen = []
    monkeypatch.setattr("wsed.cli.main.main", lambda _args: seen.append(sys.argv) or 0)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert run_worker._run([str(tmp_path / "out"), "a b"], "show") == 0
    assert run_worker._run(["fit", "--config", "my exp.yaml"], None) == 0
    assert (tmp_path / "out").read_text() == "a b"
    assert seen == [["wsed", "fit", "--config", "my exp.yaml"]]
    printed = f"$ python -m show {tmp_path / 'out'} 'a b'\n$ wsed fit --config 'my exp.yaml'\n"
    assert capsys.readouterr().out == printed
