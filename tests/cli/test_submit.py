"""The verb `submit`: jobs for seeds and rows, through submitit."""

import os
import time

import pytest
import yaml

from tests.cli.test_training import SMALL
from wsed.cli.main import main

submitit = pytest.importorskip("submitit", reason="the extra cluster is not installed")


def config(folder, corpus, name="exp"):
    data = {"corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}, "batch": {"weak": 4}, "workers": 0}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "data": data}))
    return str(path)


def test_a_job_for_each_seed_and_row(tmp_path, corpus, capsys):
    config(tmp_path, corpus, "base")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("{}")
    rows = [str(tmp_path / f"{name}.yaml") for name in ("one", "two")]
    args = ["--config", str(tmp_path / "base.yaml"), "--rows", *rows, "--seeds", "2", "--gpus", "4", "--nodes", "2"]
    assert main(["submit", *args, "--dry-run", "--trainer.max_epochs", "3"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert "--seed_everything 1 --trainer.default_root_dir runs/two/seed_1" in said[3]
    ends = "--trainer.devices 4 --trainer.num_nodes 2 --trainer.accelerator gpu --trainer.strategy ddp --resume auto"
    assert all(line.endswith(f"{ends} --trainer.max_epochs 3") for line in said)


def test_what_slurm_is_asked(tmp_path, corpus, monkeypatch, capsys):
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/asked\necho Submitted batch job 12\n')
    sbatch.chmod(0o755)
    for name in ("srun", "scontrol", "squeue", "sacct"):
        (sbatch.parent / name).write_text("#!/bin/sh\n")
        (sbatch.parent / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:{os.environ['PATH']}")
    args = ["--config", config(tmp_path, corpus), "--logs", str(tmp_path / "logs"), "--seeds", "3"]
    args += ["--gpus", "2", "--nodes", "2", "--time", "04:00:00", "--partition", "gpu", "--account", "sound"]
    args += ["--cpus", "6"]
    assert main(["submit", *args]) == 0
    assert "job 12_2: wsed fit" in capsys.readouterr().out
    asked = (tmp_path / "asked").read_text()
    for line in (
        "array=0-2", "nodes=2", "ntasks-per-node=2", "gpus-per-node=2", "cpus-per-task=6", "time=240",
        "signal=USR2@120", "requeue", "partition=gpu", "account=sound",
    ):  # fmt: skip
        assert f"#SBATCH --{line}" in asked, asked
    (started,) = [line for line in asked.splitlines() if line.startswith("srun ")]
    assert "--kill-on-bad-exit=1" in started


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--config", "gone.yaml"], "no such configuration: gone.yaml"),
        (["--config", "exp.yaml", "--time", "4h"], "--time is '4h'; write HH:MM:SS"),
        (["--config", "exp.yaml"], "there is no SLURM here (no sbatch); --cluster local"),
        (["--config", "exp.yaml", "--cluster", "local", "--nodes", "2"], "--nodes is 2, but --cluster local has this"),
        (["--config", "exp.yaml", "--rows", "a/mil.yaml", "b/mil.yaml"], "a/mil.yaml and b/mil.yaml would both train"),
        (
            ["--config", "exp.yaml", "--seeds", "2", "--trainer.default_root_dir", "runs/one"],
            "default_root_dir would be",
        ),
        (
            ["--config", "exp.yaml", "--seeds", "2", "--seed-everything=7"],
            "--seed_everything would be the same in all 2",
        ),
        (
            ["--config", "exp.yaml", "--rows", "a/mil.yaml", "b/typo.yaml"],
            "data has no setting 'bach' (did you mean batch",
        ),
        (
            ["--config", "exp.yaml", "--trainer.max_epoch", "3"],
            "--trainer.max_epoch: trainer has no setting 'max_epoch'",
        ),
    ],
)
def test_mistakes(tmp_path, corpus, monkeypatch, capsys, args, said):
    monkeypatch.chdir(tmp_path)
    config(tmp_path, corpus)
    for name, text in (("a/mil", "{}"), ("b/mil", "{}"), ("b/typo", "data: {bach: {weak: 4}}")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    assert main(["submit", *args]) == 2
    assert said in capsys.readouterr().err


def test_an_experiment_of_the_library_is_found_in_any_folder(tmp_path, corpus, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    args = ["--config", "experiments/quickstart.yaml", "--dry-run", "--data.corpus.root", str(corpus)]
    assert main(["submit", *args]) == 0
    assert "runs/quickstart/seed_0" in capsys.readouterr().out


@pytest.mark.slow
def test_jobs_on_this_machine_train(tmp_path, corpus, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ["--config", config(tmp_path, corpus), "--cluster", "local", "--gpus", "0", "--logs", str(tmp_path / "logs")]
    assert main(["submit", *args, "--trainer.max_epochs", "1"]) == 0
    (number,) = [path.name.split("_")[0] for path in (tmp_path / "logs").glob("*_submitted.pkl")]
    job, end = submitit.LocalJob(tmp_path / "logs", number), time.monotonic() + 300
    while not job.paths.result_pickle.is_file():  # a job that another call has submitted is waited for 15 s only
        assert time.monotonic() < end, job.stderr()
        time.sleep(0.2)
    job.result()
    assert (tmp_path / "runs" / "exp" / "seed_0" / "test" / "scores.json").is_file()
