"""What a user is told of an error."""

import pytest

from wsed.cli.messages import user_error
from wsed.errors import WsedError


def test_our_own_message_is_found_in_the_chain():
    error = RuntimeError("a worker ended")
    error.__cause__ = WsedError("take another folder")
    assert user_error(error) is error.__cause__


def test_an_error_that_is_its_own_cause_is_no_endless_search():
    first, second = ValueError("full"), ValueError("again")
    first.__context__, second.__context__ = second, first
    assert user_error(first) is first
    disk = OSError("No space left on device")
    disk.__context__ = second
    first.__context__ = disk
    assert str(user_error(disk)) == "No space left on device"


@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), KeyError("momentum")])
def test_a_mistake_of_ours_keeps_its_traceback(error):
    assert user_error(error) is error
