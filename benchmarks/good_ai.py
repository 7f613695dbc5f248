"""A well-behaved AI, and how long the hub lets it wait for its acks while others do what they do."""

from __future__ import annotations

import json
import os
import queue
import threading
import time

from kernelnet.identity import StateDirectory
from tests.system.support import PATIENCE, RawClient

__all__ = ["GoodAI", "letOthersGoFirst", "quantile"]

LARGE = 64 * 1024
"""Bytes from which on a line is no ack."""


class GoodAI:
    """
    Shares small patterns for an AI that is away, and hears at once all that it is told.

    What others share it is told, too.  It hears that in a thread of its own and doesn't decode what is no ack, so that
    what is measured is the hub, and not how long a client takes to read what came before its ack.
    """

    def __init__(self, state: StateDirectory, port: int, aiId: str, token: str) -> None:
        self._client = RawClient(state, port, aiId, token)
        self._stream = self._client.share()
        self._client.hello(protocol=2)
        self._acked: queue.Queue[tuple[str, float]] = queue.Queue()
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._hearing.start()

    def _hear(self) -> None:
        while True:
            try:
                line = self._client.nextLine()
            except (EOFError, OSError):
                return
            now = time.perf_counter()
            if len(line) < LARGE and b'"acked"' in line:
                for id_, _ in json.loads(line)["payload"].get("acked", ()):
                    self._acked.put((id_, now))

    def acks(self, seconds: float, rate: float) -> list[float]:
        """
        Milliseconds from sending to the ack, of each message that is sent meanwhile: the next one when the last is
        acked, and C{rate} a second at most.

        @raise queue.Empty: the hub acks nothing.
        """
        found: list[float] = []
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            id_ = self._client.send("pattern_share", {"pattern": {"id": "p", "type": "t", "confidence": 0.5}}, "AWAY")
            acked, at = self._acked.get(timeout=PATIENCE)
            assert acked == id_, f"{acked} was acked, and {id_} sent"
            found.append((at - begin) * 1000)
            time.sleep(max(0.0, 1 / rate - (time.perf_counter() - begin)))
        return found

    def close(self) -> None:
        """End the connection."""
        self._stream.hangUp()
        self._hearing.join()
        self._client.close()


def letOthersGoFirst() -> None:
    """
    Have this process run when no other wants its core.

    For who floods: else the good one, which shares its core, waits for it until the kernel's next tick (4 ms).
    """
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def quantile(values: list[float], share: float) -> float:
    """The value below which C{share} of them are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
