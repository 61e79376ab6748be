"""The study of `wsed search`: a database and a folder that several processes share. Needs optuna."""

import argparse
import contextlib
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from wsed.cli.search_space import Range
from wsed.errors import WsedError
from wsed.files import locked, no_room, write_text
from wsed.text import read_text

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(args: argparse.Namespace, space: dict[str, Range], out: Path) -> optuna.Study:
    """Create the study of a folder, or load it.

    Raises:
        WsedError: the study searches another space, or has another folder.
    """
    old = out / "study.db"  # of an earlier version
    url = args.storage or (f"sqlite:///{old}" if old.is_file() else str(out / "study.journal"))
    with alone(out), _readable(url):
        study = optuna.create_study(
            study_name="wsed",
            storage=_storage(url),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=args.first_rung),
            direction="minimize" if args.minimize else "maximize",
            load_if_exists=True,
        )
        _check_folder(study, url, out)
        _check_space(study, space, out)
    # with the same seed, a continued study would draw its first trials again
    seed = None if args.seed is None else args.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    return study


def _storage(url: str) -> optuna.storages.BaseStorage:
    if "://" not in url:
        return optuna.storages.JournalStorage(JournalFileBackend(url, JournalFileOpenLock(url)))
    # SQLite has one writer at a time: wait for it longer than the usual 5 s
    engine = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    return optuna.storages.RDBStorage(url, engine_kwargs=engine)


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Within the block, no other process with this folder opens the study, takes a trial or writes the report."""
    with locked(out / "study.lock"):
        yield


@contextlib.contextmanager
def _readable(url: str) -> Iterator[None]:
    """Turn the errors of a missing or damaged database into one message."""
    try:
        yield
    except WsedError:
        raise
    except Exception as error:  # of sqlalchemy, of its drivers, and of optuna on values that cannot be
        if (fault := no_room(error)) is not None:
            raise WsedError(f"the study in {url}: {fault}; make room and run the command again") from None
        reason = " ".join(str(error).split())[:200]
        raise WsedError(f"the study in {url} cannot be opened ({reason}); move it away if it is damaged") from None


def _check_folder(study: optuna.Study, url: str, out: Path) -> None:
    """Refuse another folder: the locks in the folder show which trials run, and its checkpoints let them continue."""
    here = read_text(out / "study.id") if (out / "study.id").is_file() else None
    there, place = study.user_attrs.get("folder"), f"{socket.gethostname()}:{out.resolve()} "
    if here is there is None:
        study.set_user_attr("folder", f"{place}{uuid.uuid4().hex}")
        write_text(out / "study.id", study.user_attrs["folder"])
    elif here is None and there is not None and there.startswith(place):  # killed before it wrote the file
        write_text(out / "study.id", there)
    elif there is None:
        raise WsedError(f"{out} holds the trials of another study than {url}; choose another folder with --out")
    elif here != there:
        raise WsedError(
            f"--out: {out} is not the folder of the study in {url}; that is {there}. "
            "Machines that share a study must share its folder, for locks and checkpoints"
        )


def _check_space(study: optuna.Study, space: dict[str, Range], out: Path) -> None:
    """Refuse another space."""
    here = {name: repr(values) for name, values in space.items()}
    there = study.user_attrs.get("space")
    if there is None:
        study.set_user_attr("space", here)
    elif there != here:
        raise WsedError(f"the study in {out} searches another space; choose another folder with --out")
