"""A process that does one command after the other for `wsed reproduce`: `python -m wsed.cli.run_worker`.

It reads commands from stdin, a JSON object per line, and answers each with a line on stdout. What a command prints goes
into its log. When stdin closes, because the parent was killed, the process ends at once, whatever it is doing.
"""

import json
import os
import queue
import runpy
import shlex
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TextIO


def work() -> None:
    """Do commands until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    commands: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    while True:
        _answer(json.loads(commands.get()), answers)


def _listen(commands: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        commands.put(line)
    os._exit(1)


def _answer(command: dict[str, object], answers: TextIO) -> None:
    log = Path(str(command["log"]))
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.close(target)
    start, status = time.monotonic(), 0
    lines = command["lines"]
    assert isinstance(lines, list)
    for line in lines:
        status = _run(line, command.get("module"))
        if status:
            break
    answers.write(json.dumps({"status": status, "seconds": time.monotonic() - start}) + "\n")
    answers.flush()


def _run(args: list[str], module: object) -> int:
    """The exit status of a command of wsed, or of a module; an error that nobody expected is 1, with its traceback."""
    print("$", shlex.join((*(("python", "-m", str(module)) if module else ("wsed",)), *args)), flush=True)
    sys.argv = [str(module or "wsed"), *args]  # which the files of versions hold
    environment = dict(os.environ)  # a run on several devices leaves variables that the next one would take for its own
    try:
        if module:
            runpy.run_module(str(module), run_name="__main__", alter_sys=True)
            return 0
        from wsed.cli.main import main as wsed

        return wsed(args)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        dist = sys.modules.get("torch.distributed")
        if dist is not None and dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()  # the next run would wait for the other processes of this one
        os.environ.clear()
        os.environ.update(environment)
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    if sys.argv[1:]:  # Lightning starts the other processes of a run on several devices with the arguments of the first
        from wsed.cli.main import main

        sys.exit(main())
    work()
