"""Feature requests: peers' are built one after another, and ours are said when the own search has stalled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.tasks import hasBench
from kernelnet.message import (
    ComponentShare,
    FeatureRequest,
    FeatureResponse,
    ForwardedFeatureRequest,
    MessageType,
)
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.goal_builder import GoalBuilder
from kernelnet.trainer.work.job_queue import Job, JobQueue
from kernelnet.trainer.work.publication import Publisher
from kernelnet.untrusted import isSmall, plain
from kernelnet.workbench.errors import Unmeasurable

__all__ = ["FEATURE", "FeatureAsking", "FeatureRequests"]

FEATURE = "feature"
"""Kind of the jobs that build for a peer; the body is its request, as the hub forwarded it."""

FEATURE_SECONDS = 6.0
"""Seconds that the search for a peer's request takes."""

MAX_REQUESTS = 3
"""Maximum number of one peer's requests that wait; it is told that more than these won't be served."""

MAX_WAITING = 60
"""The same of all together; then of those who have most the newest is forgotten: the hub has answered it."""

STALLED_ROUNDS = 3
"""Number of rounds of its own without anything better after which a trainer asks its peers."""

REQUEST_EVERY = 60.0
"""Seconds between two requests of ours."""


class FeatureRequests:
    """
    Builds what peers ask for; a `JobHandler`.

    @ivar built: number of components that were built for peers in this run.

    @param isRunning: whether the trainer is; a search that was cut short by its end says nothing.
    """

    log = Logger()

    def __init__(
        self,
        *,
        local: ILocalTrainer,
        outbox: Outbox,
        jobs: JobQueue,
        goals: GoalBuilder,
        publisher: Publisher,
        isRunning: Callable[[], bool],
    ) -> None:
        self._local = local
        self._outbox = outbox
        self._jobs = jobs
        self._goals = goals
        self._publisher = publisher
        self._isRunning = isRunning
        self.built = 0

    def enqueue(self, messageId: str, request: ForwardedFeatureRequest, changes: Changes) -> None:
        """Build what a peer asked for; a peer that asks for too much is told so."""
        wanted = request.original_request
        waiting = sum(job.source == request.requestor for job in self._jobs.ofKind(FEATURE).values())
        if waiting < MAX_REQUESTS and isSmall(wanted.requirements):
            job = Job(FEATURE, request.requestor, msgspec.to_builtins(request))
            self._jobs.add(f"{FEATURE}:{messageId}", job, changes)
            while len(all_ := self._jobs.ofKind(FEATURE)) > MAX_WAITING:
                self._jobs.drop(_newestOfMost(all_), changes)
            return
        reason = f"{waiting} requests of yours are waiting" if waiting >= MAX_REQUESTS else "too many requirements"
        answer = FeatureResponse(original_request=FeatureRequest(wanted.feature), reason=reason)
        self._outbox.answer(MessageType.FEATURE_RESPONSE, answer, changes, target=request.requestor)

    async def run(self, key: str, job: Job) -> None:
        """Build for a request; the component, or why there is none, goes to who asked."""
        forwarded = msgspec.convert(job.body, ForwardedFeatureRequest)
        request = forwarded.original_request
        goal = self._goals.goal(FEATURE_SECONDS)
        goal.feature, goal.requirements = request.feature, request.requirements
        reason = "nothing that was found passed the guard on validation"
        component: Component | None = None
        level: float | None = None
        try:
            component = await self._local.build(goal)
            if component is not None:
                level = (await self._local.remeasure(component)).validationLevel
        except Unmeasurable as error:
            reason = f"can't: {error}"
        if self._isRunning():
            await self.answer(key, job, component, level, reason)

    async def answer(
        self, key: str, job: Job, component: Component | None, level: float | None = None, reason: str = ""
    ) -> None:
        """
        Answer a request by a component that passed the guard, or by the reason why there is none, and drop the job.

        @param level: on validation, as measured here.
        """
        forwarded = msgspec.convert(job.body, ForwardedFeatureRequest)
        request = forwarded.original_request
        changes = Changes()
        if component is None:
            response = FeatureResponse(original_request=request, reason=reason)
            self._outbox.answer(MessageType.FEATURE_RESPONSE, response, changes, target=forwarded.requestor)
        else:
            self.built += 1
            share = ComponentShare(
                component=component, original_requestor=forwarded.requestor, feature_name=request.feature
            )
            self._publisher.publishComponent(share, changes, target=forwarded.requestor, level=level)
        self.log.info(
            "Feature request of {ai} for {feature}: {what}",
            ai=forwarded.requestor,
            feature=plain(request.feature),
            what=component.id if component is not None else plain(reason, 300),
        )
        self._jobs.drop(key, changes)
        await self._outbox.commit(changes)

    def abandon(self, job: Job, changes: Changes) -> None:
        """Nothing more is said: the hub has answered the request itself, with the best that there was."""


def _newestOfMost(jobs: Mapping[str, Job]) -> str:
    """The key of the newest job of the peer that has most; of equals that of who came last."""
    counts = Counter(job.source for job in jobs.values())
    greedy = max(reversed(list(counts)), key=counts.__getitem__)
    return next(key for key in reversed(list(jobs)) if jobs[key].source == greedy)


class FeatureAsking:
    """Asks the peers for what the own search does not find."""

    log = Logger()

    def __init__(
        self,
        profile: Profile,
        local: ILocalTrainer,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        clock: IReactorTime,
    ) -> None:
        self._profile = profile
        self._local = local
        self._knowledge = knowledge
        self._outbox = outbox
        self._clock = clock
        self._stalled = 0
        self._last: float | None = None

    def roundEnded(self, isBetter: bool, changes: Changes) -> None:
        """
        Ask when the own search has stalled, or nothing that can be used is there at all; never for what nobody can
        make, since it has no workbench.

        @param isBetter: whether the round has found what is better than all before.
        """
        self._stalled = 0 if isBetter else self._stalled + 1
        now = self._clock.seconds()
        if self._stalled < STALLED_ROUNDS and self._knowledge.usable():
            return
        if self._last is not None and now - self._last < REQUEST_EVERY:
            return
        if not hasBench(self._profile.specialization):
            return
        self._last = now
        self._stalled = 0
        self.ask(changes)

    def ask(self, changes: Changes) -> None:
        """Ask for a component for the task that is worked on."""
        task = self._local.currentTask()
        requirements = msgspec.to_builtins(task) if task is not None else {}
        request = FeatureRequest(feature=self._profile.feature, requirements=requirements)
        self._outbox.say(MessageType.FEATURE_REQUEST, request, changes)
        self.log.info("Asked the peers for {feature}", feature=self._profile.feature)
