"""Offers: which type is asked for next, and when one is open no more."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kernelnet.message import CollaborationRequest, CollaborationType
from kernelnet.trainer.collaboration.offers import MAX_REST, MAX_SOUGHT, OFFER_LASTS, SEEK_EVERY, Offers
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.outbox import Outbox

DEVELOPMENT, CROSS, CHEAPER = CollaborationType


class OffersTests(TestCase):
    def setUp(self) -> None:
        self.nothing: set[CollaborationType] = set()
        self.asked: list[set[str]] = []

        def propose(kind: CollaborationType, asked: Container[str]) -> CollaborationRequest | None:
            if kind is CHEAPER and "c" in asked:
                return None
            told: dict[str, Any] = {"component": "c"} if kind is CHEAPER else {}
            return None if kind in self.nothing else CollaborationRequest(kind, requirements=told)

        def broken(reason: str) -> None:
            raise AssertionError(reason)

        self.offers = Offers(propose, Outbox("AI_1", Store(Path(self.mktemp()), Clock()), broken))

    def seek(self, now: float, *running: CollaborationType) -> bool:
        self.offers.expire(now)
        return self.offers.seek(now, running, Changes())

    def kinds(self) -> list[CollaborationType]:
        return [offer.type for offer in self.offers.open()]

    def test_turns(self) -> None:
        """The types take turns, up to so many; one that runs, or that there is nothing to ask of, is passed over."""
        self.assertEqual([self.seek(0.0) for _ in range(MAX_SOUGHT + 1)], [True] * MAX_SOUGHT + [False])
        self.assertEqual(self.kinds(), [DEVELOPMENT, CROSS])
        self.assertTrue(self.seek(OFFER_LASTS))
        self.assertEqual(self.kinds(), [CHEAPER])
        self.nothing = {DEVELOPMENT}
        self.assertTrue(self.seek(3 * OFFER_LASTS))
        self.assertEqual(self.kinds(), [CROSS])
        self.assertFalse(self.seek(5 * OFFER_LASTS, CROSS, CHEAPER))

    def test_expire(self) -> None:
        """An offer that nobody answered in time is open no more."""
        self.seek(0.0)
        self.offers.expire(OFFER_LASTS - 1)
        self.assertEqual(self.kinds(), [DEVELOPMENT])
        self.offers.expire(OFFER_LASTS)
        self.assertEqual(self.kinds(), [])

    def test_accepted(self) -> None:
        """The offer of the type that was told is taken, else the oldest; each once."""
        for _ in range(2):
            self.seek(0.0)
        taken = self.offers.accepted(CROSS)
        self.assertEqual(taken.type if taken is not None else None, CROSS)
        self.assertIsNone(self.offers.accepted(CROSS))
        taken = self.offers.accepted(None)
        self.assertEqual(taken.type if taken is not None else None, DEVELOPMENT)

    def test_onceEach(self) -> None:
        """A component is asked for once, unless nobody had time for it."""
        self.nothing = {DEVELOPMENT, CROSS}
        self.assertTrue(self.seek(0.0))
        self.offers.accepted(CHEAPER)
        self.assertFalse(self.seek(1.0))
        self.nothing = set()
        self.offers.offer(CollaborationRequest(CHEAPER, requirements={"component": "c"}), 2.0, Changes())
        self.offers.declined(CHEAPER, 3.0)
        self.nothing = {DEVELOPMENT, CROSS}
        self.assertTrue(self.seek(3.0 + SEEK_EVERY))

    def test_rests(self) -> None:
        """Peers who had no time are asked again after a rest, ever later up to a bound; one who has ends that."""
        now, rests = 0.0, []
        for _ in range(6):
            self.assertTrue(self.seek(now))
            self.offers.declined(None, now)
            began = now
            while self.seek(now) is False and now < began + 1000:
                now += 5.0
            rests.append(now - began)
            self.offers.expire(now + OFFER_LASTS)
        self.assertEqual(rests[0], SEEK_EVERY)
        self.assertEqual(rests[-1], MAX_REST)
        self.assertEqual(rests, sorted(rests))
        now += MAX_REST
        self.assertTrue(self.seek(now))
        self.offers.accepted(None)
        self.assertTrue(self.seek(now))
        self.offers.declined(None, now)
        self.assertFalse(self.seek(now + SEEK_EVERY - 1))
        self.assertTrue(self.seek(now + SEEK_EVERY))
