"""
An independent scheduler in plain Python: what baselines must score.

Written from the rules and the papers, not from the C.  Slow and simple: all tasks in a list, searched for each pick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Job:
    arrival: int
    run: int
    key: str = "a/a"
    estimate: int = 0


@dataclass
class Task:
    number: int
    job: Job
    arrived: int
    left: int
    debt: int = 0
    wasRunning: bool = False
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def attained(self) -> int:
        return self.job.run - self.left


class Policy:
    """FCFS; others change `order`, and what they note of tasks."""

    def __init__(self, cpus: int, quantum: int) -> None:
        self.cpus, self.quantum = cpus, quantum
        self.turns = 0

    def turn(self) -> int:
        self.turns += 1
        return self.turns

    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        task.note["turn"] = self.turn()

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        return task.note["turn"]

    def decides(self, ready: list[Task], now: int) -> None:
        """Before a decision."""

    def picked(self, task: Task, ready: list[Task], now: int) -> None:
        """It will run."""

    def ran(self, task: Task, ran: int, now: int) -> None:
        """It ran, and is ready."""

    def done(self, task: Task, ran: int) -> None:
        """It ran, and is gone."""


class RoundRobin(Policy):
    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        task.note.update(turn=self.turn(), used=0)

    def ran(self, task: Task, ran: int, now: int) -> None:
        task.note["used"] += ran
        if task.note["used"] >= self.quantum:
            task.note.update(turn=self.turn(), used=0)


class Las(Policy):
    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        return task.attained, task.number


class Srpt(Policy):
    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        return task.left, task.number


class Estimating(Policy):
    def __init__(self, cpus: int, quantum: int) -> None:
        super().__init__(cpus, quantum)
        self.sizes: dict[str, list[int]] = {}
        self.all: list[int] = []

    def guess(self, job: Job) -> int:
        if job.estimate:
            return job.estimate
        if last := self.sizes.get(job.key, [])[-2:]:
            return (last[0] + last[-1] + 1) // 2
        return sum(self.all) // len(self.all) if self.all else 0

    def done(self, task: Task, ran: int) -> None:
        self.sizes.setdefault(task.job.key, []).append(task.job.run)
        self.all.append(task.job.run)


class Sjf(Estimating):
    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        task.note["guess"] = self.guess(task.job)

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        return task.note["guess"], task.number


class Hrrn(Estimating):
    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        guess = self.guess(task.job)
        known = task.job.estimate or task.job.key in self.sizes
        task.note["guess"] = guess if known else guess + 1

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        ratio = float("inf") if task.attained else (now - task.arrived) / task.note["guess"]
        return -ratio, task.number


class Mlfq(Policy):
    period = 0

    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        task.note.update(turn=self.turn(), used=0, level=0)

    def decides(self, ready: list[Task], now: int) -> None:
        if now // (2048 * self.quantum) > self.period:
            self.period = now // (2048 * self.quantum)
            for task in ready:
                task.note.update(used=0, level=0)

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        return task.note["level"], task.note["turn"]

    def ran(self, task: Task, ran: int, now: int) -> None:
        task.note["used"] += ran
        if task.note["used"] >= self.quantum * 2 ** task.note["level"]:
            task.note.update(used=0, turn=self.turn(), level=min(7, task.note["level"] + 1))


class Cfs(Policy):
    least = 0

    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        if ready:
            self.least = max(self.least, min(other.note["v"] for other in ready))
        task.note.update(v=self.least, used=0, stopped=None, turn=self.turn())

    def current(self, task: Task, ready: list[Task], now: int) -> bool:
        slice_ = max(self.quantum, 8 * self.quantum // len(ready))
        return bool(task.note["stopped"] == now and task.note["used"] < slice_)

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        bonus = self.quantum if self.current(task, ready, now) else 0
        return task.note["v"] - bonus, task.note["turn"]

    def picked(self, task: Task, ready: list[Task], now: int) -> None:
        if not self.current(task, ready, now):
            task.note["used"] = 0

    def ran(self, task: Task, ran: int, now: int) -> None:
        task.note["v"] += ran
        task.note["used"] += ran
        task.note["stopped"] = now


class Eevdf(Policy):
    last = 0

    def __init__(self, cpus: int, quantum: int) -> None:
        super().__init__(cpus, quantum)
        self.active: list[Task] = []

    def arrives(self, task: Task, ready: list[Task], now: int) -> None:
        v = sum(t.note["v"] for t in self.active) // len(self.active) if self.active else self.last
        task.note.update(v=v, deadline=v + self.quantum, turn=self.turn())
        self.active.append(task)

    def order(self, task: Task, ready: list[Task], now: int) -> Any:
        ahead = task.note["v"] * len(self.active) > sum(t.note["v"] for t in self.active)
        return ahead, task.note["deadline"], task.note["turn"]

    def ran(self, task: Task, ran: int, now: int) -> None:
        task.note["v"] += ran
        if task.note["v"] >= task.note["deadline"]:
            task.note["deadline"] = task.note["v"] + self.quantum

    def done(self, task: Task, ran: int) -> None:
        self.last = task.note["v"] + ran
        self.active.remove(task)


POLICIES: dict[str, Callable[[int, int], Policy]] = {
    "fcfs": Policy,
    "rr": RoundRobin,
    "las": Las,
    "sjf": Sjf,
    "hrrn": Hrrn,
    "mlfq": Mlfq,
    "cfs": Cfs,
    "eevdf": Eevdf,
    "srpt": Srpt,
}


def simulate(
    jobs: list[Job],
    splits: Iterable[tuple[int, int]],
    policy: Policy,
    *,
    tick: int,
    quantum: int,
    switch: int,
    bound: int,
) -> list[list[tuple[int, int]]]:
    """
    @param splits: from and to, by job.
    @return: for each split, of each job in order: its wait and its bounded slowdown in thousandths.
    """
    now, results = 0, []
    for start, end in splits:
        shift = max(0, now - jobs[start].arrival)
        coming = [Task(i, jobs[i], jobs[i].arrival + shift, jobs[i].run) for i in range(start, end)]
        ready: list[Task] = []
        result: dict[int, tuple[int, int]] = {}
        while coming or ready:
            if not ready:
                now = coming[0].arrived
            while coming and coming[0].arrived <= now:
                task = coming.pop(0)
                policy.arrives(task, ready, now)
                ready.append(task)
            policy.decides(ready, now)
            picked: list[Task] = []
            while len(picked) < min(policy.cpus, len(ready)):
                left = [task for task in ready if task not in picked]
                task = min(left, key=lambda task: policy.order(task, ready, now))
                policy.picked(task, ready, now)
                picked.append(task)
            steps = [coming[0].arrived - now] if coming else []
            for task in ready:
                if task in picked and not task.wasRunning:
                    task.debt = switch
                task.wasRunning = task in picked
            for task in picked:
                timer = max(tick, min(quantum, task.attained // 8))
                most = task.left if len(ready) == len(picked) else min(task.left, timer)
                steps.append(task.debt + most)
            step = min(steps)
            now += step
            for task in picked:
                paid = min(task.debt, step)
                task.debt -= paid
                ran = step - paid
                task.left -= ran
                if task.left:
                    policy.ran(task, ran, now)
                else:
                    ready.remove(task)
                    policy.done(task, ran)
                    response = now - task.arrived
                    slowdown = max(1000, response * 1000 // max(task.job.run, bound))
                    result[task.number] = (response - task.job.run, slowdown)
        results.append([result[i] for i in range(start, end)])
    return results
