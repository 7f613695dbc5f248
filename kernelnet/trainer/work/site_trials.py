"""
Trials of peers' components on the user's own traces, in idle time: what comes of them is told as observations.

Told are a random name of the trace, the settings, and two levels to a hundredth.  An author might make components that
are questions about a trace, and read the answers there: so what may be asked is bounded, of each trace for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component, PerformanceReport
from kernelnet.interfaces import ILocalTrainer, ISiteTrainer
from kernelnet.message import MessageType
from kernelnet.observations import OwnTrace, onSite
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.family_selection import FamilySelection
from kernelnet.trainer.work.site_key import SiteKey
from kernelnet.untrusted import plain

__all__ = ["MAX_OF_OWNER", "MAX_ON_TRACE", "SHARE", "SiteTrials"]

MAX_OF_OWNER = 16
"""Maximum number of an owner's components that are ever tried on one trace; of an AI without an owner its own."""

MAX_ON_TRACE = 256
"""The same of all owners together, whoever makes up how many."""

SHARE = 0.05
"""Share of the time that trials take at most."""


REST = 10.0
"""Seconds until it is looked again after nothing was there to try."""


class SiteTrials:
    """
    Tries confirmed components one by one.

    @param hub: tells the log id of the hub if it takes observations now, else C{None}.
    @param isIdle: whether there is nothing else to measure.
    @param isRunning: whether the trainer is; what was cut short by its end says nothing.
    @ivar trials: number of components that were tried in this run.
    """

    log = Logger()
    LOOK_EVERY = 1.0
    """Seconds between two looks at whether there is something to try."""

    def __init__(
        self,
        aiId: str,
        *,
        local: ILocalTrainer,
        store: Store,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        hub: Callable[[], str | None],
        isIdle: Callable[[], bool],
        isRunning: Callable[[], bool],
        clock: IReactorTime,
    ) -> None:
        self._aiId = aiId
        self._local: ISiteTrainer | None = ISiteTrainer(local, None)
        self._store = store
        self._knowledge = knowledge
        self._outbox = outbox
        self._key = SiteKey(store, outbox)
        self._families = FamilySelection(aiId, knowledge)
        self._hub = hub
        self._isIdle = isIdle
        self._isRunning = isRunning
        self._clock = clock
        self._tried: dict[tuple[str, str], str] = {}
        self._notBefore = 0.0
        self._isBusy = False
        self.trials = 0

    @inlineCallbacks
    def load(self) -> Any:
        """Take up what earlier runs tried: no bound begins anew."""
        rows = yield self._store.read("SELECT trace, digest, voice FROM tried")
        self._tried = {(trace, digest): voice for trace, digest, voice in rows}

    def look(self) -> Deferred[None] | None:
        """Try one component if it is time; fires when that has ended."""
        hub = self._hub()
        if self._isBusy or self._local is None or hub is None or not self._isIdle() or self._outbox.isFull:
            return None
        began = self._clock.seconds()
        if began < self._notBefore:
            return None
        following = self._next(self._local)
        if following is None:
            self._notBefore = began + REST
            return None
        self._isBusy = True
        done: Deferred[None] = self._try(self._local, hub, *following)
        return done.addErrback(self._failed).addBoth(self._ended, began)

    def _failed(self, failure: Any) -> None:
        if self._isRunning():
            self.log.failure("trying a component failed", failure)

    def _ended(self, _: object, began: float) -> None:
        now = self._clock.seconds()
        self._notBefore = now + (now - began) * (1 / SHARE - 1)
        self._isBusy = False

    def _next(self, local: ISiteTrainer) -> tuple[OwnTrace, KnownComponent, str] | None:
        """The trace with the fewest trials, and there of the owner with the fewest the first that wasn't tried."""
        traces = local.ownTraces()
        if not traces:
            return None
        voice, ours = self._knowledge.voice, self._knowledge.voice(self._aiId)
        confirmed = [(known, voice(known.source)) for known in self._families.confirmed()]
        counts = Counter(trace for trace, _ in self._tried)
        for own in sorted(traces, key=lambda one: counts[_traceOf(one)]):
            trace = _traceOf(own)
            if counts[trace] >= MAX_ON_TRACE:
                continue
            ofOwner = Counter(who for (where, _), who in self._tried.items() if where == trace)
            open_ = [
                (known, who)
                for known, who in confirmed
                if known.workbench == own.workbench
                and who != ours
                and (trace, known.digest) not in self._tried
                and ofOwner[who] < MAX_OF_OWNER
            ]
            if open_:
                return own, *min(open_, key=lambda one: ofOwner[one[1]])
        return None

    @inlineCallbacks
    def _try(self, local: ISiteTrainer, hub: str, own: OwnTrace, known: KnownComponent, voice: str) -> Any:
        component, trace = known.component, _traceOf(own)
        # Counted before: whatever happens then, it is not asked again.
        counted = Changes()
        counted.add("INSERT OR IGNORE INTO tried VALUES (?, ?, ?)", trace, known.digest, voice)
        self._tried[trace, known.digest] = voice
        yield self._outbox.commit(counted)
        trial = yield local.tryOn(own, component)
        if trial is None or not self._isRunning() or self._hub() != hub:
            return
        self.trials += 1
        site = yield self._key.name(hub, own.workbench, own.digest)
        module = _moduleOf(component)
        seen = onSite(site, module, own.workbench, own.settings, level=trial.level, handMade=trial.handMade)
        changes = Changes()
        report = PerformanceReport(component.id, digest=known.digest, observation=seen)
        self._outbox.say(MessageType.PERFORMANCE_REPORT, report, changes)
        yield self._outbox.commit(changes)
        self.log.info("Tried {id} of {source} on a trace of ours", id=plain(component.id), source=known.source)


def _traceOf(own: OwnTrace) -> str:
    return f"{own.workbench} {own.digest}"


def _moduleOf(component: Component) -> str:
    assert component.manifest is not None  # only then was it tried
    return component.manifest.wasm_sha256
