"""`SiteKey`: random names of this place and its traces, for one hub each."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from twisted.internet.defer import inlineCallbacks

from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.outbox import Outbox

__all__ = ["SiteKey"]


class SiteKey:
    """A secret of the trainer's own, which its database keeps; names come of it that tell nothing but whether equal."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    @inlineCallbacks
    def name(self, hub: str, *trace: str) -> Any:
        """
        The name of this place, or of a trace here, for one hub: two hubs, and two owners of one trace, can't tell that
        it is the same.

        @param hub: its log id.
        @param trace: workbench and digest.
        """
        changes = Changes()
        changes.add("INSERT OR IGNORE INTO meta VALUES ('site_key', ?)", secrets.token_hex(32))
        rows = yield self._store.read("SELECT value FROM meta WHERE key = 'site_key'")
        if not rows:
            yield self._outbox.commit(changes)
            rows = yield self._store.read("SELECT value FROM meta WHERE key = 'site_key'")
        return hashlib.sha256(" ".join((rows[0][0], hub, *trace)).encode()).hexdigest()[:32]
