"""The directory of AIs: fed by what is committed, whoever wrote it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.auth import tokens
from kernelnet.hub.routing.directory import Directory, saveHello
from kernelnet.hub.storage.engine import Committed
from kernelnet.message import Hello
from tests.hub.support import NOON, HubTestCase


class DirectoryTests(SynchronousTestCase):
    def test_follow(self) -> None:
        """It knows who got a token, and what was said in hellos; a later hello takes an earlier one's place."""
        directory = Directory()
        directory.follow(Committed(enrolled=["AI_1"]))
        self.assertEqual((directory.isKnown("AI_1"), directory.isKnown("AI_2")), (True, False))
        self.assertEqual(directory.ais, {})
        directory.follow(Committed(hellos=[("AI_2", Hello(specialization="file_system"), NOON)]))
        self.assertEqual(directory.able(["file_system"]), {"AI_2": 1})
        directory.follow(Committed(hellos=[("AI_2", Hello(specialization="network"), NOON + 1)]))
        self.assertEqual((directory.able(["file_system"]), directory.able(["network"])), ({}, {"AI_2": 1}))
        self.assertTrue(directory.isKnown("AI_2"))
        self.assertEqual(repr(directory), "<Directory enrolled=2 ais=1>")

    def test_replaceWith(self) -> None:
        """It can forget all that it knew for what another one knows."""
        directory, other = Directory(), Directory()
        directory.heard("AI_1", Hello(specialization="network"), NOON)
        other.heard("AI_2", Hello(specialization="memory"), NOON)
        directory.replaceWith(other)
        self.assertEqual((directory.enrolled, set(directory.ais)), ({"AI_2"}, {"AI_2"}))
        self.assertEqual((directory.able(["network"]), directory.able(["memory"])), ({}, {"AI_2": 1}))


class StoredTests(HubTestCase):
    def test_load(self) -> None:
        """What was committed is what a hub knows that starts anew; another's hello reaches it without a connection."""
        hello = Hello(specialization="scheduling", protocol=2)
        self.hub.transact(lambda transaction: saveHello(transaction, "AI_9", hello, None))
        self.hub.transact(lambda transaction: tokens.issue(transaction, "AI_8"))
        for directory in (self.hub.directory, Directory.load(self.hub.stored)):
            self.assertEqual(directory.able(["scheduling"]), {"AI_9": 1})
            self.assertTrue(directory.isKnown("AI_8"))
