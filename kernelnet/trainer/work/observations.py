"""`ObservationSending`: what commands left in the spool is said to a hub that takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger

from kernelnet.artifacts import PerformanceReport
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.storage.spool import Spool, SpooledObservation
from kernelnet.trainer.work.site_key import SiteKey
from kernelnet.untrusted import plain

__all__ = ["ObservationSending"]


class ObservationSending:
    """
    Sends the observations of a trainer's spool.

    @param folder: the trainer's own.
    @param hub: tells the log id of the hub if it takes observations now, else C{None}: an earlier one could take
        nothing of them.
    """

    log = Logger()
    LOOK_EVERY = 5.0
    """Seconds between two looks at the spool."""

    def __init__(
        self, folder: Path, store: Store, knowledge: KnowledgeBase, outbox: Outbox, hub: Callable[[], str | None]
    ) -> None:
        self._spool = Spool(folder / "spool")
        self._knowledge = knowledge
        self._outbox = outbox
        self._key = SiteKey(store, outbox)
        self._hub = hub
        self._isBusy = False

    def look(self) -> Deferred[None] | None:
        """Say all that is there; each file goes once its message is in the durable outbox."""
        hub = self._hub()
        if hub is None or self._isBusy:
            return None
        self._isBusy = True
        looked: Deferred[None] = self._look(hub)
        return looked.addErrback(self._failed).addBoth(self._looked)

    def _failed(self, failure: Any) -> None:
        self.log.failure("sending observations failed", failure)

    def _looked(self, _: object) -> None:
        self._isBusy = False

    @inlineCallbacks
    def _look(self, hub: str) -> Any:
        site = None
        for path, spooled in self._spool.waiting():
            if site is None:
                site = yield self._key.name(hub)
            report = self._report(spooled, site)
            if report is None:
                self._spool.refuse(path, "its module is of no component that was shared")
                continue
            changes = Changes()
            self._outbox.say(MessageType.PERFORMANCE_REPORT, report, changes)
            yield self._outbox.commit(changes)
            self._spool.done(path)
            self.log.info("Observation of {id} goes to the hub", id=plain(report.component_id))

    def _report(self, spooled: SpooledObservation, site: str) -> PerformanceReport | None:
        """The report; the component is one known here with this very module, else the one that the export names."""
        module = spooled.observation.wasm_sha256
        found = {
            digest: known.component.id
            for digest, known in self._knowledge.components.items()
            if known.component.manifest is not None
            and known.component.manifest.wasm_sha256 == module
            and hashlib.sha256(known.component.wasm).hexdigest() == module
        }
        named, digest = spooled.component, spooled.digest
        if digest not in found and found:
            digest = next(iter(found))
        named = found.get(digest or "", named)
        if digest is None or named is None:
            return None
        observation = msgspec.structs.replace(spooled.observation, site=site)
        return PerformanceReport(named, digest=digest, observation=observation)
