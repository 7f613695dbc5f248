"""
Rounds on private traces: what is found there is kept in the trainer's own file, and nothing of it is ever said.

It stands apart from all other knowledge, of which searches for others are made: no number of it gets into what is
shared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace
from twisted.internet import task
from twisted.internet.defer import inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component, Report
from kernelnet.interfaces import ILocalTrainer, ISiteTrainer
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.goal_builder import GoalBuilder
from kernelnet.trainer.work.search_rounds import LEAST_SECONDS, ROUND_SECONDS
from kernelnet.workbench.errors import Unmeasurable

__all__ = ["MAX_KEPT", "PrivateRounds"]

MAX_KEPT = 64
"""Maximum number of components that are kept: of each task the best."""


class PrivateRounds:
    """
    Searches on private traces.

    @ivar best: by task the best component that was found, in earlier runs too.
    """

    log = Logger()

    def __init__(
        self,
        *,
        local: ILocalTrainer,
        store: Store,
        outbox: Outbox,
        goals: GoalBuilder,
        clock: IReactorTime,
        isRunning: Callable[[], bool],
    ) -> None:
        self._local: ISiteTrainer | None = ISiteTrainer(local, None)
        self._store = store
        self._outbox = outbox
        self._goals = goals
        self._clock = clock
        self._isRunning = isRunning
        self.best: dict[str, Component] = {}

    @inlineCallbacks
    def load(self) -> Any:
        """Take up what an earlier run found."""
        rows = yield self._store.read("SELECT task, body FROM private_components LIMIT ?", MAX_KEPT)
        self.best = {task: msgspec.json.decode(body, type=Component) for task, body in rows}

    @property
    def isDue(self) -> bool:
        """Whether there are private traces."""
        return self._local is not None and self._local.hasPrivate

    async def run(self) -> None:
        """Search once."""
        if self._local is None:
            return
        began = self._clock.seconds()
        goal = self._goals.goal(ROUND_SECONDS)
        goal = replace(goal, parents=[*self.best.values(), *goal.parents])
        component: Component | None = None
        try:
            component = await self._local.buildPrivately(goal)
        except Unmeasurable as error:
            self.log.info("nothing built on a private trace: {reason}", reason=str(error)[:300])
        if component is None and self._clock.seconds() - began < LEAST_SECONDS:
            await task.deferLater(self._clock, LEAST_SECONDS)
        if component is None or component.claim is None or not self._isRunning():
            return
        await self._keep(component, component.claim)

    async def _keep(self, component: Component, claim: Report) -> None:
        """Keep it if it is the best of its task: the guard has compared it with the best before."""
        told = claim.workbench, claim.workbench_digest, claim.trace_digest, sorted(claim.settings.items())
        key = hashlib.sha256(msgspec.json.encode(told)).hexdigest()
        if key not in self.best and len(self.best) == MAX_KEPT:
            return
        self.best[key] = component
        changes = Changes()
        changes.add("DELETE FROM private_components WHERE task = ?", key)
        body = msgspec.json.encode(component).decode()
        changes.add(
            "REPLACE INTO private_components VALUES (?, ?, ?, ?)",
            component.digest,
            key,
            component.development_level or 0.0,
            body,
        )
        await self._outbox.commit(changes)
        self.log.info("Found {id} on a private trace: it stays here", id=component.id)
