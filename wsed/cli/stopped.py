"""`Stopped`: a scheduler or a user has ended the process by a signal."""

import signal


class Stopped(SystemExit):
    """Ends the process with 128 and the number of the signal, as a shell does.

    Args:
        signum: number of the signal.
        text: what happened to the training.

    >>> Stopped(15, "saved").status, str(Stopped(15, "saved"))
    (143, 'ended by SIGTERM; saved')
    """

    def __init__(self, signum: int, text: str = "files that were written are kept") -> None:
        self.signum, self.text, self.status = signum, text, 128 + signum
        super().__init__(self.status)

    def __str__(self) -> str:
        return f"ended by {signal.Signals(self.signum).name}; {self.text}"
