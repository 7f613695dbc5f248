"""Works in the order in which they are committed: by what those of each AI have cost."""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub.storage import fair_queue
from kernelnet.hub.storage.fair_queue import FIRST_GUESS, REMEMBERED, FairQueue
from tests.hub.storage.test_group_commit import Appending


def work(author: str, name: str = "", size: int = 1) -> Appending:
    made = Appending(name or author)
    made.author, made.size = author, size
    return made


class FairQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue = FairQueue()

    def put(self, *authors: str) -> None:
        for author in authors:
            self.queue.put(work(author))

    def take(self, count: int = 1) -> str:
        return "".join(one.author or "-" for one in self.queue.take(count, 10**9))

    def test_turns(self) -> None:
        """Who has sent a thousand messages and who has sent two take turns, each in its own order."""
        self.put(*"a" * 1000, *"bb")
        self.assertEqual(self.take(6), "ababaa")

    def test_ownOrder(self) -> None:
        """An author's own messages keep their order, also those that were taken and given back."""
        for name in "123":
            self.queue.put(work("a", name))
        self.queue.putBack(self.queue.take(2, 99))
        self.assertEqual([one.name for one in self.queue.take(9, 99)], ["1", "2", "3"])  # type: ignore[attr-defined]
        self.assertEqual((len(self.queue), self.queue.size, self.queue.sizeOf("a")), (0, 0, 0))

    def test_byCost(self) -> None:
        """Of one whose messages cost ten times as much, a tenth as many are taken."""
        self.put(*"a" * 2000, *"b" * 2000)
        found = ""
        for _ in range(1100):
            author = self.take()
            self.queue.charge(author, 0.01 if author == "a" else 0.001)
            found += author
        self.assertAlmostEqual(found.count("b") / found.count("a"), 10, delta=1)

    def test_putBack(self) -> None:
        """Works that were taken and not done cost nothing: all have the same time, whatever one takes."""
        costs = {"a": 200e-6, "b": 200e-6, "c": 200e-6, "d": 200e-6, "light": 50e-6, "slow": 5e-3}
        self.put(*(author for author in costs for _ in range(3000)))
        had = dict.fromkeys(costs, 0.0)
        for _ in range(60):
            taken = self.queue.take(2000, 10**9, 0.003)
            done, spent = 0, 0.0
            while done < len(taken) and spent < 0.01:
                spent += costs[taken[done].author]
                done += 1
            self.queue.putBack(taken[done:])
            for one in taken[:done]:
                self.queue.charge(one.author, costs[one.author])
                had[one.author] += costs[one.author]
        self.assertLess(max(had.values()) / min(had.values()), 1.3, had)
        self.assertLess(len(self.queue._turns), 1000)

    def test_each(self) -> None:
        """Of one author no more is taken at once than it may take in seconds; others, and the hub, have their turns."""
        self.put(*"a" * 100, "b", *[""] * 3, *"b")
        self.assertEqual(
            "".join(one.author or "-" for one in self.queue.take(99, 99, 10 * FIRST_GUESS)), "---abab" + "a" * 8
        )
        self.assertEqual("".join(one.author for one in self.queue.take(99, 99, 5 * FIRST_GUESS)), "a" * 5)
        self.assertEqual(len(self.queue), 85)

    def alone(self, *works: Appending) -> list[str]:
        """@return: what is taken by and by; ten bytes are large, and each work costs a microsecond a byte."""
        for one in works:
            self.queue.put(one)
        found = []
        while taken := self.queue.take(99, 10**9, alone=10):
            found.append("".join(cast(Appending, one).name for one in taken))
            for each in taken:
                self.queue.charge(each.author, each.size * 1e-6)
        self.assertEqual((len(self.queue), self.queue.size), (0, 0))
        return found

    def test_alone(self) -> None:
        """A large work goes by itself, after those of others that may go before it; its author's later ones wait."""
        self.assertEqual(
            self.alone(work("b", "b"), work("a", "A", 10), work("a", "a"), work("c", "c", 9), work("d", "d")),
            ["bcd", "A", "a"],
        )

    def test_aloneInTurn(self) -> None:
        """Whose turn it is goes first with a large work, too, and alone, if that of others comes after its end."""
        for author, seconds in (("b", 0.9), ("c", 1.1), ("d", 1.1), ("e", 1.2)):
            self.queue.charge(author, seconds * FIRST_GUESS, taken=False)
        self.queue.put(work("e", "E", 99))
        for author in "dcb":
            self.put(author)
        self.assertEqual(self.alone(work("a", "A", 10)), ["bdc", "A", "E"])
        self.setUp()
        for author, seconds in (("b", 1.0), ("c", 1.1)):
            self.queue.charge(author, seconds * FIRST_GUESS, taken=False)
        self.put(*"bc")
        self.assertEqual(self.alone(work("a", "A", 10)), ["A", "bc"])

    def test_aloneWaits(self) -> None:
        """However often others come before its end, a large work has its turn once theirs are after that."""
        self.queue.put(work("a", "A", 10))
        found = ""
        while "A" not in found and len(found) < 99:
            self.put("b")
            for one in self.queue.take(9, 99, alone=10):
                found += cast(Appending, one).name
                self.queue.charge(one.author, 0.3 * FIRST_GUESS)
        self.assertEqual(found, "bbbbA")

    def test_aloneButHub(self) -> None:
        """The hub's own works, which may be in each commit, keep no large work back for good."""
        self.queue.put(work("a", "A", 10))
        self.assertEqual(self.alone(work("", "-"), work("", "H", 10), work("", "-")), ["-H", "-A"])
        self.assertEqual(self.alone(work("b", "b"), work("", "H", 10)), ["H", "b"])

    def test_aloneBounds(self) -> None:
        """The bounds of a take hold for a large work, too, behind the hub's own."""
        for most, size in ((1, 99), (9, 8)):
            self.queue.put(work("a", "A", 10))
            self.queue.put(work("", "-", 9))
            self.assertEqual([one.author for one in self.queue.take(most, size, alone=10)], [""])
            self.assertEqual([one.author for one in self.queue.take(most, size, alone=10)], ["a"])

    def test_alonePlaces(self) -> None:
        """Large works that others were preferred to keep their places among those of the same time."""
        for author in "abc":
            self.queue.put(work(author, author.upper(), 10))
        self.put("d")
        found = [[cast(Appending, one).name for one in self.queue.take(9, 99, alone=10)] for _ in range(4)]
        self.assertEqual(found, [["d"], ["A"], ["B"], ["C"]])

    def shares(self, counts: dict[str, int], sizes: dict[str, int]) -> dict[str, float]:
        """@return: seconds that were spent for each kind of author, all of which have always more to be written."""
        had = dict.fromkeys(counts, 0.0)

        def more(author: str) -> None:
            for _ in range(9 - self.queue.sizeOf(author) // sizes[author[0]]):
                self.queue.put(work(author, size=sizes[author[0]]))

        for _ in range(2000):
            for kind, count in counts.items():
                for number in range(count):
                    more(f"{kind}{number}")
            self.queue.put(work(""))
            for one in self.queue.take(2000, 1 << 20, 0.001, 1 << 16):
                if one.author:
                    cost = 20e-6 + one.size * (200e-9 if one.size >= 1 << 16 else 50e-9)
                    self.queue.charge(one.author, cost)
                    had[one.author[0]] += cost / counts[one.author[0]]
        return had

    def test_largeAndSmall(self) -> None:
        """Who sends large works only and those who flood with small ones have the same time, whoever they are more."""
        for counts in ({"l": 1, "s": 1}, {"l": 1, "s": 5}, {"l": 5, "s": 1}):
            self.queue = FairQueue()
            had = self.shares(counts, {"l": 1 << 18, "s": 200})
            self.assertLess(max(had.values()) / min(had.values()), 1.5, (counts, had))

    def test_afterwards(self) -> None:
        """What telling others of its messages has cost counts, too: in full, and it is no guess of the next."""
        self.put(*"aabbbb")
        self.assertEqual(self.take(2), "ab")
        self.queue.charge("a", 1.2 * FIRST_GUESS, taken=False)
        self.assertEqual(self.take(4), "bbab")
        self.put(*"aaaa")
        self.queue.charge("a", 9.0, taken=False)
        self.assertEqual(len(self.queue.take(99, 99, 2.5 * FIRST_GUESS)), 3)

    def test_guess(self) -> None:
        """Of the next work an eighth of what the last one cost is believed."""
        self.put(*"a" * 99)
        self.take()
        self.queue.charge("a", 9 * FIRST_GUESS)  # makes it two
        self.assertEqual(len(self.queue.take(99, 99, 27 * FIRST_GUESS)), 14)

    def test_newcomer(self) -> None:
        """A newcomer's turn comes with those whose turn it is, not behind what is only thought of."""
        self.put(*"aabb")
        self.assertEqual(self.take(), "a")
        self.put("c")
        self.assertEqual(self.take(3), "bca")
        # with nobody left it begins where the last one ended
        self.put("b")
        self.take(9)
        self.put(*"bd")
        self.assertEqual(self.take(2), "bd")

    def test_nothingSaved(self) -> None:
        """Who was quiet for long comes next, but has no more turns than others after that."""
        self.put(*"a" * 50)
        for _ in range(20):
            self.take()
            self.queue.charge("a", 0.1)
        self.put(*"b" * 50)
        found = ""
        for _ in range(20):
            author = self.take()
            self.queue.charge(author, 0.1)
            found += author
        self.assertIn(found.count("b"), (10, 11), found)

    def test_hub(self) -> None:
        """The hub's own works go first, and cost nobody anything."""
        self.put("a", "", "a", "")
        self.queue.charge("", 9.0)
        self.assertEqual(self.take(9), "--aa")

    def test_bytes(self) -> None:
        """No more is taken once there are enough bytes, but one work always."""
        for size in (50, 60, 70):
            self.queue.put(work("a", size=size))
        self.assertEqual((self.queue.size, self.queue.sizeOf("a")), (180, 180))
        self.assertEqual(len(self.queue.take(9, 100)), 2)
        self.assertEqual(len(self.queue.take(9, 1)), 1)
        self.assertEqual(self.queue.take(9, 1), [])
        for _ in range(3):
            self.queue.put(work("a", size=50))
        self.assertEqual(len(self.queue.take(9, 99)), 2)
        self.queue.put(work("a", size=50))
        self.assertEqual(len(self.queue.take(9, 50)), 2)
        self.assertEqual((self.queue.size, self.queue.sizeOf("a"), self.queue.sizeOf("b")), (0, 0, 0))

    def test_forgotten(self) -> None:
        """Authors who came and went leave nothing behind."""
        for i in range(3 * REMEMBERED):
            self.queue.put(work(f"AI_{i}"))
            self.take()
            self.queue.charge(f"AI_{i}", 1e-6)
        self.assertLessEqual(len(self.queue._times), REMEMBERED + 1)
        self.assertLessEqual(len(self.queue._guesses), REMEMBERED + 1)

    def test_remembered(self) -> None:
        """So many are remembered; with one more those are forgotten whose turn is no later than a newcomer's."""
        self.assertEqual(REMEMBERED, 1000)
        self.patch(fair_queue, "REMEMBERED", 2)
        self.queue = FairQueue()
        for author, known in (("a", {"a"}), ("b", {"a", "b"}), ("c", set()), ("d", {"d"})):
            self.put(author)
            self.take()
            self.assertEqual(set(self.queue._times), known)

    def test_debts(self) -> None:
        """Who has used up more than a newcomer is not forgotten, nor who still waits."""
        self.patch(fair_queue, "REMEMBERED", 2)
        self.queue = FairQueue()
        self.put(*"aabc")
        self.take()
        self.queue.charge("a", 9.0)
        self.take(2)
        self.assertEqual(set(self.queue._times), {"a", "b", "c"})
        self.put("b")
        self.assertEqual(self.take(9), "ba")

    def test_seldomForgotten(self) -> None:
        """However many are busy, it is looked whom to forget when their number has doubled, not at each turn."""
        self.patch(fair_queue, "REMEMBERED", 10)
        self.queue = FairQueue()
        found: list[int] = []
        forget = self.queue._forget

        def noted() -> None:
            found.append(len(self.queue._times))
            forget()

        self.patch(self.queue, "_forget", noted)
        for i in range(100):
            self.put(*[f"AI_{i}"] * 2)
            self.take()
        self.assertEqual(found, [11, 23, 47, 95])
