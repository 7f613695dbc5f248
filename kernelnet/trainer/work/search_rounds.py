"""Rounds of a trainer's own search: what beats all that it knows is shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import task
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import CodeBlock, Component
from kernelnet.expressions.syntax import textIn
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.goal import Goal
from kernelnet.learning.task_similarity import taskOf
from kernelnet.message import ComponentShare
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.feature_requests import FeatureAsking
from kernelnet.trainer.work.goal_builder import GoalBuilder
from kernelnet.trainer.work.publication import Publisher
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import Unmeasurable

__all__ = ["ROUND_SECONDS", "SearchRounds"]

ROUND_SECONDS = 8.0
"""Seconds that one round takes."""

LEAST_SECONDS = 1.0
"""Seconds that a round without a result takes at least: a generator that has nothing to offer must not spin."""


class SearchRounds:
    """
    The own search of one trainer.

    @ivar rounds: number of rounds of this run.
    @ivar built: number of components of this run that were better than all that was known.

    @param asking: asks the peers when the search has stalled.
    @param isRunning: whether the trainer is; a search that was cut short by its end says nothing.
    """

    log = Logger()

    def __init__(
        self,
        *,
        specialization: str,
        local: ILocalTrainer,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        goals: GoalBuilder,
        publisher: Publisher,
        asking: FeatureAsking,
        clock: IReactorTime,
        isRunning: Callable[[], bool],
    ) -> None:
        self._specialization = specialization
        self._local = local
        self._knowledge = knowledge
        self._outbox = outbox
        self._goals = goals
        self._publisher = publisher
        self._asking = asking
        self._clock = clock
        self._isRunning = isRunning
        self.rounds = 0
        self.built = 0

    async def sharePatterns(self) -> None:
        """Learn the patterns of our traces and share those that are new."""
        changes = Changes()
        learned = await self._local.learn()
        new = sum(self._publisher.sharePattern(pattern, changes) for pattern in learned)
        self.log.info("Learned {count} patterns, {new} of them new", count=len(learned), new=new)
        await self._outbox.commit(changes)

    async def run(self) -> None:
        """Search once."""
        began = self._clock.seconds()
        component: Component | None = None
        level: float | None = None
        goal = self._goals.cheaperGoal(ROUND_SECONDS) or self._goals.goal(ROUND_SECONDS)
        try:
            component = await self._local.build(goal)
            if component is not None:
                level = (await self._local.remeasure(component)).validationLevel
        except Unmeasurable as error:
            self.log.info("nothing built: {reason}", reason=plain(str(error), 300))
        if component is None and self._clock.seconds() - began < LEAST_SECONDS:
            await task.deferLater(self._clock, LEAST_SECONDS)
        if not self._isRunning():
            return
        self.rounds += 1
        changes = Changes()
        if component is not None:
            self._shareBlock(component, changes)
        isBetter = component is not None and self.isBest(component, level, goal)
        if component is not None and isBetter:
            self.built += 1
            self._publisher.publishComponent(ComponentShare(component=component), changes, level=level)
            self.log.info(
                "Built {id}: closes {share:.1%} of the distance to the optimum",
                id=component.id,
                share=component.development_level or 0.0,
            )
        self._asking.roundEnded(isBetter, changes)
        await self._outbox.commit(changes)

    def isBest(self, component: Component, level: float | None, goal: Goal) -> bool:
        """
        Whether its level on validation beats what is known for the same task, or is the same with less fuel.

        Held-out is never looked at.  What does the same as its parent for less fuel has been compared with that one on
        the same variants of the trace; by levels, which are of different ones, it is neither better nor worse.

        @param level: as measured here.
        @param goal: which it was built for.
        """
        report, manifest = component.claim, component.manifest
        if report is None or manifest is None:
            return False
        parents = manifest.parents[:1] if goal.objective == "fuel" else []
        validation = report.splits["validation"]
        mine = report.workbench_digest, report.trace_digest, report.settings
        for known in self._knowledge.usable(report.workbench, references=True):
            other = known.component.claim if known.trace == report.trace_digest else None
            if other is None or (other.workbench_digest, other.trace_digest, other.settings) != mine:
                continue
            if known.digest in parents or known.level is None:
                continue
            # What was claimed of another engine's fuel nobody here has measured.
            isCheaper = other.engine != report.engine or other.splits["validation"].fuel > validation.fuel
            if level is None or level < known.level or (level == known.level and not isCheaper):
                return False
        return True

    def _shareBlock(self, component: Component, changes: Changes) -> None:
        """Share the parameters and the expression of a component that passed the guard, the best or not."""
        manifest = component.manifest
        if manifest is None:
            return
        expression = textIn(component.implementation)
        data: dict[str, Any] = {"parameters": manifest.parameters} if manifest.parameters else {}
        if expression is not None:
            data["expression"] = expression
        if not data:
            return
        if manifest.report is not None:
            data["tasks"] = taskOf(manifest.report)
        block = CodeBlock(
            id=f"{component.id}-parameters",
            type=f"{manifest.workbench}/{manifest.generator}",
            data=data,
            specialization=self._specialization,
        )
        self._publisher.shareBlock(block, changes)
