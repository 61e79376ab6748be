"""Reading processes do not run a user's script again."""

import sys
from types import ModuleType

import pytest

from wsed.data.processes import unguarded_script


@pytest.mark.parametrize(
    ("text", "again"), [("import wsed\n", True), ('if __name__ == "__main__":\n    pass\n', False), (None, False)]
)
def test_a_script_that_would_run_again_is_found(tmp_path, monkeypatch, text, again):
    main = ModuleType("__main__")
    if text is not None:
        (tmp_path / "train.py").write_text(text)
        main.__file__ = str(tmp_path / "train.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert (unguarded_script() is not None) == again
