"""The process of a command: its exit status and output stay, exit functions run, collection is as it was."""

import gc
import subprocess
import sys

import pytest

from wsed.cli.process import importing


def process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


RUN = "import sys; from wsed.cli import main as cli; sys.argv = ['wsed', {}]; sys.exit(cli.main())"


@pytest.mark.parametrize(
    ("argument", "status", "said"), [("'--version'", 0, "wsed "), ("'fitt'", 2, "did you mean fit")]
)
def test_status_and_output_are_those_of_the_command(argument, status, said):
    done = process(RUN.format(argument))
    assert done.returncode == status
    assert said in done.stdout + done.stderr


def test_exit_functions_run_but_modules_are_not_taken_apart():
    code = "import atexit, weakref; from wsed.cli import main as cli\n"
    code += "class Kept:\n    def __del__(self): print('taken apart', flush=True)\n"
    code += "def run(args):\n    atexit.register(print, 'exit function')\n    return 3\n"
    code += "cli.kept, cli._run = Kept(), run\n"
    done = process(code + "import sys; sys.exit(cli.main())")
    assert (done.returncode, done.stdout) == (3, "exit function\n")


def test_a_fault_of_ours_ends_with_its_traceback():
    code = "from wsed.cli import main as cli\ndef run(args): raise RuntimeError('ours')\ncli._run = run\n"
    done = process(code + "import sys; sys.exit(cli.main())")
    assert done.returncode == 1
    assert "RuntimeError: ours" in done.stderr


def test_collection_is_off_while_modules_are_imported_and_as_it_was_after():
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        import wsed.no_such_module  # noqa: F401
    assert gc.isenabled()
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_an_earlier_command_left_stays_collectable():
    import torch  # noqa: F401  the earlier command has imported it

    frozen = gc.get_freeze_count()
    with importing():
        import json  # noqa: F401
    assert gc.get_freeze_count() == frozen
