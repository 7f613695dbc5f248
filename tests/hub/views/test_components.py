"""What people are told of components: states, names, and where each comes from."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.views import components, projections
from kernelnet.hub.views.patterns import patterns
from kernelnet.hub.views.progress import progress
from tests.hub.databases import onEveryEngine
from tests.hub.support import Client, HubTestCase
from tests.hub.views.support import ManyTestCase, report

A, B, C = (hashlib.sha256(name.encode()).hexdigest() for name in "abc")


def claiming(
    name: str, level: float, parents: list[str] | None = None, trace: str = "1" * 64, rules: str = "2" * 64
) -> dict[str, Any]:
    """
    A component whose module is its name.

    @param rules: of the workbench, that it was measured under.
    """
    splits = {split: {"events": 10, "score": 5, "fuel": 1} for split in ("train", "validation", "held_out")}
    report = {
        "workbench": "file_system",
        "workbench_digest": rules,
        "trace": "t",
        "trace_digest": trace,
        "settings": {"capacity": 4},
        "engine": "e",
        "splits": splits,
    }
    manifest = {
        "source_sha256": hashlib.sha256(b"").hexdigest(),
        "wasm_sha256": "3" * 64,
        "abi": "file_system/full/2",
        "workbench": "file_system",
        "parents": parents or [],
        "report": report,
    }
    component = {"id": name, "implementation": name, "development_level": level, "manifest": manifest}
    return {"component": component}


@onEveryEngine
class CatalogTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author, self.peer, self.other = (self.hub.connect(name) for name in ("AI_1", "AI_2", "AI_3"))

    def entry(self, name: str) -> components.Entry:
        found = components.entryOf(self.hub.stored, name)
        assert found is not None
        return found

    def judge(self, who: Client, name: str, verdict: Verdict) -> None:
        report = {"component_id": name, "performance": {}, "digest": self.entry(name).digest}
        who.send("performance_report", {**report, "verdict": verdict.value})

    def test_states(self) -> None:
        """Each verdict stands with whose it is; the author's own counts for nothing; disagreement is a state."""
        for name in "abcd":
            self.author.send("os_component_share", claiming(name, 0.5))
        self.judge(self.peer, "a", Verdict.CONFIRMED)
        self.judge(self.author, "b", Verdict.CONFIRMED)
        self.judge(self.peer, "b", Verdict.REFUTED)
        self.judge(self.peer, "c", Verdict.CONFIRMED)
        self.judge(self.other, "c", Verdict.REFUTED)
        self.judge(self.other, "d", Verdict.UNMEASURABLE)
        states = {name: self.entry(name).state for name in "abcd"}
        self.assertEqual(states, {"a": "confirmed", "b": "refuted", "c": "disputed", "d": "unmeasured"})
        self.assertEqual(self.entry("c").verdicts, {"AI_2": Verdict.CONFIRMED, "AI_3": Verdict.REFUTED})
        self.assertEqual(self.entry("d").verdicts, {"AI_3": Verdict.UNMEASURABLE})
        for state in components.STATES:
            found = components.entries(self.hub.stored, state=state)
            self.assertEqual([states[entry.component.id] for entry in found], [state])

    def test_order(self) -> None:
        """By level, but never what is claimed before what is confirmed; by what most confirm; the newest first."""
        for name, level in (("a", 0.1), ("b", 0.9), ("c", 0.5)):
            self.author.send("os_component_share", claiming(name, level))
        self.judge(self.peer, "a", Verdict.CONFIRMED)

        def names(**options: Any) -> str:
            return "".join(e.component.id for e in components.entries(self.hub.stored, **options))

        self.assertEqual((names(sort="level"), names(sort="confirmed"), names(sort="newest")), ("abc", "abc", "cba"))
        self.assertEqual((names(workbench="file_system", limit=2), names(workbench="security")), ("ab", ""))
        self.judge(self.peer, "b", Verdict.REFUTED)
        self.assertEqual((names(sort="level"), names(sort="confirmed")), ("acb", "acb"))

    def setRules(self, digest: str) -> None:
        self.hub.transact(lambda transaction: transaction.components.setRules({"file_system": digest}))

    def test_rulesOfStrangers(self) -> None:
        """
        Where a workbench isn't installed, two strangers who confirm each other's claims under rules of their own make
        nobody else's older.
        """
        self.author.send("os_component_share", claiming("honest", 0.5))
        for peer in (self.peer, self.other, self.hub.connect("AI_4")):
            self.judge(peer, "honest", Verdict.CONFIRMED)
        one, other = self.hub.connect("EVIL_1"), self.hub.connect("EVIL_2")
        for liar, witness in ((one, other), (other, one)):
            name = f"of {liar.aiId}"
            liar.send("os_component_share", claiming(name, 0.9, rules="6" * 64))
            self.judge(witness, name, Verdict.CONFIRMED)
        self.assertFalse(self.entry("honest").olderRules)
        self.assertTrue(self.entry("of EVIL_1").olderRules)

    def test_olderRules(self) -> None:
        """What was claimed under older rules stands last and is marked so, in lists, tasks, and pages of knowledge."""
        for name, level in (("new", 0.25), ("old", 0.75)):
            self.author.send("os_component_share", claiming(name, level, rules="4" * 64 if name == "old" else "2" * 64))
            self.judge(self.peer, name, Verdict.CONFIRMED)
        for rules, order in (("2" * 64, ["new", "old"]), ("4" * 64, ["old", "new"])):
            self.setRules(rules)
            found = [components.describe(one) for one in components.entries(self.hub.stored)]
            self.assertEqual([(one["id"], one["older_rules"]) for one in found], [(order[0], False), (order[1], True)])
            tasks = progress(self.hub.stored)
            self.assertEqual([task["older_rules"] for task in tasks], [False, True])
            self.assertEqual([[step["id"] for step in task["steps"]] for task in tasks], [[one] for one in order])
            page, _ = projections.page(self.hub.stored, None, 9)
            told = [(one["id"], one.get("older_rules")) for one in page.components]
            self.assertEqual(told, [(order[0], None), (order[1], True)])
            best = msgspec.json.decode(projections.bestMatch(self.hub.stored, "file_system", "x") or b"null")
            assert best is not None
            self.assertEqual(best["id"], order[0])

    def test_rulesFollow(self) -> None:
        """Without the workbench those rules are in force that an AI, not the author, confirmed a claim under last."""
        for name in ("2", "4"):
            self.author.send("os_component_share", claiming(name, 0.5, rules=name * 64))
        for who, name, expected in (
            (self.author, "2", {}),
            (self.peer, "2", {"file_system": "2" * 64}),
            (self.peer, "4", {"file_system": "4" * 64}),
        ):
            self.judge(who, name, Verdict.CONFIRMED)
            self.assertEqual(self.hub.stored.components.rules(), expected)

    def test_names(self) -> None:
        """By id or by the first digits of the digest; an id that two authors use for two programs is ambiguous."""
        self.author.send("os_component_share", claiming("a", 0.5))
        digest = self.entry("a").digest
        self.assertEqual(self.entry(digest[:6].upper()).component.id, "a")
        for few in (digest[:5], digest[0].upper()):
            error = self.assertRaises(components.Unclear, components.entryOf, self.hub.stored, few)
            self.assertIn("6 hex digits are needed", str(error))
        self.assertIsNone(components.entryOf(self.hub.stored, "g" * 5))
        self.assertIsNone(components.entryOf(self.hub.stored, "".join("1" if one == "0" else "0" for one in digest)))
        same = claiming("b", 0.5)
        same["component"]["id"] = "a"
        self.peer.send("os_component_share", same)
        error = self.assertRaises(components.Unclear, components.entryOf, self.hub.stored, "a")
        for word in (digest[:12], "more digits"):
            self.assertIn(word, str(error))
        self.assertEqual(self.entry(digest).author, "AI_1")

    def test_hugeLevels(self) -> None:
        """Levels that nothing has don't make a gain that JSON can't say."""
        self.author.send("os_component_share", claiming("a", -1e308))
        self.author.send("os_component_share", claiming("b", 1e308, [self.entry("a").digest]))
        (step,) = components.lineage(self.hub.stored, self.entry("b"))
        self.assertIsNone(step.gain)

    def test_large(self) -> None:
        """Lists hold neither sources nor modules, nor what a stranger made too large; one component is whole."""
        for name, source, settings in (("a", "x" * 500_000, 1), ("b", "", 9000)):
            made = claiming(name, 0.5)
            made["component"]["implementation"] += source
            made["component"]["manifest"]["report"]["settings"] = {f"n{n}": n for n in range(settings)}
            self.author.send("os_component_share", made)
            digest = self.entry(name).digest
            report = {"component_id": name, "digest": digest, "performance": {}, "verdict": "confirmed"}
            self.peer.send("performance_report", report)
            self.author.send("pattern_share", {"pattern": {"id": name, "type": "t", "confidence": 1, "data": source}})
        stored = self.hub.stored
        small, large = components.entries(stored, sort="newest")[::-1]
        self.assertEqual((small.component.implementation, small.kind, large.kind), ("", "specialist", None))
        self.assertEqual((small.digest, small.confirmed), (self.entry("a").digest, 1))
        self.assertEqual(len(self.entry("a").component.implementation), 500_001)
        self.assertEqual([task["confirmed"] for task in progress(stored)], [1])
        self.assertEqual([pattern["id"] for pattern in patterns(stored, None, 9)], ["b"])
        self.assertEqual([pattern["id"] for pattern in patterns(stored, "t", 9)], ["b"])

    def test_longNames(self) -> None:
        """All tasks stand in one answer: those are left out whose settings or other names are of any length."""
        for name, field, value in (
            ("fine", "settings", {"s" * 256: 1}),
            ("settings", "settings", {"s" * 257: 1}),
            ("digest", "trace_digest", "1" * 257),
            ("bench", "workbench", "w" * 257),
        ):
            made = claiming(name, 0.5)
            made["component"]["manifest"]["report"][field] = value
            self.author.send("os_component_share", made)
            self.judge(self.peer, name, Verdict.CONFIRMED)
        self.assertEqual([task["settings"] for task in progress(self.hub.stored)], [{"s" * 256: 1}])

    def test_takenNames(self) -> None:
        """Nobody hides another's component by an id that is its digest, nor by sharing the same after it."""
        self.author.send("os_component_share", claiming("a", 0.5))
        digest = self.entry("a").digest
        shadow = claiming("b", 0.4)
        shadow["component"]["id"] = digest
        self.peer.send("os_component_share", shadow)
        self.assertEqual(self.entry(digest).component.id, "a")
        self.other.send("os_component_share", claiming("a", 0.5))
        for name in ("a", digest, digest[:8]):
            self.assertEqual(self.entry(name).author, "AI_1")

    def test_otherClaim(self) -> None:
        """Verdicts are about one claim: the same bytes with another one are unmeasured, and neither hides the other."""
        self.author.send("os_component_share", claiming("a", 0.5))
        self.judge(self.peer, "a", Verdict.CONFIRMED)
        inflated = claiming("a", 0.999)
        inflated["component"]["id"] = "better"
        self.author.send("os_component_share", inflated)
        self.assertEqual((self.entry("a").state, self.entry("better").state), ("confirmed", "unmeasured"))
        inflated["component"]["id"] = "a"
        self.author.send("os_component_share", inflated)
        self.assertEqual(self.entry("a").state, "unmeasured")
        elsewhere = claiming("a", 0.5, trace="8" * 64)
        self.other.send("os_component_share", elsewhere)
        states = {(e.author, e.state) for e in components.entries(self.hub.stored)}
        self.assertEqual(states, {("AI_1", "unmeasured"), ("AI_3", "unmeasured")})

    def test_lineage(self) -> None:
        """Each step back is there with what it gained on the same task; circles and what is missing end it."""
        self.author.send("os_component_share", claiming("a", 0.2, [C]))
        a = self.entry("a").digest
        self.peer.send("os_component_share", claiming("b", 0.5, [a, A]))
        b = self.entry("b").digest
        self.author.send("os_component_share", claiming("c", 0.6, [b], trace="9" * 64))
        (step,) = components.lineage(self.hub.stored, self.entry("c"))
        self.assertEqual((step.digest, step.gain), (b, None))
        self.assertEqual([(s.digest, s.entry is None) for s in step.parents], [(a, False), (A, True)])
        gain = step.parents[0].gain
        assert gain is not None
        self.assertAlmostEqual(gain, 0.3)
        self.assertEqual([s.digest for s in step.parents[0].parents], [C])

    def test_circle(self) -> None:
        """Authors can claim what they like: parents in a circle, or a long line of them, are followed so far only."""
        self.author.send("os_component_share", claiming("a", 0.2))
        before = self.entry("a").digest
        for number in range(20):
            self.author.send("os_component_share", claiming(f"s{number}", 0.2, [before, before]))
            before = self.entry(f"s{number}").digest
        found, depth = components.lineage(self.hub.stored, self.entry("s19")), 0
        while found:
            self.assertEqual(len(found), 1)
            found, depth = found[0].parents, depth + 1
        self.assertEqual(depth, 8)


class AttestationsBoundsTests(ManyTestCase):
    def test_lookedThrough(self) -> None:
        """The newest 256 that confirm it are looked through, and the newest 256 of all, so that none is forgotten."""
        self.hub.connect("author").send("os_component_share", claiming("a", 0.5))
        entry = components.entryOf(self.hub.stored, "a")
        assert entry is not None
        for verdict in ("confirmed", "refuted"):
            self.store(*(report(f"{verdict} {n}", entry.digest, verdict) for n in range(257)))
        _, unsigned = components.attestationsOn(self.hub.stored, entry)
        expected = [f"{verdict} {n}" for verdict in ("confirmed", "refuted") for n in range(256, 0, -1)]
        self.assertEqual(unsigned, expected)
