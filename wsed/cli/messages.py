"""Messages for errors and warnings that come from other libraries."""

import logging
import re
import warnings
from argparse import ArgumentError
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb

from lightning.fabric.utilities.exceptions import MisconfigurationException

from wsed.cli.lost import lost
from wsed.data.processes import ORPHANS
from wsed.errors import WsedError, near
from wsed.text import short

FOREIGN = {
    "torch/optim/lr_scheduler.py": "model.lr_scheduler (stepped once per epoch: its steps are epochs)",
    "torch/optim/": "model.optimizer",
    "torch/nn/parallel/distributed.py": "trainer.strategy",
    "lightning/pytorch/callbacks/": "trainer.callbacks",
    "lightning/pytorch/loggers/": "trainer.logger",
    "lightning/pytorch/strategies/": "trainer.strategy",
    "lightning/pytorch/trainer/": "trainer",
    "lightning/pytorch/loops/": "the states of the checkpoint are damaged",
    "lightning/fabric/accelerators/": "trainer.devices",
    "lightning/fabric/utilities/device_parser.py": "trainer.devices",
    "lightning/fabric/plugins/environments/": "trainer.devices and trainer.num_nodes must be what the scheduler starts",
    "lightning/fabric/utilities/seed.py": "seed_everything",
}
"""The setting that is at fault if a file of torch or Lightning raises an error."""

STATES = (
    ValueError, TypeError, RuntimeError, LookupError, AttributeError, AssertionError, MisconfigurationException
)  # fmt: skip
"""Errors by which torch and Lightning refuse settings and the states of a checkpoint."""

NOISE = ("Parser key", "Does not validate", "Subtypes:", "Errors:", "Given value", "Expected a <class 'NoneType'>")
"""Beginnings of lines of the parser that do not help a user."""

QUIET = (
    ".*does not have many workers.*",
    ".*number of training batches.*logging interval.*",
    ".*isinstance.treespec.*",
    ".*exists and is not empty.*",
    ".*No CUDA runtime.*",
    ".*Be aware that when using `ckpt_path`.*",
    ".*resuming from a checkpoint that ended before the epoch ended.*",  # the sampler goes on where it was
    ".*not supported by the model summary.*",
    "predict returned None.*",
    ".*recommended to use .*sync_dist=True.*",  # scores are computed from all ranks' clips on each rank
    ".*in eval mode at the start of training.*",  # frozen parts: a tagger, a teacher
    ".*WeightAveraging.*loading a checkpoint outside the 'fit' stage.*",  # the mean is what the checkpoint holds
    ".*lightning-hq.*",
    ".*args parameter is intended to run from within Python.*",
)
"""Warnings of Lightning that do not concern a user of wsed."""


TOO_MANY = re.compile(r"You requested gpu: \[(.*?)\]\s*But your machine only has: \[(.*?)\]")
"""What Lightning says of GPUs that are not there, with the numbers of both."""

NO_GPU = re.compile(r"No supported gpu backend|GPUs requested but none|(CUDA|MPS)Accelerator` can not run")
"""What Lightning says if there is no GPU."""

READER_DIED = re.compile(r"DataLoader worker \(pid")
"""What torch says if a process that reads clips has ended."""


def quiet() -> None:
    """Silence the messages of Lightning that are meant for programmers."""
    for message in QUIET:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )


def user_error(error: Exception) -> Exception:
    """The error to show to the user: our own if the chain has one, else that of the parser without its dumps.

    >>> user_error(OSError("disk full"))
    WsedError('disk full')
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, WsedError):
            return cause
    for cause in causes:
        if isinstance(cause, ModuleNotFoundError):
            return WsedError(str(cause))
    for cause in causes:
        if (reason := lost(cause) or _died(cause)) is not None:
            return WsedError(reason)
    if isinstance(error, MisconfigurationException | OSError):
        return WsedError(_devices(str(error)) or str(error))
    if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
        return WsedError(f"the checkpoint is of another network than the configuration builds: {str(error)[:600]}")
    if isinstance(error, ArgumentError):
        return _of_parser(error)
    error = _refusal(error)
    setting = _setting(error) if isinstance(error, STATES) else None
    return error if setting is None else WsedError(f"{setting}: {_one_line(error)}")


def _refusal(error: Exception) -> Exception:
    """What a class of Lightning said of its settings when the parser built it; else the error itself."""
    if not str(error).startswith("Does not validate"):
        return error
    said = (cause for cause in _causes(error) if isinstance(cause, MisconfigurationException))
    return next(said, error)


def _died(error: BaseException) -> str | None:
    """What to do about a process that has ended while it read clips, if torch's message is about one."""
    if not READER_DIED.search(str(error)):
        return None
    if ORPHANS:
        return (
            "the process that starts the processes that read clips was killed, most often because the memory of the "
            "machine was full: lower data.workers, and go on with --resume auto"
        )
    return (
        "a process that reads clips has died, most often because the memory of the machine was full: lower "
        "data.workers (0: the training reads the clips itself)"
    )


def _devices(text: str) -> str | None:
    """What to do about GPUs that are not there, if Lightning's message is about them."""
    if NO_GPU.search(text):
        return (
            "trainer.accelerator asks for a GPU, but torch sees none here (CUDA_VISIBLE_DEVICES may hide them, or this "
            "torch is built for the CPU only): set --trainer.accelerator cpu"
        )
    numbers = TOO_MANY.search(text)
    if numbers is None:
        return None
    asked, there = numbers.groups()
    return (
        f"trainer.devices asks for the GPUs {asked}, but torch sees only {there} here (CUDA_VISIBLE_DEVICES may hide "
        f"some): set --trainer.devices {there.count(',') + 1}, or auto for all"
    )


def _setting(error: Exception) -> str | None:
    """The setting at fault, by the file of torch or Lightning that raised the error; None if it may be wsed's."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    files = [Path(frame.f_code.co_filename).as_posix() for frame in frames]
    if any(file.endswith("checkpoint_connector.py") for file in files):
        return "the checkpoint cannot be resumed, its states are damaged or of another version"
    return next((setting for part, setting in FOREIGN.items() if files and part in files[-1]), None)


def _one_line(error: Exception) -> str:
    """The text of an error in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return short(text if not isinstance(error, KeyError) else f"{text} is missing", 500)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, each once, since an error that is raised again may be its own cause."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _of_parser(error: ArgumentError) -> WsedError:
    """The setting and the innermost reasons, without the parser's types and values."""
    text = str(error)
    keys = re.findall(r'Parser key "([^"]+)"', text)
    path = ".".join(dict.fromkeys(keys))
    unknown = re.search(r"Expected a dot import path string: (\S+)", text)
    if unknown is not None:
        name = unknown[1]
        return WsedError(f"{path}: there is no class {name!r}{near(name, _classes())}; write its name or import path")
    lines = (re.sub(r" (Got value|Given value).*", "", line).strip(" -") for line in text.splitlines())
    kept = [line for line in dict.fromkeys(lines) if line and not line.startswith(NOISE)]
    return WsedError(short(f"{path}{': ' if path else ''}{'; '.join(kept)}", 500) + "; --help lists the settings")


def _classes() -> list[str]:
    """Names of the classes that a trainer takes."""
    from lightning.pytorch import callbacks, loggers, profilers

    return [*callbacks.__all__, *loggers.__all__, *profilers.__all__]
