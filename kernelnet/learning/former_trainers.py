"""
Local trainers whose authors know `ILocalTrainer` without C{tasks()} and C{currentTask()}.

They tell the same by C{scenario} and C{tasks} of their C{status()}, as far as they know it.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from kernelnet.artifacts import TaskDescription
from kernelnet.interfaces import ILocalTrainer

__all__ = ["withTasks"]


def withTasks(local: ILocalTrainer) -> ILocalTrainer:
    """The trainer itself, or around it what answers C{tasks()} and C{currentTask()} by its status."""
    if all(callable(getattr(local, name, None)) for name in ("tasks", "currentTask")):
        return local
    return cast(ILocalTrainer, _FormerTrainer(local))


class _FormerTrainer:
    """Passes on all else."""

    def __init__(self, local: Any) -> None:
        self._local = local

    def __repr__(self) -> str:
        return repr(self._local)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._local, name)

    def tasks(self) -> list[TaskDescription]:
        """See `ILocalTrainer.tasks`; what is no whole description is passed over."""
        return [task for told in self._local.status().get("tasks") or () if (task := _described(told)) is not None]

    def currentTask(self) -> TaskDescription | None:
        """See `ILocalTrainer.currentTask`."""
        return _described(self._local.status().get("scenario"))


def _described(told: object) -> TaskDescription | None:
    try:
        return msgspec.convert(told, TaskDescription)
    except msgspec.ValidationError:
        return None
