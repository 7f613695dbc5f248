"""C{kernelnet demo}: a hub and trainers as processes of their own, started as a user would, and a verdict."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.live import Live

from kernelnet.artifacts import TaskDescription
from kernelnet.cli.demo_fields import Fields, acrossLine, fieldsInOrder, firstConfirmed, withoutAny
from kernelnet.cli.demo_hubs import Hubs, Nodes, OneHub
from kernelnet.cli.demo_processes import DemoError, Processes, program
from kernelnet.cli.demo_progress import progressLine, progressTable
from kernelnet.cli.hub_data import StoredData, hubData
from kernelnet.cli.outcome_table import printDetails, printOutcome
from kernelnet.cli.outcomes import Outcome, outcomes
from kernelnet.cli.progress import progress
from kernelnet.cli.report import writeReport
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.hub.admin import control_client
from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.tasks import EVERYWHERE, FALLBACK
from kernelnet.plugins import available, find
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["Demo", "DemoError"]

MINUTES = 2.0
MOST_MINUTES = 5.0
"""Minutes that it lasts by default, and that it may last until something is confirmed in each field."""

BESIDE_AGENT = ("process_manager", "general", "graphics")
"""
The same beside an agent: none complements another, so they decline each other's third invitation, and the
agent, who takes longer to answer, has some left.
"""

AGENT = "AGENT"

TRACED = FALLBACK
"""The workbench of the traces that a user gives."""

TRAINER_ENDS = 45.0
LINE_EVERY = 15.0
"""Seconds between two lines without a terminal."""

FIELDS_EVERY = 2.0
"""Seconds between two looks at what is confirmed in each field."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, C{kill}, and a terminal that is closed: the hub would run on for ever."""


class Demo:
    """
    @param minutes: to the second; C{None}: `MINUTES`, and until others have confirmed something in each field, at most
        `MOST_MINUTES`.
    @param traces: absolute paths; empty: the traces that ship.
    @param keep: the state directory to use; it must be new or empty.
    @param details: print every component and collaboration, too.
    @param agent: have an agent by script among them.
    @param nodes: number of hubs; more than one share a PostgreSQL of the demo's own, and one is killed in the middle.
    """

    def __init__(
        self,
        minutes: float | None,
        traces: list[Path],
        trainers: int,
        keep: Path | None,
        details: bool = False,
        *,
        agent: bool = False,
        nodes: int = 1,
    ) -> None:
        if agent and importlib.util.find_spec("mcp") is None:
            raise DemoError("--agent needs mcp: pip install 'kernelnet[mcp]'")
        try:
            for trace in traces:
                find(IWorkbench, TRACED, "workbench").scenario(trace, {})
        except WorkbenchError as e:
            raise DemoError(str(e)) from None
        self.minutes = MINUTES if minutes is None else minutes
        self.details = details
        self.traces = traces
        self.ais = [f"AI_{i + 1}" for i in range(trainers)]
        self.agent = agent
        # One trainer alone has no peer who could confirm anything.
        self.most = MOST_MINUTES if minutes is None and trainers > 1 else self.minutes
        fields = BESIDE_AGENT if agent else fieldsInOrder()
        self.specializations = {aiId: fields[i % len(fields)] for i, aiId in enumerate(self.ais)}
        self._fields = Fields({bench.name: bench for bench in available(IWorkbench)})
        if keep is None:
            keep = Path(tempfile.mkdtemp(prefix="kernelnet-demo-"))
        elif keep.exists() and any(keep.iterdir()):
            raise DemoError(f"{keep} is not empty: --keep takes a new folder")
        self.state = StateDirectory(keep)
        self.console = plainConsole()
        self._processes = Processes(keep, self._uninterrupted)
        self._hubs: Hubs = (
            Nodes(self.state, self._processes, nodes) if nodes > 1 else OneHub(self.state, self._processes)
        )
        self._began = datetime.now(UTC)
        self._first: float | None = None
        self._looked = 0.0
        self._asked: int | None = None
        self._mustFinish = False

    def run(self) -> int:
        """
        Call it from the main thread, once.

        @return: the exit code: 0 if a peer confirmed a component that beats the reference policy, 128 and its number
            after a signal.
        """
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # such as under nohup
                signal.signal(number, self._interrupt)
        self._began = datetime.now(UTC)
        try:
            self.state.open()
            self._hubs.start()
            self._perhapsEnd()
            watch = self._hubs.dashboard()
            self.console.print(f"watch it in a browser (this address works once): {watch}", soft_wrap=True)
            for i, (aiId, specialization) in enumerate(self.specializations.items()):
                self._startTrainer(aiId, specialization, i)
            if self.agent:
                self._startAgent()
            self._watch()
            ended = self._stop()
            self._perhapsEnd()
            return self._report(ended)
        except KeyboardInterrupt:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self.console.print("\nstopping …")
            with contextlib.suppress(DatabaseError):  # it may never have begun
                self._stop()
            with contextlib.suppress(OSError):
                self.console.print(f"stopped; database and logs: {self.state.path}", soft_wrap=True)
            return 128 + (self._asked or signal.SIGINT)
        except (IdentityError, control_client.ControlError, WorkbenchError, DatabaseError) as e:
            raise DemoError(f"{e} (logs: {self.state.path})") from None
        finally:
            with self._uninterrupted():
                self._processes.stop([*self.ais, AGENT])
                self._hubs.close()

    # -- signals

    def _interrupt(self, number: int, frame: object) -> None:
        first, self._asked = self._asked is None, number
        if first and not self._mustFinish:
            raise KeyboardInterrupt

    def _perhapsEnd(self) -> None:
        if self._asked is not None:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """A signal does not break off what is within: no process may start unnoticed, or be left while it ends."""
        before, self._mustFinish = self._mustFinish, True
        try:
            yield
        finally:
            self._mustFinish = before

    # -- processes

    def _startTrainer(self, aiId: str, specialization: str, turn: int) -> None:
        arguments = [program("twistd"), "-n", "kerneltrainer", "--id", aiId, "--specialization", specialization]
        arguments += ["--state", str(self.state.path), "--minutes", str(self.most)]
        first = turn % len(self._hubs.addresses)
        for address in (*self._hubs.addresses[first:], *self._hubs.addresses[:first]):
            arguments += ["--hub", address]
        for trace in self.traces:
            arguments += ["--workbench", TRACED, "--trace", str(trace)]
        self._start(aiId, *arguments)

    def _startAgent(self) -> None:
        where = ["--state", str(self.state.path), "--hub", self._hubs.addresses[0], "--id", AGENT]
        serve = [program("kernelnet"), "mcp", *where, "--specialization", TRACED]
        for trace in self.traces:
            serve += ["--trace", str(trace)]
        told = ["--seconds", str(self.minutes * 60), "--steps", str(self._steps)]
        self._start(AGENT, sys.executable, "-m", "kernelnet.cli.demo_agent", *told, "--", *serve)

    def _start(self, name: str, *command: str) -> None:
        self._processes.start(name, *command)
        self._perhapsEnd()

    @property
    def _steps(self) -> Path:
        return self.state.path / f"{AGENT}.steps"

    def _stop(self) -> list[str]:
        """End the trainers first, side by side, then the hubs, which so get their last words."""
        self._processes.stop([*self.ais, AGENT])
        with self._uninterrupted():
            return self._hubs.stop(self.ais)

    # -- what is shown

    def _progress(self) -> list[dict[str, Any]]:
        found = []
        for aiId in self.ais:
            try:
                found.append(json.loads((self.state.path / "trainers" / aiId / "progress.json").read_text()))
            except (OSError, ValueError):
                found.append({"ai_id": aiId})
        return found

    def _watch(self) -> None:
        """Show how it goes until the trainers have ended."""
        total, most = self.minutes * 60, self.most * 60
        began = time.monotonic()
        until = began + most
        benches = {bench.name: bench for bench in available(IWorkbench)}
        longer = f", and on until each field has a confirmed component, {self.most:g} at most" if most > total else ""
        self.console.print(
            f"{len(self.ais)} trainers work for {self.minutes:g} minutes{longer}; database and logs: {self.state.path}",
            soft_wrap=True,
        )
        if self.console.is_terminal:
            with Live(console=self.console, refresh_per_second=2, transient=True) as live:
                while self._running(until):
                    left, of = self._left(began)
                    live.update(progressTable(self._progress(), benches, left, of, self.console.width))
                    time.sleep(0.5)
            return
        shown = 0.0
        while self._running(until):
            if time.monotonic() - shown >= LINE_EVERY:
                shown = time.monotonic()
                print(progressLine(self._progress(), benches, self._left(began)[0]), flush=True)
            time.sleep(0.5)

    def _left(self, began: float) -> tuple[float, float]:
        """Seconds that it lasts yet, of how many; once its time is over, of what it may last for the fields' sake."""
        gone = time.monotonic() - began
        total = self.minutes * 60
        if gone >= total and self.most > self.minutes:
            total = self.most * 60
        return total - gone, total

    def _running(self, until: float) -> bool:
        self._tellFirst()
        enough = until - 60 * (self.most - self.minutes)
        for line in self._hubs.look(time.monotonic(), enough):
            self.console.print(line, soft_wrap=True)
        self._processes.check()
        if self._processes.haveEnded(self.ais):
            return False
        now = time.monotonic()
        if now - self._looked >= FIELDS_EVERY:
            self._looked = now
            self._lookAtFields()
        if self.most > self.minutes and now > enough and self._areAllConfirmed():
            return False
        if now > until + TRAINER_ENDS:
            raise DemoError(f"a trainer did not end: see the logs in {self.state.path}")
        return True

    def _lookAtFields(self) -> None:
        with contextlib.suppress(DatabaseBusy), databaseOf(self.state.path).reading() as reader:
            seconds = (datetime.now(UTC) - self._began).total_seconds()
            self._fields.update(self._progress(), StoredData(reader, "the demo"), seconds)

    def _areAllConfirmed(self) -> bool:
        return self._fields.areAll(sum(name not in EVERYWHERE for name in self.specializations.values()))

    def _tellFirst(self) -> None:
        """Say so when the first component has been confirmed, once."""
        if self._first is not None:
            return
        with contextlib.suppress(DatabaseBusy):  # the hub is busy with it: there is another time
            found = firstConfirmed(self.state.path)
            if found is not None:
                at, component, by = found
                self._first = (at - self._began).total_seconds()
                self.console.print(
                    f"{self._first:.1f} s after the start {by} confirmed {plain(component)} on held-out data: the first"
                    " component that a second AI has measured",
                    soft_wrap=True,
                )

    def _report(self, ended: Sequence[str]) -> int:
        """@param ended: lines on the hubs."""
        with hubData(str(self.state.path)) as data, progress() as tell:
            tasks = self._tasks()
            found = outcomes(data, tasks, self.traces, tell=lambda done, total: tell("measuring", done, total))
            completed = data.completed()
        page, *_ = writeReport(self.state.path / "report.md", found, completed, source="a demo", first=self._first)
        if self.details:
            printDetails(self.console, found, completed)
        self.console.print()
        printOutcome(self.console, found, self._first)
        for line in filter(None, (self._fields.line(), acrossLine(completed, self.specializations))):
            self.console.print(line, soft_wrap=True)
        if self.agent:
            self._printAgent()
        good = [one for one in found if one.level is not None and one.level > 0]
        if len(self.ais) == 1:
            self.console.print("One trainer has no peer that could confirm its components: use --trainers 2.")
        elif not good:
            self.console.print(
                "Nothing that beats the reference is confirmed: give it more --minutes, or another trace."
            )
        for line in withoutAny(found) if good else ():
            self.console.print(line, soft_wrap=True)
        for line in ended:
            self.console.print(line, soft_wrap=True)
        self.console.print()
        for line in self._next(found, page):
            self.console.print(line, soft_wrap=True)
        return 0 if good else 1

    def _printAgent(self) -> None:
        """Say what the agent did, and what came of each step."""
        lines = self._steps.read_text().splitlines() if self._steps.exists() else []
        rows = [(f"{one['at']:.0f}", one["what"], plain(one["came"], 400)) for one in map(json.loads, lines)]
        self.console.print(f"\nThe agent {AGENT} by its tools (a script; log: {self.state.path / AGENT}.log):")
        printRows((Column("after s", right=True), Column("what it did"), Column("what came of it", least=20)), rows)

    def _tasks(self) -> list[TaskDescription]:
        """All that the trainers worked on, whether they found anything or not."""
        found: dict[str, TaskDescription] = {}
        for one in self._progress():
            for task in one.get("tasks", ()):
                with contextlib.suppress(msgspec.ValidationError):
                    found.setdefault(json.dumps(task, sort_keys=True), msgspec.convert(task, TaskDescription))
        return list(found.values())

    def _next(self, found: list[Outcome], page: Path) -> list[str]:
        """Three commands, and what each is good for."""
        best = max((one for one in found if one.best is not None), key=lambda one: one.gain or -1e9, default=None)
        state, bench = shlex.quote(str(self.state.path)), TRACED
        commands = [("all that was measured, with pictures", f"less {shlex.quote(str(page))}")]
        if best is not None and best.best is not None:
            bench, digest = best.workbench, best.best.digest[:12]
            export = f"kernelnet components export {digest} --state {state}"
            commands.append(("the C source of the greatest gain", export))
        else:
            commands.append(("what was shared", f"kernelnet components list --state {state}"))
        commands.append(("on a trace of your own", f"kernelnet bench train {bench} --trace FILE --out policy.c"))
        return [f"# {words}\n{command}" for words, command in commands]
