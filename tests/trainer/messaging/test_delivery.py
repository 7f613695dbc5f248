"""A batch of which something can't be handled: it is tried again, and what is behind it waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.message import MessageType, NetworkMessage
from kernelnet.trainer.messaging.delivery import Delivery
from kernelnet.wire import rfc3339


class DeliveryTests(SynchronousTestCase):
    def test_triesAgain(self) -> None:
        """A second later, not before, from what failed on; the next batch waits until then."""
        clock, taken = Clock(), []

        def take(batch: list[NetworkMessage]) -> tuple[object, list[NetworkMessage]]:
            taken.append((clock.seconds(), [message.message_id for message in batch]))
            return None, batch[1:] if len(taken) == 1 else []

        parts: Any = SimpleNamespace(take=take, commit=succeed, takeReport=lambda: None)
        delivery = Delivery(
            aiId="AI_1",
            dispatcher=parts,
            sync=parts,
            outbox=parts,
            payloads=parts,
            clock=clock,
            wake=lambda: None,
            fail=self.fail,
        )
        connection: Any = SimpleNamespace(isCurrent=True)
        m1, m2, m3 = (NetworkMessage(f"m{n}", "AI_2", MessageType.PATTERN_SHARE, rfc3339(0), {}) for n in (1, 2, 3))
        first, second = delivery.received([m1, m2], connection), delivery.received([m3], connection)
        clock.advance(0.9)
        self.assertNoResult(first)
        clock.advance(0.1)
        self.assertEqual(taken, [(0, ["m1", "m2"]), (1, ["m2"]), (1, ["m3"])])
        self.successResultOf(first)
        self.successResultOf(second)
