"""Verification of peers' claims: each is measured again, and the verdict is kept and told to all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component, PerformanceReport, Verdict
from kernelnet.interfaces import ILocalTrainer, ISparingTrainer
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.job_queue import Job, JobQueue
from kernelnet.trainer.work.signing import VerdictSigner
from kernelnet.trainer.work.verifier_selection import VerifierSelection
from kernelnet.untrusted import plain

__all__ = ["MEASURE", "Verification"]

MEASURE = "measure"
"""Kind of the jobs that measure a claim; the body is the component's digest."""

FETCH_TRIES = 6
"""Number of times that a claim's trace is looked for: a claim often comes before the trace that is shared with it."""
FETCH_AFTER = 10.0
"""Seconds between two of these."""
SOURCE_TRIES = 16
"""The same of a source that is a blob, each after twice as long: a day in all."""
LONGEST = 4 * 3600.0
"""Seconds between two of these at most."""


class Verification:
    """
    The claims that one trainer measures again, and its verdicts; a `JobHandler`.

    @param selection: which claims this trainer measures, and how soon.
    @ivar verdicts: number of claims that were measured in this run, by verdict.

    @param signer: signs them.
    @param isRunning: whether the trainer is; a measurement that was cut short by its end says nothing.
    @param fetch: gets the trace of a claim of a peer, and says whether it is here now; C{None}: nobody does.
    @param readSource: makes a component whose source is a blob a whole one; C{None}, or it gives that: it can't be had.
    """

    log = Logger()

    def __init__(
        self,
        *,
        aiId: str,
        local: ILocalTrainer,
        knowledge: KnowledgeBase,
        outbox: Outbox,
        jobs: JobQueue,
        selection: VerifierSelection,
        signer: VerdictSigner,
        isRunning: Callable[[], bool],
        clock: IReactorTime,
        fetch: Callable[[str, Component], Awaitable[bool]] | None = None,
        readSource: Callable[[Component], Awaitable[Component | None]] | None = None,
    ) -> None:
        self._aiId = aiId
        self._local = local
        self._sparing: ISparingTrainer | None = ISparingTrainer(local, None)
        self._knowledge = knowledge
        self._outbox = outbox
        self._jobs = jobs
        self._selection = selection
        self._signer = signer
        self._isRunning = isRunning
        self._clock = clock
        self._fetch = fetch
        self._readSource = readSource
        self._sought: dict[str, tuple[int, float]] = {}
        self.verdicts: Counter[Verdict] = Counter()

    def learn(self, source: str, component: Component, changes: Changes) -> None:
        """Keep a component that a peer shared; what it claims is to be measured."""
        if component.source_size and component.implementation:
            return  # its digest is not that of what it says here
        known = self._knowledge.addComponent(source, component, changes)
        if known is not None and component.manifest is not None and component.manifest.report is not None:
            self.enqueue(known, changes)

    def enqueue(self, known: KnownComponent, changes: Changes) -> None:
        """Measure a claim when its time has come."""
        digest = known.digest
        self._jobs.add(_key(digest), Job(MEASURE, known.source, digest), changes)
        # The knowledge forgets what one peer has too much of; there is nothing to measure then.
        components = self._knowledge.components
        if self.unmeasured() > len(components):
            for key, job in self._jobs.ofKind(MEASURE).items():
                if job.body not in components:
                    self._jobs.drop(key, changes)

    def rank(self, job: Job) -> int | None:
        """Order in which a claim is measured: 0 comes first; C{None}: not yet."""
        _, due = self._sought.get(job.body, (0, 0.0))
        return self._selection.rank(job.body) if due <= self._clock.seconds() else None

    async def run(self, key: str, job: Job) -> None:
        """Measure a claim if that is still needed."""
        changes = Changes()
        known = self._knowledge.components.get(job.body)
        if known is not None and known.verdict is None and self._selection.isNeeded(known):
            report = await self._measured(known)
            if not self._counts(known):
                return  # the same bytes came with another claim meanwhile: that one is next
            if report is None:
                if self._isSoughtAgain(job.body, SOURCE_TRIES):
                    return
                report = PerformanceReport(known.id, {}, known.digest, Verdict.UNMEASURABLE, "its source did not come")
            elif report.verdict is Verdict.UNMEASURABLE and self._fetch and self._isSoughtAgain(job.body, FETCH_TRIES):
                return
            self.recordVerdict(known, report, changes)
        self._sought.pop(job.body, None)
        self._jobs.drop(key, changes)
        await self._outbox.commit(changes)

    def _isSoughtAgain(self, digest: str, most: int) -> bool:
        """Whether trace or source of a claim that can't be measured may still come, so that its turn comes again."""
        tries = self._sought.get(digest, (0, 0.0))[0] + 1
        if tries >= most:
            return False
        if len(self._sought) > len(self._knowledge.components):  # of what was forgotten meanwhile
            self._sought = {each: at for each, at in self._sought.items() if each in self._knowledge.components}
        # A trace comes within a minute or not at all; a source once its author is back, or the hub.
        pause = FETCH_AFTER if most == FETCH_TRIES else min(FETCH_AFTER * 2 ** (tries - 1), LONGEST)
        self._sought[digest] = tries, self._clock.seconds() + pause
        return True

    def abandon(self, job: Job, changes: Changes) -> None:
        """Nobody waits for one trainer's verdict."""

    async def verify(self, known: KnownComponent) -> Verdict | None:
        """
        Measure a claim now, whoever is to; one that has a verdict keeps it.

        @return: the verdict; C{None}: there is none, such as where the trainer ended meanwhile.
        """
        if known.verdict is None:
            report = await self._measured(known)
            if report is not None and report.verdict is not None and self._counts(known):
                changes = Changes()
                self.recordVerdict(known, report, changes)
                await self._outbox.commit(changes)
        return known.verdict

    async def _measured(self, known: KnownComponent) -> PerformanceReport | None:
        """
        Measure it; if that can't be, perhaps since its trace is not here, get that and measure it again.

        @return: C{None}: its source is a blob that did not come, which says nothing of it.
        """
        measure = self._local.remeasure
        if self._sparing is not None and not self._selection.saysMore(known):
            measure = self._sparing.remeasureClaim
        component = known.component
        if known.isReference:
            found = await self._readSource(component) if self._readSource is not None else None
            if found is None:
                return None
            component = found
        report = await measure(component)
        fetch = self._fetch
        if fetch is None or report.verdict is not Verdict.UNMEASURABLE or not self._counts(known):
            return report
        isHere = await fetch(known.source, component)
        return await measure(component) if isHere else report

    def recordVerdict(self, known: KnownComponent, report: PerformanceReport, changes: Changes) -> None:
        """Keep the result of measuring a peer's claim again, and tell all."""
        if report.verdict is not None:
            self.verdicts[report.verdict] += 1
            self._knowledge.judge(known.digest, report.verdict, changes, report.validationLevel)
        self._knowledge.addReport(self._aiId, report, "", changes)
        self._outbox.answer(MessageType.PERFORMANCE_REPORT, self._signer.signed(known.component, report), changes)
        self.log.info(
            "Measured {id} of {source} again: {verdict}; {reason}",
            id=plain(known.id),
            source=known.source,
            verdict=report.verdict.value if report.verdict else "?",
            reason=plain(report.reason, 300),
        )

    def unmeasured(self) -> int:
        """Number of peers' claims that wait for this trainer's measurement."""
        return len(self._jobs.ofKind(MEASURE))

    def confirmed(self) -> int:
        """Number of peers' components that this trainer has confirmed."""
        return sum(
            known.verdict is Verdict.CONFIRMED and known.source != self._aiId
            for known in self._knowledge.components.values()
        )

    def _counts(self, known: KnownComponent) -> bool:
        """Whether a measurement that has just ended says something of C{known}."""
        return self._isRunning() and self._knowledge.components.get(known.digest) is known


def _key(digest: str) -> str:
    return f"{MEASURE}:{digest}"
