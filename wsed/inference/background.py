"""Reading ahead in a thread: files are read while the network computes."""

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """The end of the items, with the error that ended the iteration, if there was one."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[T], most: int) -> Iterator[T]:
    """Iterate over items in a background thread that reads up to `most` items ahead.

    An error of the thread is raised after the items before it. The thread ends with the iteration, also if it is
    stopped early.

    >>> list(ahead(range(3), most=2))
    [0, 1, 2]
    """
    worker = _Worker(items, most)
    worker.thread.start()
    try:
        while not isinstance(item := worker.queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        worker.stop()


class _Worker(Generic[T]):
    def __init__(self, items: Iterable[T], most: int) -> None:
        self.queue: Queue[T | _End] = Queue(most)
        self._items, self._stopped = items, Event()
        self.thread = Thread(target=self._run, daemon=True)

    def stop(self) -> None:
        self._stopped.set()
        while self.thread.is_alive():
            try:  # make room, so that the thread sees that it is to end
                self.queue.get(timeout=0.05)
            except Empty:
                continue
        self.thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(_End())
        except BaseException as error:
            self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self.queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False
