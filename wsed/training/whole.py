"""`WholeCheckpoints`: checkpoints are written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.run import RunFolder


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and then renames it; the last one before is kept too.

    Lightning writes into the folder for temporary files and moves the file, which leaves a part of it where that folder
    lies on another disk and the process is killed, or the disk is full.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            WsedError: it cannot be written, as on a full disk; the one that is there stays.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_whole(path) as part:
                with part.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                run = RunFolder(path.parent.parent)
                if path == run.last and path.is_file():
                    path.replace(run.before)
        except (OSError, RuntimeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())[:200]
            raise WsedError(
                f"cannot write {path}: {reason}; the checkpoints that are there are whole: go on with --resume auto"
            ) from None
