"""The one error that is shown to a user without a traceback."""


class WsedError(ValueError):
    """A mistake in what the user gave (a file, a row, a setting).

    The message names the file, row or setting at fault and how to mend it. The command line prints it
    and exits with status 2; in Python it is an ordinary `ValueError`.
    """
