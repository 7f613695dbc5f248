"""
The trainer's work: rounds of its own search, and jobs that messages asked for.

Two lanes run side by side, so that re-measuring peers' claims never waits for a search: one measures, one
builds.  In the building lane a job comes after some of the trainer's own rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport, Report, Verdict
from kernelnet.expressions.syntax import textIn
from kernelnet.learning.goal import Goal
from kernelnet.learning.task_similarity import taskOf
from kernelnet.message import (
    CodeShare,
    ComponentShare,
    FeatureRequest,
    FeatureResponse,
    ForwardedFeatureRequest,
    MessageType,
    PatternShare,
)
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.trainer.work.job_queue import MAX_TRIES, Job, Jobs
from kernelnet.trainer.work.task_partition import placeAmong
from kernelnet.untrusted import isSmall, plain
from kernelnet.workbench.errors import Unmeasurable

if TYPE_CHECKING:
    from kernelnet.trainer.service import Trainer

__all__ = ["MAX_BLOCKS", "MAX_PATTERNS", "Workshop"]

T = TypeVar("T")

ROUND_SECONDS = 8.0
"""How long one round of the trainer's own search takes."""

FEATURE_SECONDS = 6.0
"""How long the search for somebody's feature request takes."""

OWN_ROUNDS = 2
"""
So many rounds of its own come between two jobs for peers.

With one, peers' wishes took a third of all that three trainers on one bench searched, and they were hardly better than
three that work alone.
"""

STALLED_ROUNDS = 3
"""After so many rounds of its own without anything better a trainer asks its peers."""

REQUEST_EVERY = 60.0
"""Seconds between two feature requests of ours."""

MAX_REQUESTS = 3
"""So many feature requests of one peer may wait; it is told that more than these won't be served."""


MAX_PATTERNS = 500
"""How many patterns, our own and each peer's newest, a search is given: they tell it how alike tasks are."""

MAX_BLOCKS = 200
"""How many building blocks, each trainer's newest: it tries those of the likest tasks."""


class Workshop:
    """
    Runs an `ILocalTrainer`.

    @ivar rounds: how many rounds of its own search this run has done.
    @ivar built: how many components passed the guard in this run.
    """

    log = Logger()

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._jobs = Jobs(trainer)
        self._idle: dict[str, Deferred[None]] = {}
        self._lanes: list[Deferred[None]] = []
        self._running = False
        self._own = OWN_ROUNDS - 1
        self._economized: set[str] = set()
        self._stalled = 0
        self._lastRequest: float | None = None
        self.rounds = 0
        self.built = 0

    def load(self) -> Deferred[Any]:
        """Take up the jobs that an earlier run left."""
        loaded: Deferred[Any] = self._jobs.load()
        return loaded

    def start(self) -> None:
        self._running = True
        self._lanes = [Deferred.fromCoroutine(self._measuring()), Deferred.fromCoroutine(self._building())]

    def stop(self) -> Deferred[Any]:
        """Fires when both lanes have ended; `ILocalTrainer.stop` makes what they wait for end soon."""
        self._running = False
        self.wake()
        return gatherResults(self._lanes, consumeErrors=True)

    def wake(self) -> None:
        """There may be a new job."""
        idle, self._idle = self._idle, {}
        for waiting in idle.values():
            waiting.callback(None)

    # -- jobs

    def addMeasurement(self, component: Component, changes: Changes) -> None:
        """Measure the claim of C{component} again."""
        self._jobs.add(f"measure:{component.digest}", Job("measure", component.digest), changes)
        # The knowledge forgets what one peer has too much of; there is nothing to measure then.
        known = self._trainer.knowledge.components
        if self.unmeasured() > len(known):
            for key, digest in self._jobs.ofKind("measure").items():
                if digest not in known:
                    self.drop(key, changes)

    def addFeature(self, messageId: str, request: ForwardedFeatureRequest, changes: Changes) -> None:
        """Build what a peer asked for; a peer that asks for too much is told so."""
        wanted = request.original_request
        waiting = sum(body["requestor"] == request.requestor for body in self._jobs.ofKind("feature").values())
        if waiting < MAX_REQUESTS and isSmall(wanted.requirements):
            self._jobs.add(f"feature:{messageId}", Job("feature", msgspec.to_builtins(request)), changes)
            return
        reason = f"{waiting} requests of yours are waiting" if waiting >= MAX_REQUESTS else "too many requirements"
        answer = FeatureResponse(original_request=FeatureRequest(wanted.feature), reason=reason)
        self._trainer.say(MessageType.FEATURE_RESPONSE, answer, changes, target=request.requestor)

    def addCollaboration(self, sessionId: str, changes: Changes) -> None:
        """Do the work of a session."""
        self._jobs.add(f"collaborate:{sessionId}", Job("collaborate", sessionId), changes)

    def drop(self, key: str, changes: Changes) -> None:
        """A job is done, or nobody needs it any more."""
        self._jobs.drop(key, changes)

    # -- lanes

    async def _measuring(self) -> None:
        while self._running:
            key = self._jobs.next(measure=True)
            if key is None and self.unmeasured():
                # they wait for their witnesses, or for their time
                await self._trainer.pause(1.0)
            elif key is None:
                await self._sleep("measuring")
            else:
                await self._attempt(key, self._measure, self._jobs[key].body)

    async def _building(self) -> None:
        while self._running:
            key = self._jobs.next(measure=False)
            if key is None or self._own < OWN_ROUNDS:
                self._own += 1
                await self._attempt("round", self._round, None)
            else:
                self._own = 0
                kind, body = self._jobs[key]
                await self._attempt(key, self._feature if kind == "feature" else self._collaborate, body)

    async def _sleep(self, lane: str) -> None:
        waiting: Deferred[None] = Deferred()
        self._idle[lane] = waiting
        await waiting

    async def _attempt(self, key: str, work: Any, body: Any) -> None:
        """One try at a job.  Whatever it raises is logged, and the lane goes on."""
        source, began = self._jobs.sourceOf(key), self._trainer.now()
        try:
            await work(key, body)
        except CancelledError:
            return
        except Exception:
            if not self._running:
                return
            self.log.failure("{key} failed", key=key)
            changes = Changes()
            if self._jobs.failed(key):
                self.log.error("giving {key} up after {n} tries", key=key, n=MAX_TRIES)
                kind, body = self._jobs[key]
                if kind == "collaborate":
                    self._trainer.collaboration.giveUp(body, changes)
                self.drop(key, changes)
            await self._trainer.commit(changes)
            # A generator that fails at once must not spin.
            await self._trainer.pause(1.0)
        finally:
            if source is not None:
                self._jobs.took(source, self._trainer.now() - began)

    async def _measure(self, key: str, digest: str) -> None:
        trainer = self._trainer
        changes = Changes()
        known = trainer.knowledge.components.get(digest)
        if known is not None and self._jobs.isNeeded(digest):
            report = await trainer.local.remeasure(known.component)
            if not self._running:
                return  # a measurement that was cut short says nothing
            if trainer.knowledge.components.get(digest) is not known:
                return  # the same bytes came with another claim meanwhile: that one is next
            self.judged(known, report, changes)
        self.drop(key, changes)
        await trainer.commit(changes)

    def judged(self, known: KnownComponent, report: PerformanceReport, changes: Changes) -> None:
        """What measuring a peer's claim again said is kept, and told to all."""
        trainer = self._trainer
        if report.verdict is not None:
            trainer.knowledge.judge(known.component.digest, report.verdict, changes)
        trainer.knowledge.addReport(trainer.aiId, report, "", changes)
        trainer.say(MessageType.PERFORMANCE_REPORT, report, changes)
        self.log.info(
            "Measured {id} of {source} again: {verdict}; {reason}",
            id=plain(known.component.id),
            source=known.source,
            verdict=report.verdict.value if report.verdict else "?",
            reason=plain(report.reason, 300),
        )

    async def _feature(self, key: str, body: Any) -> None:
        trainer = self._trainer
        forwarded = msgspec.convert(body, ForwardedFeatureRequest)
        request = forwarded.original_request
        goal = self._goal(FEATURE_SECONDS)
        goal.feature, goal.requirements = request.feature, request.requirements
        reason = "nothing that was found passed the guard on validation"
        component: Component | None = None
        try:
            component = await trainer.local.build(goal)
        except Unmeasurable as error:
            reason = f"can't: {error}"
        if not self._running:
            return
        changes = Changes()
        if component is None:
            response = FeatureResponse(original_request=request, reason=reason)
            trainer.say(MessageType.FEATURE_RESPONSE, response, changes, target=forwarded.requestor)
        else:
            self.built += 1
            trainer.knowledge.addComponent(trainer.aiId, component, changes)
            share = ComponentShare(
                component=component, original_requestor=forwarded.requestor, feature_name=request.feature
            )
            trainer.say(MessageType.OS_COMPONENT_SHARE, share, changes, target=forwarded.requestor)
        self.log.info(
            "Feature request of {ai} for {feature}: {what}",
            ai=forwarded.requestor,
            feature=plain(request.feature),
            what=component.id if component is not None else plain(reason, 300),
        )
        self.drop(key, changes)
        await trainer.commit(changes)

    async def _collaborate(self, key: str, sessionId: str) -> None:
        await self._trainer.collaboration.work(sessionId)
        if self._running:
            changes = Changes()
            self.drop(key, changes)
            await self._trainer.commit(changes)

    async def _round(self, key: str, body: Any) -> None:
        """One round of the trainer's own search: what beats all that it knows is shared."""
        trainer = self._trainer
        began = trainer.now()
        component: Component | None = None
        try:
            component = await trainer.local.build(self._cheaperGoal() or self._goal(ROUND_SECONDS))
        except Unmeasurable as error:
            self.log.info("nothing built: {reason}", reason=str(error))
        if component is None and trainer.now() - began < 1.0:
            # A generator that has nothing to offer, and says so at once, must not spin.
            await trainer.pause(1.0)
        if not self._running:
            return
        self.rounds += 1
        changes = Changes()
        if component is not None:
            self._shareBlock(component, changes)
        if component is not None and self._isBest(component):
            self._stalled = 0
            self.built += 1
            trainer.knowledge.addComponent(trainer.aiId, component, changes)
            trainer.say(MessageType.OS_COMPONENT_SHARE, ComponentShare(component=component), changes)
            self.log.info(
                "Built {id}: closes {share:.1%} of the distance to the optimum",
                id=component.id,
                share=component.development_level or 0.0,
            )
        else:
            self._stalled += 1
        self._perhapsRequest(changes)
        await trainer.commit(changes)

    def _goal(self, seconds: float) -> Goal:
        trainer, knowledge = self._trainer, self._trainer.knowledge
        known = knowledge.components.values()
        place, among = placeAmong(trainer.aiId, trainer.local.workbenches, knowledge.ais, known)
        return Goal(
            feature=trainer.feature,
            seconds=seconds,
            patterns=_ownFirst(trainer.aiId, knowledge.patterns)[:MAX_PATTERNS],
            # of all workbenches: the local trainer takes those of the task that is next
            parents=[k.component for k in knowledge.usable()],
            blocks=_inTurn(knowledge.blocks)[:MAX_BLOCKS],
            avoid=self._trainer.collaboration.givenAway(),
            place=place,
            among=among,
        )

    def _cheaperGoal(self) -> Goal | None:
        """For the specialization performance: the next component that it might make cheaper, each of them once."""
        if self._trainer.specialization != "performance":
            return None
        for known in self._trainer.knowledge.usable():
            component, manifest = known.component, known.component.manifest
            if manifest is None or manifest.report is None or component.digest in self._economized:
                continue
            self._economized.add(component.digest)
            report = manifest.report
            task = {"workbench": report.workbench, "trace_digest": report.trace_digest, "settings": report.settings}
            return Goal(manifest.workbench, ROUND_SECONDS, objective="fuel", parents=[component], requirements=task)
        return None

    def _isBest(self, component: Component) -> bool:
        """
        Whether its validation score beats what is known for the same task, or is the same with less fuel.

        Held-out is never looked at.
        """
        manifest = component.manifest
        if manifest is None or manifest.report is None:
            return False
        mine = manifest.report
        for known in self._trainer.knowledge.usable(manifest.workbench):
            other = known.component.manifest
            if other is None or other.report is None:
                continue
            theirs = other.report
            if (theirs.trace_digest, theirs.settings) != (mine.trace_digest, mine.settings):
                continue
            # What was claimed of another engine's fuel nobody here has measured.
            isAsGood = (
                _cost(theirs) <= _cost(mine) if theirs.engine == mine.engine else _cost(theirs)[0] < _cost(mine)[0]
            )
            if isAsGood:
                return False
        return True

    def _shareBlock(self, component: Component, changes: Changes) -> None:
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
        trainer = self._trainer
        block = CodeBlock(
            id=f"{component.id}-parameters",
            type=f"{manifest.workbench}/{manifest.generator}",
            data=data,
            specialization=trainer.specialization,
        )
        if (trainer.aiId, block.id) not in trainer.knowledge.blocks:
            trainer.knowledge.addBlock(trainer.aiId, block, changes)
            trainer.say(MessageType.CODE_SHARE, CodeShare(code=block), changes)

    def _perhapsRequest(self, changes: Changes) -> None:
        """Ask the peers when the own search has stalled, or nothing that can be used is there at all."""
        trainer = self._trainer
        now = trainer.now()
        if self._stalled < STALLED_ROUNDS and trainer.knowledge.usable():
            return
        if self._lastRequest is not None and now - self._lastRequest < REQUEST_EVERY:
            return
        self._lastRequest = now
        self._stalled = 0
        requirements = trainer.local.status().get("scenario") or {}
        request = FeatureRequest(feature=trainer.feature, requirements=requirements)
        trainer.say(MessageType.FEATURE_REQUEST, request, changes)
        self.log.info("Asked the peers for {feature}", feature=trainer.feature)

    async def sharePatterns(self) -> None:
        """Learn the patterns of our traces and share those that are new."""
        trainer = self._trainer
        changes = Changes()
        for pattern in await trainer.local.learn():
            if (trainer.aiId, pattern.id) not in trainer.knowledge.patterns:
                trainer.knowledge.addPattern(trainer.aiId, pattern, changes)
                trainer.say(MessageType.PATTERN_SHARE, PatternShare(pattern=pattern), changes)
        await trainer.commit(changes)

    def unmeasured(self) -> int:
        """How many peers' claims wait for this trainer's measurement."""
        return len(self._jobs.ofKind("measure"))

    def confirmed(self) -> int:
        """How many peers' components this trainer has confirmed."""
        trainer = self._trainer
        return sum(
            1
            for k in trainer.knowledge.components.values()
            if k.verdict is Verdict.CONFIRMED and k.source != trainer.aiId
        )


def _cost(report: Report) -> tuple[int, int]:
    """What decides between two components for one task."""
    validation = report.splits["validation"]
    return validation.score, validation.fuel


def _ownFirst(aiId: str, patterns: Mapping[tuple[str, str], Pattern]) -> list[Pattern]:
    """What was measured here counts before what others say."""
    own = {key: pattern for key, pattern in patterns.items() if key[0] == aiId}
    return [*_inTurn(own), *_inTurn({key: pattern for key, pattern in patterns.items() if key not in own})]


def _inTurn(items: Mapping[tuple[str, str], T]) -> list[T]:
    """By source and id: the newest of each source, then each one's second; who shares much takes nobody's place."""
    bySource: dict[str, list[T]] = {}
    for (source, _), item in reversed(list(items.items())):
        bySource.setdefault(source, []).append(item)
    return [item for rank in zip_longest(*bySource.values()) for item in rank if item is not None]
