"""`Trainer`: one AI as a service.  It alone knows all parts; each of them gets the few that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet import task
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from kernelnet.artifacts import Component
from kernelnet.identity import FilesInPlace, IdentityError
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.former_trainers import withTasks
from kernelnet.trainer.collaboration.offers import SEEK_EVERY, Offers
from kernelnet.trainer.collaboration.proposals import Proposals
from kernelnet.trainer.collaboration.session_state import Session
from kernelnet.trainer.collaboration.session_work import Advance, SessionWork
from kernelnet.trainer.collaboration.sessions import COLLABORATE, Sessions
from kernelnet.trainer.connection.client import HubClient
from kernelnet.trainer.connection.config import TrainerConfig
from kernelnet.trainer.connection.credentials import Credentials
from kernelnet.trainer.errors import TrainerFailed
from kernelnet.trainer.goodbye import Goodbye
from kernelnet.trainer.messaging.delivery import Delivery
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.messaging.hub_sync import HubSync
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange
from kernelnet.trainer.messaging.source_sharing import SourceSharing
from kernelnet.trainer.messaging.trace_fetching import TraceFetching, TraceReader
from kernelnet.trainer.messaging.trace_sharing import TraceSharing
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.progress import TELL_EVERY, Progress
from kernelnet.trainer.storage.database import Changes, Store, StoreError
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.feature_requests import FEATURE, FeatureAsking, FeatureRequests
from kernelnet.trainer.work.goal_builder import GoalBuilder
from kernelnet.trainer.work.job_queue import JobQueue
from kernelnet.trainer.work.observations import ObservationSending
from kernelnet.trainer.work.private_rounds import PrivateRounds
from kernelnet.trainer.work.publication import Publisher
from kernelnet.trainer.work.search_rounds import SearchRounds
from kernelnet.trainer.work.signing import VerdictSigner
from kernelnet.trainer.work.site_trials import SiteTrials
from kernelnet.trainer.work.verification import MEASURE, Verification
from kernelnet.trainer.work.verifier_selection import VerifierSelection
from kernelnet.trainer.work.worker import Worker
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["Trainer", "TrainerConfig", "TrainerFailed"]

LOOK_EVERY = 1.0
"""Seconds between two looks at whether our files are still there."""


class Trainer(Service):
    """
    One AI: learns by an `ILocalTrainer`, talks to the hub, keeps all that matters in its store.

    @ivar ended: fires when the trainer has stopped by itself: with C{None}, or with the reason as a L{Failure}.

    @param reactor: provides C{IReactorSSL} and C{IReactorTime}.
    @param generator: name of what writes its components.
    @param clock: paces its work; C{None}: the reactor.
    """

    log = Logger()
    sessionsClass: type[Sessions] = Sessions  # which decides about invitations

    def __init__(
        self,
        config: TrainerConfig,
        local: ILocalTrainer,
        reactor: Any,
        generator: str = "search",
        clock: IReactorTime | None = None,
    ) -> None:
        self.config = config
        self.local = local = withTasks(local)
        self.reactor = reactor
        self.profile = Profile.of(config.aiId, config.specialization, config.capabilities, (generator,))
        self.ended: Deferred[None] = Deferred()
        self.folder = config.state.trainer(config.aiId)
        self._clock: IReactorTime = clock if clock is not None else reactor
        self._lock: int | None = None
        self._files, self._failed, self._began = FilesInPlace(), False, 0.0
        self._timers: list[Any] = []
        aiId = config.aiId
        self.store = Store(self.folder / "trainer.db", reactor)
        self.outbox = Outbox(aiId, self.store, self._failIfRunning)
        self.knowledge = KnowledgeBase(aiId, self.store)
        self.signer = VerdictSigner(self.folder, aiId)
        self._composeWork()
        self._composeConnection()
        self._goodbye = Goodbye(self.worker, local, self.client, self.outbox, reactor)
        self.progress = Progress(
            self.folder,
            profile=self.profile,
            local=local,
            client=self.client,
            outbox=self.outbox,
            dispatcher=self.dispatcher,
            rounds=self.rounds,
            features=self.features,
            verification=self.verification,
            sessions=self.sessions,
        )

    def _composeWork(self) -> None:
        """Compose the parts that work, by themselves and for peers."""
        profile, local, clock = self.profile, self.local, self._clock
        outbox, knowledge = self.outbox, self.knowledge
        self.payloads = PayloadExchange(self.reactor, deferToThread)
        self.sources = SourceSharing(self.folder / "sources", self.payloads, self._clock)
        self.sharing = TraceSharing(
            *(self.folder, self.config.privateTraces),
            workbenches=lambda: list(local.workbenches),
            exchange=self.payloads,
            inThread=deferToThread,
        )
        jobs = self.jobs = JobQueue(self.store)
        publisher = self.publisher = Publisher(profile.aiId, knowledge, outbox, self.sources.reference)
        self.verification = Verification(
            aiId=profile.aiId,
            local=local,
            knowledge=knowledge,
            outbox=outbox,
            jobs=jobs,
            selection=VerifierSelection(profile.aiId, local, knowledge, clock),
            signer=self.signer,
            isRunning=self._isRunning,
            clock=clock,
            fetch=self._traceFetching(),
            readSource=self.sources.complete,
        )
        self.sessions = self.sessionsClass(
            profile=profile,
            store=self.store,
            knowledge=knowledge,
            outbox=outbox,
            jobs=jobs,
            publisher=publisher,
            offers=Offers(Proposals(profile, local, knowledge).request, outbox),
            work=self._sessionWork,
            clock=clock,
            isRunning=self._isRunning,
        )
        goals = self.goals = GoalBuilder(profile, local, knowledge, self.sessions.givenAway)
        self.features = FeatureRequests(
            local=local, outbox=outbox, jobs=jobs, goals=goals, publisher=publisher, isRunning=self._isRunning
        )
        self.rounds = SearchRounds(
            specialization=profile.specialization,
            local=local,
            knowledge=knowledge,
            outbox=outbox,
            goals=goals,
            publisher=publisher,
            asking=FeatureAsking(profile, local, knowledge, outbox, clock),
            clock=clock,
            isRunning=self._isRunning,
        )
        self.privateRounds = PrivateRounds(
            local=local, store=self.store, outbox=outbox, goals=goals, clock=clock, isRunning=self._isRunning
        )
        self._wasPrivate = False
        self.worker = Worker(jobs, outbox, self.round, clock)
        self.worker.registerMeasurement(MEASURE, self.verification, self.verification.rank)
        self.registerBuilds()

    def _traceFetching(self) -> Callable[[str, Component], Awaitable[bool]] | None:
        """Makes what gets the traces of peers' claims; C{None}: nothing is to, or nothing here reads them."""
        config, reader = self.config, self.local
        canRead = all(callable(getattr(reader, name, None)) for name in ("addTrace", "lacking"))
        if not config.fetchTraces or not canRead:
            return None
        return TraceFetching(
            folder=self.folder / "fetched",
            budget=config.fetchTraces,
            owners=config.fetchOwners,
            reader=cast(TraceReader, reader),
            exchange=self.payloads,
            knowledge=self.knowledge,
            inThread=deferToThread,
            clock=self._clock,
        ).fetch

    def registerBuilds(self) -> None:
        """Say who does the jobs that build for peers."""
        self.worker.registerBuild(FEATURE, self.features)
        self.worker.registerBuild(COLLABORATE, self.sessions)

    def round(self) -> Awaitable[None]:
        """One round of its own work; where there are private traces every second one is on these."""
        self._wasPrivate = self.privateRounds.isDue and not self._wasPrivate
        return self.privateRounds.run() if self._wasPrivate else self.rounds.run()

    def seek(self) -> None:
        """Ask for a collaboration if too few run."""
        changes = Changes()
        if self.client.isGreeted and self.sessions.seek(self.reactor.seconds(), changes):
            self.outbox.commit(changes).addErrback(lambda _: None)  # it has ended the trainer

    def _composeConnection(self) -> None:
        """Compose the parts that hear and say."""
        credentials = self.credentials = Credentials(self.config, self.folder)
        self.sync = HubSync(
            profile=self.profile,
            store=self.store,
            credentials=credentials,
            knowledge=self.knowledge,
            outbox=self.outbox,
            verification=self.verification,
            signer=self.signer,
            payloads=self.payloads,
            workbenches=lambda: list(self.local.workbenches),
            forgotten=self.sessions.forgotten,
            fail=self.fail,
        )
        self.dispatcher = Dispatcher(
            profile=self.profile,
            store=self.store,
            knowledge=self.knowledge,
            outbox=self.outbox,
            verification=self.verification,
            features=self.features,
            sessions=self.sessions,
            sync=self.sync,
            payloads=self.payloads,
            clock=self.reactor,
            refusal=credentials.refusal,
            fail=self.fail,
        )
        self.observations = ObservationSending(self.folder, self.store, self.knowledge, self.outbox, self.sync.observed)
        self.trials = SiteTrials(
            self.profile.aiId,
            local=self.local,
            store=self.store,
            knowledge=self.knowledge,
            outbox=self.outbox,
            hub=self.sync.observed,
            isIdle=lambda: self.worker.isIdle,
            isRunning=self._isRunning,
            clock=self._clock,
        )
        delivery = Delivery(
            aiId=self.profile.aiId,
            dispatcher=self.dispatcher,
            sync=self.sync,
            outbox=self.outbox,
            payloads=self.payloads,
            clock=self._clock,
            wake=self.worker.wake,
            fail=self.fail,
        )
        self.client = HubClient(self.config, credentials, self.reactor, delivery)

    def _sessionWork(self, session: Session, advance: Advance, turn: int) -> Awaitable[tuple[Component, float | None]]:
        return SessionWork(
            *(session, advance, turn),
            aiId=self.profile.aiId,
            local=self.local,
            knowledge=self.knowledge,
            verification=self.verification,
            clock=self._clock,
        ).result()

    def __repr__(self) -> str:
        return (
            f"<Trainer {self.profile.aiId} {self.profile.specialization} hub={self.client.factory.address} "
            f"online={self.client.isOnline} unacked={len(self.outbox)}>"
        )

    # -- life

    def startService(self) -> None:
        super().startService()
        self._began = self.reactor.seconds()
        Deferred.fromCoroutine(self._start()).addErrback(self._broken)

    async def _start(self) -> None:
        try:
            self._lock = self.config.state.lock(f"trainers/{self.profile.aiId}/lock")
            self.store.open()
            self.signer.load()
            self._files = FilesInPlace(self.folder, self.folder / "lock", self.store.path)
        except (IdentityError, StoreError, OSError) as e:
            self.fail(e)
            return
        await self.load()
        if not self.running:
            return
        self._every(LOOK_EVERY, self._keepsFiles)
        self.client.start()
        try:
            await self.local.start()
        except WorkbenchError as e:
            self.fail(e)
            return
        if not self.running:
            return
        self.log.info(
            "{aiId} ({specialization}) trains on {benches}: {local}",
            aiId=self.profile.aiId,
            specialization=self.profile.specialization,
            benches=", ".join(self.local.workbenches),
            local=self.local,
        )
        self._every(SEEK_EVERY, self.seek)
        self._every(1.0, self._writeProgress)
        self._every(TELL_EVERY, self.progress.tell)
        self._every(ObservationSending.LOOK_EVERY, self.observations.look)
        self._every(SiteTrials.LOOK_EVERY, self.trials.look)
        if self.config.minutes is not None:
            remaining = max(0.0, self.config.minutes * 60 - (self.reactor.seconds() - self._began))
            self._timers.append(self.reactor.callLater(remaining, self._finish))
        self._every(TraceSharing.LOOK_EVERY, self.sharing.look)
        self._every(SourceSharing.LOOK_EVERY, self.sources.look)
        Deferred.fromCoroutine(self.sharing.shareAll(self.config.sharedTraces)).addErrback(
            lambda failure: self.log.failure("sharing traces failed", failure)
        )
        await self.rounds.sharePatterns()
        if self.running:
            self.worker.start()

    async def load(self) -> None:
        """Take up all that an earlier run left, unless it is stopped meanwhile."""
        for load in (
            self.outbox.load,
            self.knowledge.load,
            self.sync.load,
            self.dispatcher.load,
            self.jobs.load,
            self.sessions.load,
            self.trials.load,
            self.privateRounds.load,
        ):
            await load()
            if not self.running:
                return
        self.progress.load()

    def _every(self, seconds: float, function: Callable[[], object]) -> None:
        """Call again and again; what goes wrong once does not end it."""
        loop = task.LoopingCall(self._guarded, function)
        loop.clock = self.reactor
        loop.start(seconds, now=False)
        self._timers.append(loop)

    def _keepsFiles(self) -> bool:
        """Whether what is written is kept; once somebody took our files away it isn't, and the trainer ends."""
        if (lost := self._files.lost()) is not None:
            self.fail(
                f"{lost} was removed, moved or replaced while the trainer ran, which can keep nothing now: it ends"
            )
        return lost is None

    def _writeProgress(self) -> None:
        if self._keepsFiles():
            self.progress.write()

    def _guarded(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception:
            self.log.failure("{name} failed", name=function.__name__)

    def _broken(self, failure: Failure) -> None:
        if self.running:  # or it was stopped while it started, and what it needs is gone
            self.log.failure("the trainer can't start", failure=failure)
            self.fail(f"{type(failure.value).__name__}: {failure.value}")

    def _finish(self) -> None:
        """The time that was given is over."""
        self.log.info("{aiId}: time is over", aiId=self.profile.aiId)
        changes = Changes()
        self.sessions.end(changes)
        self.outbox.commit(changes).addErrback(lambda _: None)  # it has ended the trainer
        Deferred.fromCoroutine(self._goodbye.atLeisure()).addBoth(lambda _: self._end(None))

    def fail(self, reason: object) -> None:
        """End for good, with a reason for the user."""
        if self._failed:
            return
        self._failed = True
        self.client.stopTrying()
        self._end(Failure(TrainerFailed(str(reason))))

    def _end(self, result: Failure | None) -> None:
        if not self.ended.called:
            self.ended.callback(result) if result is None else self.ended.errback(result)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop working, wait a little for the acks of what was said, close: within some seconds, whatever hangs."""
        wasRunning = self.running
        super().stopService()
        if not wasRunning:
            return
        for timer in self._timers:
            if isinstance(timer, task.LoopingCall):
                if timer.running:
                    timer.stop()
            elif timer.active():
                timer.cancel()
        self.client.stopTrying()
        yield Deferred.fromCoroutine(self._goodbye.inHaste())
        self._guarded(self._writeProgress)
        yield self._goodbye.close()
        self.outbox.disconnected()
        yield self.store.close()
        if self._lock is not None:
            self.config.state.unlock(self._lock)
            self._lock = None

    def _isRunning(self) -> bool:
        return bool(self.running)

    def _failIfRunning(self, reason: str) -> None:
        if self._isRunning():
            self.fail(reason)
