"""Progress bars: on standard error, only where that is a terminal, never beside JSON; gone when the work is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from kernelnet.untrusted import plain

__all__ = ["Counted", "Tell", "progress"]

Tell = Callable[[str, float, float | None], None]
"""Called with what is being done, how much of it is done, and of how much; C{None}: nobody knows."""

_WIDTH = 60


@contextmanager
def progress(quiet: bool = False) -> Iterator[Tell]:
    """
    Show what is told inside as one bar, from any thread; nothing is shown before it is told.

    While it is there nothing else should be printed.

    @param quiet: show nothing, such as for C{--json}.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    # Redirected, what goes to a standard output that is no terminal would end up on this one.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        task: tuple[str, TaskID] | None = None

        def tell(what: str, done: float, total: float | None) -> None:
            nonlocal task
            if task is None or task[0] != what:
                if task is not None:
                    shown.remove_task(task[1])
                task = (what, shown.add_task(plain(what, _WIDTH), total=total))
            shown.update(task[1], completed=done, total=total)

        yield tell


class Counted:
    """Measurements, of which it is known how many there will be; they may end in several threads."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._lock = threading.Lock()

    def to(self, tell: Tell) -> Callable[[], None]:
        """Function to be called after each; it tells how many there were."""
        tell("measuring", self._done, self._total)

        def one() -> None:
            with self._lock:
                self._done += 1
                tell("measuring", self._done, self._total)

        return one
