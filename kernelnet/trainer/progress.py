"""Progress of a training: gathered from all who count something, and written down for whoever looks on."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from twisted.logger import Logger

from kernelnet.artifacts import MAX_PROGRESS, SearchProgress
from kernelnet.interfaces import ILocalTrainer
from kernelnet.trainer.collaboration.sessions import Sessions
from kernelnet.trainer.connection.client import HubClient
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.feature_requests import FeatureRequests
from kernelnet.trainer.work.search_rounds import SearchRounds
from kernelnet.trainer.work.verification import Verification

__all__ = ["Progress"]


class Progress:
    """
    Counts of one trainer, as they are now.

    @param folder: where C{progress.json} is written.
    """

    log = Logger()

    def __init__(
        self,
        folder: Path,
        *,
        profile: Profile,
        local: ILocalTrainer,
        client: HubClient,
        outbox: Outbox,
        dispatcher: Dispatcher,
        rounds: SearchRounds,
        features: FeatureRequests,
        verification: Verification,
        sessions: Sessions,
    ) -> None:
        self._folder = folder
        self._profile = profile
        self._local = local
        self._client = client
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._rounds = rounds
        self._features = features
        self._verification = verification
        self._sessions = sessions
        self._hidden = False

    def now(self) -> dict[str, Any]:
        """A JSON-able dict of how the training goes, for whoever shows it."""
        sessions = [s.status for s in self._sessions.sessions.values()]
        return {
            "ai_id": self._profile.aiId,
            "specialization": self._profile.specialization,
            "online": self._client.isOnline,
            "rounds": self._rounds.rounds,
            "built": self._rounds.built + self._features.built,
            "confirmed": self._verification.confirmed(),
            "to_measure": self._verification.unmeasured(),
            "sessions": {status: sessions.count(status) for status in sorted(set(sessions))},
            "unacked": len(self._outbox),
            "skipped": self._dispatcher.failed,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._local.status(),
        }

    def search(self) -> SearchProgress | None:
        """Progress of the search, as the hub is told of it; C{None} where the local trainer doesn't say."""
        status = self._local.status()
        task, search = status.get("scenario"), status.get("search")
        if task is None or search is None:
            return None
        told = {
            "task": task,
            "evaluations": search["evaluations"],
            "train": _bounded(search.get("train")),
            "validation": _bounded(search.get("validation")),
            "rounds": self._rounds.rounds,
            "sessions": [id_ for id_, s in self._sessions.sessions.items() if s.status == "active"][:16],
        }
        try:
            progress = msgspec.convert(told, SearchProgress)
        except msgspec.ValidationError as error:
            self.log.debug("what the local trainer says of its search can't be told: {error}", error=str(error))
            return None
        return progress if len(msgspec.json.encode(progress)) <= MAX_PROGRESS else None

    def write(self) -> None:
        """Write it to C{progress.json}."""
        scratch = self._folder / ".progress.json"
        try:
            scratch.write_text(json.dumps(self.now()))
            scratch.rename(self._folder / "progress.json")
            self._hidden = False
        except OSError as e:
            if not self._hidden:  # such as a full disk: one line is enough
                self._hidden = True
                self.log.warn("can't write {path}: {e}", path=str(scratch), e=e)


def _bounded(level: float | None) -> float | None:
    """A level that the hub takes: what is far below the reference it need not know closer."""
    return None if level is None or math.isnan(level) else max(-1e6, min(1e6, level))
