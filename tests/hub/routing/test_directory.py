"""The directory of AIs: fed by what is committed, whoever wrote it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.auth import tokens
from kernelnet.hub.routing.directory import MAX_LOOKS, MAX_WORDS, Directory, saveHello
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

    def known(self, **capabilities: list[str]) -> Directory:
        directory = Directory()
        for aiId, words in capabilities.items():
            directory.heard(aiId, Hello(specialization=words[0], capabilities=words[1:]), NOON)
        return directory

    def test_ablest(self) -> None:
        """The three who have the largest share of their own words in a feature are asked, though no one has all."""
        directory = self.known(
            AI_1=["file_operations"],
            AI_2=["file", "storage", "trees"],
            AI_3=["cache", "audio"],
            AI_4=["file_operations", "cache", *(f"word{i}" for i in range(90))],
            AI_5=["audio"],
        )
        feature = "file operations cache"
        self.assertEqual(directory.ablest(feature, "AI_9", ()), ["AI_1", "AI_3", "AI_2"])
        self.assertEqual(directory.ablest(feature, "AI_1", ()), ["AI_3", "AI_2", "AI_4"])
        self.assertEqual(directory.ablest("File_Operations!", "", ())[:1], ["AI_1"])
        self.assertEqual((directory.ablest("paging", "", ()), directory.ablest("…", "", ())), ([], []))

    def test_amongEquals(self) -> None:
        """Among those who fit as well, who completed most sessions comes first, then who is here, then who was last."""
        directory = self.known(**{f"AI_{i}": ["file"] for i in range(5)})
        self.assertEqual(directory.ablest("file", "", ()), ["AI_0", "AI_1", "AI_2"])
        directory.follow(Committed(completed=["AI_4", "AI_3", "AI_4"]))
        directory.heard("AI_1", Hello(specialization="file"), NOON + 1)
        self.assertEqual(directory.ablest("file", "", ()), ["AI_4", "AI_3", "AI_1"])
        self.assertEqual(dict(directory.completed), {"AI_4": 2, "AI_3": 1})
        self.assertEqual(directory.ablest("file", "", {"AI_2"}), ["AI_4", "AI_3", "AI_2"])
        directory.heard("AI_4", Hello(specialization="audio"), NOON + 2)
        self.assertEqual(directory.ablest("file", "", ()), ["AI_3", "AI_1", "AI_0"])
        self.assertEqual(directory.ablest("audio", "", ()), ["AI_4"])

    def test_bounded(self) -> None:
        """However many could do it, and however many words they name, a bounded number is looked at."""
        directory = self.known(**{f"AI_{i}": ["file", f"w{i}"] for i in range(2000)})
        looked: list[str] = []

        class Noting(set[str]):
            def __contains__(self, aiId: object) -> bool:
                looked.append(str(aiId))
                return False

        self.assertEqual(directory.ablest("file system cache", "", Noting()), ["AI_0", "AI_1", "AI_10"])
        self.assertLessEqual(len(looked), MAX_LOOKS)
        directory.heard("AI_X", Hello(specialization="file", capabilities=[f"x{i}" for i in range(5000)]), NOON)
        self.assertEqual(len(directory.ais["AI_X"].words), MAX_WORDS)

    def test_looksNoFurther(self) -> None:
        """Who has few words is looked at first, until nobody who comes later can be better than the three best."""
        directory = self.known(
            ONE=["file"],
            TWO=["file", "cache"],
            FOUR=["file", "a", "b", "c"],
            FIVE=["file", "cache", "a", "b", "c"],
            NINE=["file", "cache", *"abcdefg"],
            TEN=["file", "cache", *"abcdefgh"],
        )
        looked: list[str] = []

        class Noting(set[str]):
            def __contains__(self, aiId: object) -> bool:
                looked.append(str(aiId))
                return False

        self.assertEqual(directory.ablest("file cache", "", Noting()), ["ONE", "TWO", "FIVE"])
        self.assertEqual(looked, ["ONE", "TWO", "FOUR", "FIVE"])

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
