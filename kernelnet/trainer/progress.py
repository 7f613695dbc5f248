"""Progress of a training: gathered from all who count something, and written down for whoever looks on."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from twisted.logger import Logger

from kernelnet.artifacts import MAX_PROGRESS, SearchProgress, Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.message import Heartbeat, MessageType
from kernelnet.trainer.collaboration.sessions import Sessions
from kernelnet.trainer.connection.client import HubClient
from kernelnet.trainer.messaging.dispatcher import Dispatcher
from kernelnet.trainer.profile import Profile
from kernelnet.trainer.storage.outbox import Outbox
from kernelnet.trainer.work.feature_requests import FeatureRequests
from kernelnet.trainer.work.search_rounds import SearchRounds
from kernelnet.trainer.work.verification import Verification

__all__ = ["TELL_EVERY", "Progress"]

TELL_EVERY = 2.0
"""Seconds between two reports to the hub of how the search goes, of which it takes one a second."""


class Progress:
    """
    Counts of one trainer, as they are now.

    =====================  ====================================================================================
    key                    value
    =====================  ====================================================================================
    ``ai_id``, ``specialization``
    ``online``             whether it is connected to a hub, which has greeted it; of a result: when its time was over
    ``connected``          whether a hub has ever greeted it in this run
    ``connected_seconds``  seconds in which one did, over all connections of this run
    ``rounds``, ``built``  number of searches of its own, and of components that came of them and of requests
    ``confirmed``          number of peers' components that it has confirmed, in earlier runs too
    ``to_measure``         number of peers' claims that wait for it
    ``sessions``           {state: number}, of earlier runs too
    ``this_run``           {``rounds``, ``built``, ``confirmed``, ``refuted``, ``unmeasurable``, ``sessions``}: what of
                           these was done in this run
    ``unacked``            number of messages that the hub has not acknowledged; they go out again
    ``skipped``            number of the hub's messages that it could not deal with
    ``updated``            RFC 3339
    =====================  ====================================================================================

    Besides, what its local trainer tells (`kernelnet.interfaces.ILocalTrainer.status`).

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
        self._sessionsBefore: dict[str, str] = {}
        self._hidden = False
        self._toldEnded: object = None

    def load(self) -> None:
        """Take up what an earlier run left: what it did is not of this one."""
        self._sessionsBefore = self._states()

    def _states(self) -> dict[str, str]:
        return {id_: session.status for id_, session in self._sessions.sessions.items()}

    def now(self) -> dict[str, Any]:
        """A JSON-able dict of how the training goes, for whoever shows it."""
        states = self._states()
        built = self._rounds.built + self._features.built
        moved = [state for id_, state in states.items() if self._sessionsBefore.get(id_) != state]
        verdicts = {verdict.value: self._verification.verdicts[verdict] for verdict in Verdict}
        return {
            "ai_id": self._profile.aiId,
            "specialization": self._profile.specialization,
            "online": self._client.isGreeted,
            "connected": self._client.factory.reached,
            "connected_seconds": round(self._client.factory.connectedSeconds, 3),
            "rounds": self._rounds.rounds,
            "built": built,
            "confirmed": self._verification.confirmed(),
            "to_measure": self._verification.unmeasured(),
            "sessions": _counted(states.values()),
            "this_run": {"rounds": self._rounds.rounds, "built": built, **verdicts, "sessions": _counted(moved)},
            "unacked": len(self._outbox),
            "skipped": self._dispatcher.failed,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._local.status(),
        }

    def search(self) -> SearchProgress | None:
        """
        Progress of the search, as the hub is told of it: once of the one that has ended, else of the one that goes on;
        C{None} where the local trainer doesn't say.
        """
        status = self._local.status()
        costs = status.get("costs")
        ended = status.get("ended")
        if ended is not None and ended != self._toldEnded:
            self._toldEnded = status = ended
        task, search = status.get("scenario"), status.get("search")
        if task is None or search is None:
            return None
        told = {
            "task": task,
            "evaluations": search["evaluations"],
            "train": _bounded(search.get("train")),
            "validation": _bounded(search.get("validation")),
            "rounds": self._rounds.rounds,
            "sessions": self._sessions.workedOn()[:16],
            "costs": costs,
        }
        try:
            progress = msgspec.convert(told, SearchProgress)
        except msgspec.ValidationError as error:
            self.log.debug("what the local trainer says of its search can't be told: {error}", error=str(error))
            return None
        return progress if len(msgspec.json.encode(progress)) <= MAX_PROGRESS else None

    def tell(self) -> None:
        """Tell the hub how the search goes; it is of no use later."""
        connection = self._client.factory.connection
        if connection is not None and connection.greeted and (progress := self.search()) is not None:
            connection.sayNow(MessageType.HEARTBEAT, Heartbeat(progress=progress))

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


def _counted(states: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(states).items()))


def _bounded(level: float | None) -> float | None:
    """A level that the hub takes: what is far below the reference it need not know closer."""
    return None if level is None or math.isnan(level) else max(-1e6, min(1e6, level))
