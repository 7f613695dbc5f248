"""Blocking part of the tools that need no hub: sources become drafts, which are measured, tuned, judged, exported."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernelnet.artifacts import Component
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import exportTo
from kernelnet.interfaces import IExporter, IScenario, IWorkbench
from kernelnet.learning.tasks import bestKnown
from kernelnet.mcp import measurements, tuning
from kernelnet.mcp.account import WorkAccount
from kernelnet.mcp.errors import AgentError
from kernelnet.mcp.folder import AgentFolder, Draft
from kernelnet.mcp.jobs import Work
from kernelnet.mcp.submission import Guard
from kernelnet.mcp.tasks import NamedTask, TaskFacts, TaskList
from kernelnet.plugins import PluginError, find
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError, WorkbenchError
from kernelnet.workbench.suite import Suite

__all__ = ["Compiled", "Exported", "TaskLine", "Workshop", "Written"]

MAX_TRAIN = 64 << 20
"""Bytes of the training part that is written as text."""


@dataclass(frozen=True)
class TaskLine:
    """A task in a line; C{best_hand_made} is known once the task was looked at."""

    task: str
    workbench: str
    trace: str
    settings: dict[str, int]
    events: dict[str, int]
    submissions_left: int


@dataclass(frozen=True)
class Compiled:
    """A source that compiles; other tools take the name C{draft} in its place."""

    draft: str
    module_bytes: int
    abi: str


@dataclass(frozen=True)
class Written:
    """Files in the agent's folder."""

    files: list[str]
    words: str


@dataclass(frozen=True)
class Exported:
    """A component outside of kernelnet; C{folder} is in the agent's own."""

    folder: str
    files: list[str]
    manifest: dict[str, Any]


class Workshop:
    """
    All of its methods but C{known} are for worker threads.

    @ivar confirmed: components that may be built upon, best first, as a hub's peer knows them; empty without a hub.
    @ivar account: of what was measured.
    @ivar refresh: brings these up to date; called in the loop's thread.
    """

    def __init__(self, tasks: TaskList, folder: AgentFolder, author: str) -> None:
        self.tasks = tasks
        self.folder = folder
        self.guard = Guard(folder, author, self.known)
        self.confirmed: Sequence[Component] = ()
        self.refresh: Callable[[], None] = lambda: None
        self.account = WorkAccount()

    def known(self, scenario: IScenario) -> Component | None:
        """The best component for a task: of those that were confirmed here, else our own last one."""
        return bestKnown(scenario, self.confirmed) or bestKnown(scenario, self.folder.components())

    def parents(self, given: Sequence[str]) -> tuple[str, ...]:
        """
        Digests of components that a policy is built on.

        @param given: digests, or their beginnings.
        @raise AgentError: one is no component that may be built upon.
        """
        digests = {component.digest for component in (*self.confirmed, *self.folder.components())}
        found = []
        for one in given:
            fitting = [digest for digest in digests if len(one) >= 6 and digest.startswith(one)]
            if len(fitting) != 1:
                raise AgentError(
                    f"built_on: {len(fitting)} components that you may build upon, which are your own and those that"
                    f" were confirmed here, have the digest {one[:64]!r}: give 6 digits of it at least"
                )
            found.append(fitting[0])
        return tuple(dict.fromkeys(found))

    def lines(self, work: Work) -> list[TaskLine]:
        """All tasks."""
        found = []
        for task in self.tasks.all():
            work.look()
            scenario = task.open()
            events = {split: scenario.events[split] for split in ("train", "validation")}
            left = self.guard.left(task.name)
            found.append(TaskLine(task.name, task.bench.name, scenario.trace, dict(scenario.settings), events, left))
        return found

    def facts(self, name: str, sources: Sequence[str] | None, header: bool) -> TaskFacts:
        """All that there is to know of a task, and the best component for it."""
        facts = self.tasks.facts(name, sources, header)
        scenario = self.tasks.find(name).open()
        best = self.known(scenario)
        if best is None:
            return facts
        told = {"id": best.id, "digest": best.digest, **self._levels(scenario, best)}
        return replace(facts, best_known=[told])

    def _levels(self, scenario: IScenario, component: Component) -> dict[str, float]:
        try:
            report = scenario.measure(component.wasm, upTo="validation")
        except ComponentError:
            return {}
        return {
            f"{split}_level": round(scenario.developmentLevel(report, split), 4) for split in ("train", "validation")
        }

    # -- drafts

    def draft(self, task: NamedTask, given: str) -> Draft:
        """
        A source, or a draft that it names, compiled in the jail.

        @raise AgentError: it is none.
        @raise kernelnet.workbench.errors.WorkbenchError: with the compiler's message, or what the module lacks.
        """
        source = self.folder.source(given)
        wasm = compileC(source, task.bench.headerPath)
        task.bench.abiOf(wasm)
        return self.folder.keep(source, wasm)

    def compiled(self, task: str, given: str) -> Compiled:
        """See `draft`."""
        found = self.tasks.find(task)
        draft = self.draft(found, given)
        return Compiled(draft.name, len(draft.wasm), found.bench.abiOf(draft.wasm).identifier)

    def policy(self, task: NamedTask, given: str) -> Draft:
        """A draft, or by its name one of the hand-made policies; for comparisons."""
        name = given.strip()
        if name in task.bench.baselineNames:
            return Draft(name, task.bench.baselineSource(name), task.bench.baselineModule(name))
        return self.draft(task, given)

    def measure(self, task: str, given: str, work: Work) -> measurements.Measured:
        found = self.tasks.find(task)
        draft = self.policy(found, given)
        try:
            measured = measurements.measure(found, draft, work)
            self.account.add(found.open(), 1, measured.train.level, measured.validation.level)
            return measured
        except ComponentError as error:
            where = f"explain_failure of {draft.name} says at which event, in which function"
            raise AgentError(f"{type(error).__name__}: {error}; {where}") from None

    def compare(self, task: str, a: str, b: str, split: str, work: Work) -> measurements.Compared:
        found = self.tasks.find(task)
        return measurements.compare(found, self.policy(found, a), self.policy(found, b), split, work)

    def explain(self, task: str, given: str, work: Work) -> measurements.Explained:
        found = self.tasks.find(task)
        return measurements.explain(found, self.policy(found, given), work)

    def tune(self, task: str, given: str, work: Work, **options: Any) -> tuning.Tuned:
        """@param options: see `tuning.tune`."""
        found = self.tasks.find(task)
        tuned, baked = tuning.tune(found, self.draft(found, given), work, **options)
        self.account.add(found.open(), tuned.evaluations, tuned.after.train, tuned.after.validation)
        return replace(tuned, draft=self.folder.keep(baked.source, baked.wasm).name)

    # -- files

    def trainPart(self, name: str, work: Work) -> Written:
        """Write the training part of a task's traces as tables into the agent's folder."""
        scenario = self.tasks.find(name).open()
        files = []
        for part in scenario.parts if isinstance(scenario, Suite) else [scenario]:
            columns = dict(part.trainColumns()) if isinstance(part, BaseScenario) else {}
            if not columns:
                raise AgentError(f"the workbench {part.workbench.name} has no table of its training part")
            work.look()
            path = self.folder.place("train", f"{part.workbench.name}-{part.trace}.csv")
            rows = np.stack([np.asarray(column) for column in columns.values()], axis=1)
            most = MAX_TRAIN // (11 * len(columns))
            with path.open("w", encoding="ascii") as file:
                file.write(",".join(columns) + "\n")
                np.savetxt(file, rows[:most], fmt="%d", delimiter=",")
            files.append(str(path))
        return Written(files, "the training part alone, a line an event")

    def export(self, target: str, wasm: bytes, bench: IWorkbench) -> Exported:
        """
        Write what a real system runs into the agent's folder.

        @raise AgentError: it can't be made.
        """
        try:
            exporter = find(IExporter, target, "exporter")
            digest = hashlib.sha256(wasm).hexdigest()
            folder = self.folder.place("exports", f"{target}-{digest[:12]}")
            manifest = exportTo(folder, exporter, wasm, bench.abiOf(wasm), {"source": "an agent's"})
        except (PluginError, ExportError, WorkbenchError) as error:
            raise AgentError(str(error)) from None
        return Exported(str(folder), sorted(path.name for path in folder.iterdir()), manifest)
