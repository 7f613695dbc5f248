"""Tasks as readers of logs give them, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import TraceError

__all__ = ["MAX_TASKS", "Tasks", "shown"]

MAX_TASKS = 1 << 20


@dataclass
class Tasks:
    """
    Tasks read of a log; times are whole microseconds, and in the order of the log.

    @ivar key: tasks that have it in common are alike; C{group}: somewhat alike.
    @ivar cpus: those of the machine, where the log says; otherwise 1.
    @ivar account: how the log was read.
    """

    path: Path
    bursts: bool
    arrival: list[int] = field(default_factory=list)
    run: list[int] = field(default_factory=list)
    estimate: list[int] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    cpus: int = 1
    account: Account = field(default_factory=Account)

    def add(self, arrival: int, run: int, key: str, group: str, estimate: int = 0) -> None:
        """@raise TraceError: these are too many."""
        if len(self.run) == MAX_TASKS:
            raise TraceError(self.path, None, f"more than {MAX_TASKS} tasks", "use a part of it")
        self.arrival.append(arrival)
        self.run.append(run)
        self.key.append(key)
        self.group.append(group)
        self.estimate.append(estimate)


def shown(text: str) -> str:
    """A stranger's text for an error message."""
    return repr(text[:60]) + ("…" if len(text) > 60 else "")
