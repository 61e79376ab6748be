"""`Stopped`: a scheduler or a user has ended the process by a signal."""

import signal


class Stopped(SystemExit):
    """Ends the process with 128 and the number of the signal, as a shell does.

    Args:
        signum: number of the signal.
        text: what happened to the work.

    >>> Stopped(15, "saved").status, str(Stopped(15, "saved"))
    (143, 'ended by SIGTERM; saved')
    >>> Stopped(2, "saved").status, str(Stopped(2, "saved"))  # by Ctrl-C
    (130, 'stopped; saved')
    """

    def __init__(self, signum: int, text: str = "files that were written are kept") -> None:
        self.signum, self.text, self.status = signum, text, 128 + signum
        super().__init__(self.status)

    def __str__(self) -> str:
        how = "stopped" if self.signum == signal.SIGINT else f"ended by {signal.Signals(self.signum).name}"
        return f"{how}; {self.text}"
