"""
Work of a session: four steps that end in a component, or in a reason why there is none.

Build, measure, improve, measure again; each type of session has its own route.

  - C{feature_development}: the partner builds for the initiator's task, with the initiator's patterns and its confirmed
    components first; on the likest trace by these patterns where it hasn't that one.
  - C{cross_specialization}: each of the two translates the other's expressions to a bench of its own, breeds from them
    there, and shares what wins there: the partner completes the session by it, the initiator adds to it.
  - C{performance_optimization}: the partner makes the initiator's component cheaper.

What is sent is better than all that was known for its task to whoever made it: of a cross specialization than all rank
functions.  The transcript tells what that was, each step, and what is sent.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IReactorTime

from kernelnet.artifacts import Component, Hint, PerformanceReport, Verdict
from kernelnet.interfaces import ILocalTrainer, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.trace_matching import patternsIn
from kernelnet.message import CollaborationType, SessionStep
from kernelnet.plugins import available
from kernelnet.trainer.collaboration.expression_hints import MAX_HINTS, hintsIn, hintsOf
from kernelnet.trainer.collaboration.session_state import Session, fuelOf, onTask, stepOf, taskText
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent
from kernelnet.trainer.work.goal_builder import MAX_BLOCKS, MAX_PATTERNS
from kernelnet.trainer.work.verification import Verification
from kernelnet.workbench.abi import rankAbiOf
from kernelnet.workbench.errors import Unmeasurable

__all__ = ["STEP_SECONDS", "Advance", "NoResult", "SessionWork"]

STEP_SECONDS = 4.0
"""Seconds that each of a session's two searches may take."""

CROSS_SECONDS = 8.0
"""The same of a cross specialization: rank functions of page caches take some 500 evaluations to pass the guard."""

MAX_PARENTS = 4
"""Maximum number of components of each of the two that are begun with; a transcript names them all."""

_CROSS = CollaborationType.CROSS_SPECIALIZATION
_CHEAPER = CollaborationType.PERFORMANCE_OPTIMIZATION


Advance = Callable[[list[SessionStep]], Awaitable[None]]
"""Is told all steps that were done so far, after each of them; its result is awaited."""


class NoResult(Exception):
    """The session can't be worked on, or came to nothing; the text says why, for the other side."""


class SessionWork:
    """
    The work of one session, once.

    @param aiId: who does it.
    @param turn: a number of which each session has another, by which home tasks take turns.
    """

    def __init__(
        self,
        session: Session,
        advance: Advance,
        turn: int,
        *,
        aiId: str,
        local: ILocalTrainer,
        knowledge: KnowledgeBase,
        verification: Verification,
        clock: IReactorTime,
    ) -> None:
        self._aiId = aiId
        self._local = local
        self._knowledge = knowledge
        self._verification = verification
        self._clock = clock
        self._turn = turn
        self._session = session
        self._advance = advance
        self._steps: list[SessionStep] = []
        self._known = set(knowledge.components)
        # An initiator's requirements are what it told itself.
        self._given = session.requirements if session.role == "partner" else {}
        self._home, self._abi, self._requirements = "", "", dict(self._given)
        self._hints: list[Hint] = []
        self._asked: Component | None = None
        self._levels: dict[str, float | None] = {}

    async def result(self) -> tuple[Component, float | None]:
        """
        Do it.

        @return: what is to be sent, of which the last step tells; and its level on validation, as measured here.
        @raise NoResult: there is nothing worth sending.
        """
        try:
            await self._prepare()
            first = await self._measured(await self._built("build", None))
            second = await self._measured(await self._built("improve", first))
        except Unmeasurable as error:
            raise NoResult(f"can't: {error}") from None
        best = self._best(first, second)
        report = best.manifest
        descent = report.parents if report is not None else []
        given = [hint for hint in self._hints if hint.component in descent]
        note = "" if given or not self._hints else "descends from none of the expressions that were given"
        await self._done(stepOf(self._aiId, "send", best, hints=given, note=note))
        return best, self._levels.get(best.digest)

    # -- before

    async def _prepare(self) -> None:
        session = self._session
        if session.type is _CHEAPER and "component" in session.requirements:
            self._asked = await self._confirmed(str(session.requirements["component"]))
            await self._done(stepOf(session.peer, "start", self._asked, verdict=Verdict.CONFIRMED.value))
        elif session.type is _CROSS:
            theirs = self._theirBench()
            self._home = next((name for name in self._local.workbenches if name != theirs), "")
            if not self._home:
                return  # two of one bench: their components are crossed as they are
            installed = {bench.name: bench for bench in available(IWorkbench)}
            abi = rankAbiOf(installed.get(self._home))
            if abi is None:
                raise NoResult(f"{self._home} has no rank functions that an expression could be translated to")
            self._hints = [hint for hint in await self._theirHints() if hint.workbench != self._home][:MAX_HINTS]
            if not self._hints:
                raise NoResult(f"there is no expression of {session.peer}'s yet that could be translated")
            self._abi = abi.identifier
            self._requirements = {"workbench": self._home, "abi": abi.identifier, **self._homeTask(abi.identifier)}

    async def _theirHints(self) -> list[Hint]:
        """
        Expressions of the peer's components that were confirmed here, and of those that came with the invitation.

        What is bred from them names them as its parents, so what is unmeasured is measured first; of what is not known
        here, or isn't confirmed, nothing is taken, nor what the invitation says of an expression's text.
        """
        given = [hint.component for hint in hintsIn(self._given, self._session.peer) if hint.workbench != self._home]
        for digest in given:
            with suppress(NoResult):
                await self._confirmed(digest)
        usable = self._knowledge.usable()
        return hintsOf(k for k in usable if k.source == self._session.peer or k.component.digest in given)

    def _homeTask(self, abi: str) -> dict[str, Any]:
        """A task at home for which no rank function is known yet, in each session another one; else any."""
        ranked = [known for known in self._knowledge.usable(self._home) if _abiOf(known) == abi]
        tasks = [
            {"trace_digest": task.trace_digest, "settings": task.settings}
            for task in self._local.tasks()
            if task.workbench == self._home
        ]
        unknown = [task for task in tasks if not onTask(ranked, task)]
        return unknown[self._turn % len(unknown)] if unknown else {}

    def _theirBench(self) -> str:
        info = self._knowledge.ais.get(self._session.peer)
        theirs = next(iter(info.workbenches if info is not None else []), "")
        return str(self._given.get("workbench", theirs))

    async def _confirmed(self, digest: str) -> Component:
        """A component that is to be built upon, if its claim is true."""
        known = self._knowledge.components.get(digest)
        if known is None:
            raise NoResult(f"the component {digest[:10]} is not known here")
        if await self._verification.verify(known) is not Verdict.CONFIRMED:
            raise NoResult(f"{known.id} was not confirmed here")
        return known.component

    # -- the steps

    async def _done(self, step: SessionStep) -> None:
        self._steps.append(step)
        await self._advance(self._steps)

    async def _built(self, what: str, first: Component | None) -> Component | None:
        goal, began = self._goal(first), self._clock.seconds()
        component = await self._local.build(goal)
        report = component.claim if component is not None else None
        note = ""
        if report is not None and self._session.type is CollaborationType.FEATURE_DEVELOPMENT:
            asked = self._session.requirements.get("trace_digest")
            if asked not in (None, report.trace_digest):
                note = "on the trace here whose patterns are most like those that were told"
        step = stepOf(
            self._aiId,
            what,
            component,
            objective=goal.objective,
            parents=[parent.digest for parent in goal.parents],
            hints=self._hints,
            note=note,
            seconds=round(self._clock.seconds() - began, 3),
        )
        await self._done(step)
        return component

    async def _measured(self, component: Component | None) -> Component | None:
        """C{component} if measuring it again, from its bytes alone, gives what was claimed."""
        began, verdict = self._clock.seconds(), None
        if component is not None:
            report = await self._local.remeasure(component)
            verdict = report.verdict
            self._levels[component.digest] = report.validationLevel
            self._compare(component, report)
        told = verdict.value if verdict is not None else ""
        seconds = round(self._clock.seconds() - began, 3)
        await self._done(stepOf(self._aiId, "measure", component, verdict=told, seconds=seconds))
        return component if verdict is Verdict.CONFIRMED else None

    def _compare(self, component: Component, report: PerformanceReport) -> None:
        """The transcript begins with what was there before: the best known component, else the best hand-made one."""
        ours = component.claim
        if ours is None or any(step.what == "start" for step in self._steps):
            return
        rival = next(iter(self._rivals(component)), None)
        told = report.figures
        name, level = told.get("best_in_hindsight"), told.get("best_in_hindsight_level")
        if rival is not None:
            step = stepOf(rival.source, "start", rival.component, note="the best that was known")
        elif isinstance(name, str) and isinstance(level, float):
            step = SessionStep(
                by=self._aiId,
                what="start",
                task=taskText(ours.workbench, ours.trace, ours.settings),
                note=f"{name}, hand-made, best in hindsight"[:256],
                level=level,
            )
        else:
            return
        self._steps.insert(0, step)

    def _goal(self, first: Component | None) -> Goal:
        """@param first: what the first search of the session found, for the second to improve on."""
        session, knowledge = self._session, self._knowledge
        parents = [first] if first is not None else []
        goal = Goal(
            feature=self._home or str(session.requirements.get("feature", "")),
            seconds=CROSS_SECONDS if self._home else STEP_SECONDS,
            requirements=self._requirements,
        )
        if session.type is _CHEAPER:
            # the same score with less fuel; if there is nothing to start from, the first search makes it
            goal.parents = [*parents, *([self._asked] if self._asked is not None else [])]
            goal.objective = "fuel" if goal.parents else "score"
            return goal
        if first is not None and (report := first.claim) is not None:
            # Improving is on the task that it was built for, whatever was asked for.
            task = {"workbench": report.workbench, "trace_digest": report.trace_digest, "settings": report.settings}
            goal.requirements = {**goal.requirements, **task}
        theirs = self._bestOf(knowledge.usable(), session.peer)
        goal.parents = [*parents, *theirs]
        goal.patterns = _unique([*patternsIn(self._given), *_firstFrom(session.peer, knowledge.patterns.items())])[
            :MAX_PATTERNS
        ]
        if session.type is _CROSS:
            goal.hints = self._hints
            goal.blocks = _firstFrom(session.peer, knowledge.blocks.items())[:MAX_BLOCKS]
            # what is bred with hints is of their kind
            own = [k for k in knowledge.usable(self._home or None) if not self._home or _abiOf(k) == self._abi]
            goal.parents = [*parents, *self._bestOf(own, self._aiId), *([] if self._home else theirs)]
        return goal

    def _bestOf(self, usable: Iterable[KnownComponent], source: str) -> list[Component]:
        """The best of one author, those for the task that was asked for first."""
        theirs = [known for known in usable if known.source == source]
        there = onTask(theirs, self._requirements)
        return [known.component for known in [*there, *(k for k in theirs if k not in there)]][:MAX_PARENTS]

    # -- what comes of it

    def _rivals(self, component: Component) -> list[KnownComponent]:
        """Components to build upon for the task that one is for, best first; of a cross specialization of its ABI."""
        report, manifest = component.claim, component.manifest
        if report is None or manifest is None:
            return []
        task = {"trace_digest": report.trace_digest, "settings": report.settings}
        found = onTask(self._knowledge.usable(report.workbench), task)
        return [known for known in found if not self._home or _abiOf(known) == manifest.abi]

    def _best(self, first: Component | None, second: Component | None) -> Component:
        """The better result of the two searches, which is sent; one that was known before the session is none."""
        found = [c for c in (second, first) if c is not None and c.digest not in self._known]
        if not found and self._session.type is not _CHEAPER:
            raise NoResult("nothing better was found that passes the guard")
        if self._session.type is _CHEAPER:
            rival = self._asked or first
            cheaper = [c for c in found if rival is not None and self._isCheaper(c, rival, found)]
            if not found or (not cheaper and self._asked is not None):
                raise NoResult("nothing was found that does the same with less fuel")
            return min(cheaper or found[-1:], key=fuelOf)
        best = max(found, key=self._level)
        known = next(iter(self._rivals(best)), None)
        if known is not None and known.level is not None and self._level(best) <= known.level:
            words = f"{known.id}, which has a level of {known.level:.3f} on validation"
            raise NoResult(f"nothing better was found than {words}")
        return best

    def _level(self, component: Component) -> float:
        """Its level on validation, as measured here."""
        level = self._levels.get(component.digest)
        known = self._knowledge.components.get(component.digest)
        if level is None and known is not None:
            level = known.level
        return level if level is not None else -math.inf

    def _isCheaper(self, component: Component, rival: Component, found: list[Component]) -> bool:
        """
        Whether a component takes less fuel on validation than another, and is no worse there.

        What descends from it for less fuel was compared by the guard, on the same variants of the trace.
        """
        parents = component.manifest.parents[:1] if component.manifest is not None else []
        if rival.digest in parents:
            return True
        if any(c.digest in parents and c is not component and self._isCheaper(c, rival, []) for c in found):
            return True
        return self._level(component) >= self._level(rival) and fuelOf(component) < fuelOf(rival)


def _abiOf(known: KnownComponent) -> str:
    return known.component.manifest.abi if known.component.manifest is not None else ""


def _firstFrom(source: str, items: Iterable[tuple[tuple[str, str], Any]]) -> list[Any]:
    """The values, those of C{source} first."""
    return [value for key, value in sorted(items, key=lambda item: item[0][0] != source)]


def _unique(patterns: Iterable[Any]) -> list[Any]:
    """One pattern of each id, the first."""
    found: dict[str, Any] = {}
    for pattern in patterns:
        found.setdefault(pattern.id, pattern)
    return list(found.values())
