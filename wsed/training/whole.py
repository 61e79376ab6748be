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
    """Writes a checkpoint beside its final place and then renames it; the previous `last` checkpoint is kept too.

    Lightning writes to the folder for temporary files and then moves the file. If that folder is on another disk, a
    killed process or a full disk leaves half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            WsedError: it cannot be written, for example because the disk is full; an older file stays as it is.
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
            there = next(path.parent.glob("[!.]*.ckpt"), None) is not None
            rest = (
                "the existing checkpoints are whole: go on with --resume auto" if there else "there is no other one yet"
            )
            raise WsedError(f"cannot write {path}: {reason}; {rest}") from None
