"""Components: the newest version of each, verdicts counted, and all that is asked of them."""

from __future__ import annotations

from typing import Any

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.components import (
    COMPONENT_SORTS,
    COMPONENT_STATES,
    ComponentKey,
    ComponentsQueries,
    ComponentTurn,
    NewComponent,
    StoredComponent,
)
from kernelnet.hub.storage.statements.reports import NewReport
from kernelnet.hub.storage.transaction import Transaction
from tests.hub.databases import onEveryEngine
from tests.hub.storage.conformance.support import EngineTestCase, append


class ComponentsTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent = 0

    def share(self, id: str, author: str = "a", **fields: Any) -> int:
        """
        Share a component with a digest of its own.

        @return: the seq of the message that it came with.
        """
        ordinary: dict[str, Any] = {
            "kind": "component",
            "name": f"name of {id}",
            "feature": "fs",
            "digest": f"digest of {id}",
            "level": 0.5,
            "timestamp": "",
            "body": b"{}",
        }
        new = NewComponent(author, id, **{**ordinary, **fields})
        self.sent += 1

        def share(transaction: Transaction) -> Event:
            event = append(transaction, author, f"m{self.sent}")
            transaction.components.put(event, new)
            if new.digest:
                transaction.components.countVerdicts(new.digest)
            return event

        return self.write(share).seq

    def judge(self, id: str, reporter: str, verdict: str | None, digest: str | None = None) -> None:
        """Report on a component, by default that which `share` makes."""
        digest = f"digest of {id}" if digest is None else digest
        self.sent += 1

        def judge(transaction: Transaction) -> None:
            event = append(transaction, reporter, f"m{self.sent}")
            transaction.reports.put(event, NewReport(reporter, id, digest, verdict, "", b"{}"))
            transaction.components.countVerdicts(digest)

        self.write(judge)

    def query(self, name: str, *args: Any, **options: Any) -> Any:
        """The result of one of `ComponentsQueries`; what an iterator gives as a list."""

        def query(reader: Any) -> Any:
            components: ComponentsQueries = reader.components
            found = getattr(components, name)(*args, **options)
            return [*found] if hasattr(found, "__next__") else found

        return self.ask(query)

    def ids(self, name: str, *args: Any, **options: Any) -> str:
        """The ids that a query found, in its order; they have one letter each."""
        return "".join(one.id for one in self.query(name, *args, **options))

    def listed(self, sort: str = "newest", **options: Any) -> str:
        asked = {"workbench": None, "author": None, "state": None, "limit": 99, "after": None, **options}
        return self.ids("listed", sort=sort, **asked)

    def key(self, id: str) -> ComponentKey:
        (one,) = [one for one in self.query("after", None) if one.id == id]
        key: ComponentKey = one.key
        return key


@onEveryEngine
class VersionTests(ComponentsTestCase):
    def test_kept(self) -> None:
        """A component is kept as it was shared, with its message's number, by later engines too."""
        seq = self.share("x", level=3, timestamp="then", body='{"é":1}'.encode())
        self.again()
        expected = StoredComponent("a", "x", "component", "digest of x", 3.0, 0, 0, seq, "then", '{"é":1}'.encode())
        for found in (self.query("at", seq), self.query("withDigest", "digest of x"), self.query("best", "fs", "b")):
            self.assertEqual(found, expected)
            self.assertIsInstance(found.level, float)

    def test_replaced(self) -> None:
        """An author's next version stands in the place of the last, of whichever kind; its verdicts count anew."""
        self.share("x")
        self.judge("x", "b", "confirmed")
        self.share("x", author="c")
        self.share("x", digest="other")
        found = [(one.author, one.digest, one.confirmed) for one in self.query("inOrder")]
        self.assertEqual(found, [("c", "digest of x", 1), ("a", "other", 0)])
        self.share("x", kind="code", digest="")
        self.assertEqual((self.query("countByKind"), self.ids("inOrder")), ({"code": 1, "component": 1}, "x"))
        self.share("x")
        self.assertEqual(self.query("countByKind"), {"component": 2})

    def test_sameAgain(self) -> None:
        """What comes again with the same digest has the verdicts on that."""
        self.share("x", level=0.1)
        self.judge("x", "b", "refuted")
        self.share("x", level=0.2)
        (found,) = self.query("inOrder")
        self.assertEqual((found.level, found.refuted), (0.2, 1))


@onEveryEngine
class VerdictTests(ComponentsTestCase):
    def counts(self) -> dict[str, tuple[int, int]]:
        return {one.id: (one.confirmed, one.refuted) for one in self.query("inOrder")}

    def test_perAi(self) -> None:
        """Each AI counts once for a verdict, the author's own never, and what decides nothing not at all."""
        self.share("x")
        for reporter, verdict in (("b", "confirmed"), ("c", "refuted"), ("a", "confirmed"), ("d", "unmeasurable")):
            self.judge("x", reporter, verdict)
        self.judge("x", "e", None)
        self.assertEqual(self.counts(), {"x": (1, 1)})
        self.judge("x", "b", "confirmed")
        self.assertEqual(self.counts(), {"x": (1, 1)})
        self.judge("x", "b", "refuted")  # it has changed its mind
        self.assertEqual(self.counts(), {"x": (0, 2)})
        self.judge("x", "f", "confirmed")
        self.assertEqual(self.counts(), {"x": (1, 2)})

    def test_twoIds(self) -> None:
        """Who reports the same digest under two ids counts once for each verdict."""
        self.share("x")
        for id_, verdict in (("x", "confirmed"), ("y", "confirmed"), ("z", "refuted")):
            self.judge(id_, "b", verdict, "digest of x")
        self.assertEqual(self.counts(), {"x": (1, 1)})

    def test_shared(self) -> None:
        """Verdicts are about the digest: each that has it has them, but its own author's; no other has."""
        self.share("x", "a", digest="d")
        self.share("y", "b", digest="d")
        self.share("z", "a")
        for reporter in "abc":
            self.judge("x", reporter, "confirmed", "d")
        self.assertEqual(self.counts(), {"x": (2, 0), "y": (2, 0), "z": (0, 0)})

    def test_ownOnly(self) -> None:
        """Where one component is named, verdicts on others of this digest are not counted, be they its author's."""
        self.share("x")
        self.share("x", author="c", digest="digest of x")
        self.share("y", author="c", digest="digest of x")
        self.sent += 1

        def judge(transaction: Transaction) -> None:
            event = append(transaction, "b", f"m{self.sent}")
            transaction.reports.put(event, NewReport("b", "x", "digest of x", "confirmed", "", b"{}"))
            transaction.components.countVerdicts("digest of x", ("c", "y"))

        self.write(judge)
        self.assertEqual([(one.id, one.confirmed) for one in self.query("inOrder")], [("x", 0), ("x", 0), ("y", 1)])

    def test_idsWith(self) -> None:
        """Ids of an author with a digest are counted, to a limit; without those of others, and of other digests."""
        for id, author in (("x", "a"), ("y", "a"), ("z", "a"), ("x", "b")):
            self.share(id, author=author, digest="d")
        self.share("w", digest="e")
        counts = [self.query("idsWith", "d", "a", id, limit) for id, limit in (("w", 9), ("x", 9), ("w", 2))]
        self.assertEqual(counts, [3, 2, 2])
        self.assertEqual([self.query("copies", of, limit) for of, limit in (("d", 9), ("d", 3), ("e", 9))], [4, 3, 1])

    def test_beforeIt(self) -> None:
        """Reports that were there before the component count, too."""
        self.judge("x", "b", "confirmed")
        self.share("x")
        self.assertEqual(self.counts(), {"x": (1, 0)})

    def test_confirmed(self) -> None:
        """Those that somebody confirmed are counted, also where others disagree."""
        for id_ in "xyz":
            self.share(id_)
        self.judge("x", "b", "confirmed")
        self.judge("y", "b", "confirmed")
        self.judge("y", "c", "refuted")
        self.judge("z", "c", "refuted")
        self.assertEqual(self.query("countConfirmed"), 2)
        self.assertEqual(self.query("countByState"), {"confirmed": 1, "disputed": 1, "refuted": 1})
        self.share("w")
        self.share("v", kind="code", digest="")
        counted = {"confirmed": 1, "disputed": 1, "refuted": 1, "unmeasured": 1}
        self.assertEqual(self.query("countByState"), counted)


@onEveryEngine
class RankTests(ComponentsTestCase):
    def setUp(self) -> None:
        """Best first: f (rank 1); of rank 0: e, c, a (by seq), then d by its level; b is refuted; g is code."""
        super().setUp()
        for id_, level in (("a", 0.5), ("b", 0.9), ("c", 0.5), ("d", 0.25), ("e", 0.5), ("f", 0.1)):
            self.share(id_, feature="net" if id_ in "cd" else "fs")
            self.share(id_, level=level, feature="net" if id_ in "cd" else "fs")
        self.share("g", kind="code", digest="", level=0.4, feature="fs")
        self.judge("f", "b", "confirmed")
        self.judge("b", "b", "refuted")

    def test_bestFirst(self) -> None:
        """By rank, level and seq, building blocks among them; each page goes on behind the last one seen."""
        order = "fecagdb"
        self.assertEqual(self.ids("after", None), order)
        for i, id_ in enumerate(order):
            self.assertEqual(self.ids("after", self.key(id_)), order[i + 1 :], id_)
        self.assertEqual(self.ids("after", ComponentKey(0, 0.45, 0)), "gdb")
        self.assertEqual(self.ids("after", ComponentKey(-1, -1e300, 0)), "")

    def test_best(self) -> None:
        """The best one for a feature, by its workbench or its name, and never the requestor's own."""

        def best(feature: str, requestor: str = "x") -> str | None:
            found: StoredComponent | None = self.query("best", feature, requestor)
            return found.id if found else None

        self.assertEqual((best("fs"), best("net"), best("name of a")), ("f", "c", "a"))
        self.assertEqual((best("fs", "a"), best("name of g"), best("unknown")), (None, None, None))
        self.share("h", "b", feature="fs", level=0.3)
        self.assertEqual((best("fs", "a"), best("fs", "b")), ("h", "f"))

    def test_looks(self) -> None:
        """The best of another's is found behind 999 of one's own, but not behind `LOOKS` of them: that takes long."""
        self.share("z", author="b", level=0.1, feature="looked for")

        def many(transaction: Transaction, start: int, count: int) -> None:
            for i in range(start, start + count):
                event = append(transaction, "a", f"own {i}")
                new = NewComponent("a", f"own {i}", "component", "n", "looked for", "", 0.9, "", b"{}")
                transaction.components.put(event, new)

        self.write(lambda transaction: many(transaction, 0, 999))
        self.assertEqual(self.query("best", "looked for", "a").id, "z")
        self.write(lambda transaction: many(transaction, 1000, 1))
        self.assertIsNone(self.query("best", "looked for", "a"))
        self.assertEqual(self.query("best", "name of z", "a").id, "z")
        self.assertEqual(self.query("best", "looked for", "b").author, "a")

    def test_sorts(self) -> None:
        """Each order, of components alone, as many as were asked for."""
        orders = {"level": "fecadb", "confirmed": "fecadb", "newest": "fedcba"}
        self.assertEqual(tuple(orders), COMPONENT_SORTS)
        for sort, order in orders.items():
            self.assertEqual((self.listed(sort), self.listed(sort, limit=2)), (order, order[:2]), sort)
            for i, id_ in enumerate(order):
                self.assertEqual(self.listed(sort, after=self.key(id_), limit=3), order[i + 1 : i + 4], (sort, id_))
            self.assertEqual(self.listed(sort, workbench="net"), "".join(id_ for id_ in order if id_ in "cd"))
            last = self.key(order[-1])
            self.assertEqual(self.listed(sort, workbench="net", after=last), "")

    def test_keys(self) -> None:
        """Of a key only that counts by which the order goes."""
        self.assertEqual(self.listed("newest", after=self.key("c")._replace(rank=-9, level=-9.0)), "ba")
        self.assertEqual(self.listed("level", after=self.key("c")._replace(rank=-9)), "adb")

    def turns(self, each: int, after: str = "", limit: int = 99) -> str:
        """Ids in turn, behind that of C{after}."""
        every = self.query("inTurn", each, None, 99)
        key = next((place for place, one in every if one.id == after), None)
        return "".join(one.id for _, one in self.query("inTurn", each, key, limit))

    def test_inTurn(self) -> None:
        """By standing; of the same each author has a few before any has more; each page goes on behind the last."""
        self.share("v", "w", level=0.01, feature="fs")
        self.share("w", "w", level=0.02, feature="fs")
        self.judge("d", "b", "confirmed")
        for each, order in ((1, "dfewcvagb"), (2, "dfecwvagb"), (99, "dfecagwvb")):
            self.assertEqual(self.turns(each), order, each)
            for i, id_ in enumerate(order):
                self.assertEqual(self.turns(each, id_, 3), order[i + 1 : i + 4], (each, id_))
        self.share("z", "w", level=0.9, feature="fs")
        self.assertEqual(self.turns(1, "e"), "cwavgb")
        place, _ = self.query("inTurn", 1, None, 1)[0]
        self.assertIsInstance(place, ComponentTurn)
        self.assertEqual(self.turns(1, limit=0), "")

    def test_states(self) -> None:
        """Each state, in each order, with all else that was asked."""
        self.judge("a", "b", "confirmed")
        self.judge("a", "c", "refuted")
        states = {"confirmed": "f", "refuted": "b", "disputed": "a", "unmeasured": "edc"}
        self.assertEqual(tuple(states), COMPONENT_STATES)
        for state, ids in states.items():
            self.assertEqual(self.listed(state=state), ids)
        self.assertEqual(self.listed("level", state="unmeasured", workbench="net", limit=1), "c")
        self.assertEqual(self.listed("level", state="unmeasured", after=self.key("c")), "d")
        self.assertEqual(self.listed(state="unmeasured", workbench="none"), "")

    def test_author(self) -> None:
        """Those of one author, in each order, with all else that was asked."""
        self.share("h", "b", level=0.3, feature="net")
        for sort in COMPONENT_SORTS:
            self.assertEqual(self.listed(sort, author="b"), "h")
        self.assertEqual(self.listed("level", author="a", workbench="net"), "cd")
        self.assertEqual(self.listed("level", workbench="net"), "chd")
        self.assertEqual(self.listed(author="nobody"), "")

    def test_inOrder(self) -> None:
        """All components by seq."""
        self.share("a")
        self.assertEqual(self.ids("inOrder"), "bcdefa")

    def test_confirmedOnly(self) -> None:
        """The newest that are confirmed and not disputed, the oldest of them first."""
        for id_ in "bce":
            self.judge(id_, "c", "confirmed")
        self.assertEqual((self.ids("confirmedOnly", 9), self.ids("confirmedOnly", 2)), ("cef", "ef"))
        self.assertEqual(self.ids("confirmedOnly", 0), "")


@onEveryEngine
class RulesTests(ComponentsTestCase):
    def setUp(self) -> None:
        """Of C{fs} a and b are of the rules old, c and d of new; a and c are confirmed, and e claims nothing."""
        super().setUp()
        self.followed = 0
        for id_, rules, level in (
            ("a", "old", 0.9),
            ("b", "old", 0.8),
            ("c", "new", 0.2),
            ("d", "new", 0.1),
            ("e", "", 0),
        ):
            self.share(id_, level=level, workbenchDigest=rules)
        for id_ in "ac":
            self.judge(id_, "b", "confirmed")

    def older(self) -> str:
        return "".join(one.id for one in self.query("inOrder") if one.olderRules)

    def follow(self, id_: str, reporter: str = "b") -> None:
        self.followed += 1
        self.write(lambda transaction: transaction.components.followRules(f"digest of {id_}", reporter, self.followed))

    def set(self, **installed: str) -> None:
        self.write(lambda transaction: transaction.components.setRules(installed))

    def test_set(self) -> None:
        """What was claimed under other rules than those that are installed is told apart, also what comes later."""
        self.assertEqual((self.older(), self.query("rules")), ("", {}))
        self.set(fs="new", net="x")
        self.again()
        self.assertEqual((self.older(), self.query("rules")), ("ab", {"fs": "new", "net": "x"}))
        self.share("f", workbenchDigest="old")
        self.share("g", workbenchDigest="new")
        self.share("h", workbenchDigest="old", feature="other")
        self.assertEqual(self.older(), "abf")
        self.set(fs="old")
        self.assertEqual(self.older(), "cdg")
        self.share("c", level=0.2, workbenchDigest="old")
        self.assertEqual(self.older(), "dg")

    def test_follow(self) -> None:
        """Where a workbench isn't installed, those rules are in force that something was confirmed under."""
        self.follow("b")  # nobody has confirmed it
        self.follow("none")
        self.follow("e")
        self.assertEqual((self.older(), self.query("rules")), ("", {}))
        self.follow("a")
        self.assertEqual((self.older(), self.query("rules")), ("cd", {"fs": "old"}))
        self.follow("c")
        self.assertEqual((self.older(), self.query("rules")), ("ab", {"fs": "new"}))
        self.set(fs="old")
        self.follow("c")  # what is installed counts more
        self.assertEqual((self.older(), self.query("rules")), ("cd", {"fs": "old"}))
        self.set(net="x")  # fs is not installed any more
        self.assertEqual((self.older(), self.query("rules")), ("cd", {"fs": "old", "net": "x"}))
        self.follow("c")
        self.assertEqual(self.older(), "ab")

    def test_voices(self) -> None:
        """Each AI has one voice, which goes with what it confirmed last; it takes more of them to change the rules."""
        for reporter in ("b", "c"):
            self.follow("a", reporter)
        for _ in range(20):
            self.follow("c", "liar")
        self.assertEqual(self.query("rules"), {"fs": "old"})
        self.again()
        self.follow("c", "b")
        self.assertEqual(self.query("rules"), {"fs": "new"})
        self.follow("a", "d")  # as many: it stays
        self.assertEqual((self.older(), self.query("rules")), ("ab", {"fs": "new"}))
        self.follow("a", "e")
        self.assertEqual((self.older(), self.query("rules")), ("cd", {"fs": "old"}))

    def test_voicesOfOthers(self) -> None:
        """An author has no voice by its own claim."""
        author = self.query("inOrder")[0].author
        self.follow("a", author)
        self.assertEqual(self.query("rules"), {})

    def test_voicesFade(self) -> None:
        """Who has confirmed nothing for long has no voice: 16 (`VOICES`) have one, of those who did so last."""
        for number in range(20):
            self.follow("a", f"old {number}")
        for number in range(8):
            self.follow("c", f"new {number}")
        self.assertEqual(self.query("rules"), {"fs": "old"})
        self.follow("c", "one more")
        self.assertEqual(self.query("rules"), {"fs": "new"})

    def test_apart(self) -> None:
        """What is of older rules stands last in every order, however well it stood; and is the best of nothing."""
        self.assertEqual([self.listed(sort) for sort in COMPONENT_SORTS], ["acbde", "acbde", "edcba"])
        self.set(fs="new")
        orders = ("cdeab", "cdeab", "edcba")
        self.assertEqual(tuple(self.listed(sort) for sort in COMPONENT_SORTS), orders)
        for sort, order in zip(COMPONENT_SORTS, orders, strict=True):
            for i, id_ in enumerate(order):
                self.assertEqual(self.listed(sort, after=self.key(id_)), order[i + 1 :], (sort, id_))
        self.assertEqual("".join(one.id for _, one in self.query("inTurn", 1, None, 9))[-2:], "ab")
        self.share("f", level=0.95, workbenchDigest="old")
        self.assertEqual(self.listed("level"), "cdeafb")  # confirmed ones first, there too
        self.assertEqual(self.query("best", "fs", "x").id, "c")
        self.set(fs="newer")
        self.assertIsNone(self.query("best", "name of a", "x"))


@onEveryEngine
class NameTests(ComponentsTestCase):
    DIGEST = "abcdef0123456789" * 4

    def test_named(self) -> None:
        """By the whole id; by six digits (`MIN_PREFIX`) or more that a digest begins with, however written; by seq."""
        self.share("y", digest=self.DIGEST)
        self.share("x", digest="abcdef9" + "0" * 57)
        self.share("abcdef", digest="1" * 64)
        self.share("z", author="b", digest="2" * 64)
        self.share("z", digest="3" * 64)
        self.share("abcdef", author="c", kind="code", digest="")

        def named(name: str) -> list[tuple[str, str]]:
            return [(one.author, one.id) for one in self.query("named", name)]

        self.assertEqual(named("abcdef"), [("a", "y"), ("a", "x"), ("a", "abcdef")])
        self.assertEqual(named("ABCDEF0"), [("a", "y")])
        self.assertEqual(named(self.DIGEST), [("a", "y")])
        self.assertEqual(named("z"), [("b", "z"), ("a", "z")])
        for nothing in ("abcde", "Z", "", "bcdef0", "______", "%%%%%%", self.DIGEST + "0"):
            self.assertEqual(named(nothing), [], nothing)

    def test_one(self) -> None:
        """By its message; by its whole digest the first of those that have it; building blocks by neither."""
        self.share("x", digest="d")
        second = self.share("y", author="b", digest="d")
        code = self.share("z", kind="code", digest="k")
        self.assertEqual((self.query("withDigest", "d").id, self.query("at", second).id), ("x", "y"))
        self.share("x", digest="d")
        self.assertEqual(self.query("withDigest", "d").id, "y")
        found = [self.query("withDigest", "k"), self.query("at", code), self.query("at", 1), self.query("at", 99)]
        self.assertEqual(found, [None] * 4)

    def test_features(self) -> None:
        """Each feature of components once, by its bytes."""
        for id_, feature in (("u", "b"), ("v", "a"), ("w", "B"), ("x", "é"), ("y", "a")):
            self.share(id_, feature=feature)
        self.share("z", kind="code", feature="code only")
        self.assertEqual((self.query("features", 9), self.query("features", 2)), (["B", "a", "b", "é"], ["B", "a"]))

    def test_idsBeginning(self) -> None:
        """Ids that begin so, the newest first, one for each author."""
        for id_, author in (("ab1", "a"), ("ab2", "a"), ("b", "a"), ("ab1", "b"), ("aB", "a"), ("ab%", "a")):
            self.share(id_, author=author)
        self.share("abc", kind="code")
        self.assertEqual(self.query("idsBeginning", "ab", 9), ["ab%", "ab1", "ab2", "ab1"])
        self.assertEqual(self.query("idsBeginning", "ab", 2), ["ab%", "ab1"])
        self.assertEqual(self.query("idsBeginning", "ab%", 9), ["ab%"])
        self.assertEqual(len(self.query("idsBeginning", "", 9)), 6)

    def test_held(self) -> None:
        """Which of some digests and names there are; building blocks are none of them."""
        self.share("x", digest="d1")
        self.share("y", author="b", digest="d2")
        self.share("z", kind="code", digest="d3")
        self.assertEqual(self.query("heldDigests", {"d1", "d2", "d3", "d4", 'd"'}), {"d1", "d2"})
        names = [("a", "x"), ("b", "y"), ("a", "y"), ("a", "z"), ('"', "é")]
        self.assertEqual(self.query("digestsOf", names), {("a", "x"): "d1", ("b", "y"): "d2"})
        self.assertEqual((self.query("heldDigests", set()), self.query("digestsOf", [])), (set(), {}))

    def test_counts(self) -> None:
        """As many as there are of each kind; none are not named."""
        self.assertEqual((self.query("countByKind"), self.query("countConfirmed")), ({}, 0))
        self.share("x")
        self.share("y")
        self.share("z", kind="code", digest="")
        self.assertEqual(self.query("countByKind"), {"component": 2, "code": 1})

    def test_outlives(self) -> None:
        """Components stay when the messages that they came with are removed."""
        seq = self.share("x")
        self.remove(99)
        self.assertEqual(self.query("at", seq).id, "x")
