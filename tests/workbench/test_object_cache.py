"""Caches of objects of different sizes: by hand, by a second simulator, by brute force, and beside libCacheSim."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import libcachesim  # type: ignore[import-untyped]
import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernelnet.artifacts import Candidate, Verdict
from kernelnet.generators.search import Search, familiesFor
from kernelnet.learning.problem import Problem
from kernelnet.learning.submission import Measurement, makeComponent
from kernelnet.learning.verification import remeasure
from kernelnet.workbench.errors import ContractBroken, OutOfFuel, Unmeasurable, WorkbenchError, WrongExport
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.object_machine import leastMissed
from kernelnet.workbench.file_system.object_scenario import ObjectScenario
from kernelnet.workbench.file_system.trace import Trace, loadTrace, makeTrace
from tests.workbench.contract import FolderCase
from tests.workbench.object_caches import PYTHON, bruteForce, missed, writeObjects
from tests.workbench.support import policy, sharedTraces

THEIRS: dict[str, Callable[..., Any]] = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "sieve": libcachesim.Sieve,
    "s3fifo": libcachesim.S3FIFO,
    "gdsf": libcachesim.GDSF,
}

LRU = (workbench.folder / "object_baselines" / "lru.c").read_text("utf-8")


def skewed(requests: int = 3000, seed: int = 1, *, most: int = 100, changing: bool = False) -> list[tuple[int, int]]:
    """Requests for popular and rare objects; a size is the object's, or now and then another."""
    rng = random.Random(seed)
    size: dict[int, int] = {}
    found = []
    for _ in range(requests):
        thing = int(rng.paretovariate(0.7)) % 800
        if thing not in size or (changing and rng.random() < 0.1):
            size[thing] = rng.randrange(1, most)
        found.append((thing, size[thing]))
    return found


class Case(FolderCase):
    def objects(
        self, requests: list[tuple[int, int]], mode: int = 1, capacity: int | None = None, name: str = "a.csv"
    ) -> ObjectScenario:
        path = writeObjects(self.folder / name, requests)
        found = FileSystemWorkbench().scenario(path, {"bytes": mode, **({"capacity": capacity} if capacity else {})})
        assert isinstance(found, ObjectScenario)
        return found

    def totals(self, scenario: ObjectScenario, name: str) -> tuple[int, int]:
        """Requests and bytes that a hand-made policy misses in all."""
        splits = scenario.baseline(name).splits.values()
        return (
            sum(each.metrics["requests_missed"] for each in splits),
            sum(each.metrics["bytes_missed"] for each in splits),
        )


class ByHandTests(Case):
    # 100 requests: 1, 2 and 3 in turn, of 60, 40 and 50 bytes; a last one.
    CYCLE: ClassVar = [(1, 60), (2, 40), (3, 50)] * 33 + [(9, 500)]

    def test_lru(self) -> None:
        """Of 1, 2 and 3 in turn, 60, 40 and 50 bytes, LRU with 100 bytes hits nothing: 3 drives out 1, then 1 both."""
        scenario = self.objects(self.CYCLE, capacity=100)
        self.assertEqual(self.totals(scenario, "lru"), (100, 33 * 150 + 500))
        # With 149 all but one byte is there, and still nothing hits; with 150 all but the first three do.
        self.assertEqual(self.totals(self.objects(self.CYCLE, capacity=149), "lru"), (100, 33 * 150 + 500))
        self.assertEqual(self.totals(self.objects(self.CYCLE, capacity=150), "lru"), (4, 150 + 500))

    def test_tooLarge(self) -> None:
        """An object that is larger than the cache never comes in, and drives nothing out."""
        requests = [(1, 10), (9, 11)] * 60
        for name in workbench.sized[1].baselineNames:
            self.assertEqual(self.totals(self.objects(requests, capacity=10), name), (61, 10 + 60 * 11), name)

    def test_sizeChanges(self) -> None:
        """An object keeps the size with which it came in; what a miss costs is what the request says."""
        # 1 is 10 bytes when it comes in and stays so: with 20 bytes both fit, though 1 calls itself 15 later.
        requests = [(1, 10), (2, 10), *[(1, 15), (2, 10)] * 50]
        self.assertEqual(self.totals(self.objects(requests, capacity=20), "lru"), (2, 20))
        requests = [(1, 15), (2, 10), *[(1, 10), (2, 10)] * 50]
        self.assertEqual(self.totals(self.objects(requests, capacity=20), "lru"), (3, 35))

    def test_scores(self) -> None:
        """With bytes=1 the score is bytes, with bytes=2 requests; each report tells both."""
        requests = skewed()
        for mode, metric in ((1, "bytes_missed"), (2, "requests_missed")):
            for report in self.objects(requests, mode).baselines().values():
                for split in report.splits.values():
                    self.assertEqual(split.score, split.metrics[metric])

    def test_writebacks(self) -> None:
        """Written objects that go are counted, one that doesn't come in is not."""
        lines = "".join(f"{op},{thing},{size}\n" for op, thing, size in [("w", 1, 10), ("r", 2, 10), ("w", 9, 99)] * 40)
        (self.folder / "w.csv").write_text("op,id,size\n" + lines)
        scenario = FileSystemWorkbench().scenario(self.folder / "w.csv", {"bytes": 1, "capacity": 10})
        splits = scenario.baseline("lru").splits.values()
        self.assertEqual(sum(each.metrics["writebacks"] for each in splits), 40)


class ReferenceTests(Case):
    def test_python(self) -> None:
        """The driver misses what a second simulator does, split by split, to the unit."""
        for changing in (False, True):
            requests = skewed(changing=changing)
            for capacity in (99, 700, 4000):
                scenario = self.objects(requests, 2, capacity, f"{changing}.csv")
                for name, make in PYTHON.items():
                    each = np.array(missed(make(capacity), requests))
                    for split, start, end in scenario.machine.trace.windows("held_out"):
                        got = scenario.baseline(name).splits[split].metrics
                        want = each[start:end].sum(axis=0).tolist()
                        self.assertEqual([got["requests_missed"], got["bytes_missed"]], want, (name, capacity, split))

    def theirs(self, trace: Trace, capacity: int, name: str) -> tuple[int, int]:
        assert trace.sizes is not None
        record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
        records = np.zeros(len(trace.blocks), record)
        records["time"] = np.arange(len(records))
        records["id"], records["size"], records["next"] = trace.blocks.astype(np.uint64) + 1, trace.sizes, -1
        path = self.folder / "theirs.oracleGeneral"
        records.tofile(path)
        reader = libcachesim.TraceReader(
            str(path),
            libcachesim.TraceType.ORACLE_GENERAL_TRACE,
            libcachesim.ReaderInitParam(ignore_obj_size=False),
        )
        requests, inBytes = THEIRS[name](cache_size=capacity, hashpower=14).process_trace(reader)
        whole = int(trace.sizes.sum(dtype=np.int64))
        return round(float(requests) * len(trace.blocks)), round(float(inBytes) * whole)

    def test_libCacheSim(self) -> None:
        """Requests and bytes that miss are libCacheSim's, as long as no object is larger than S3-FIFO's small queue."""
        paths = [
            writeObjects(self.folder / f"{changing}.csv", skewed(8000, changing=changing)) for changing in (False, True)
        ]
        shared = sharedTraces("cloudPhysicsIO.csv.gz")
        for path, capacities in [
            *((path, (1500, 6000)) for path in paths),
            *((path, (20_000_000,)) for path in shared),
        ]:
            trace = loadTrace(path)
            for capacity in capacities:
                scenario = FileSystemWorkbench().scenario(path, {"bytes": 1, "capacity": capacity})
                assert isinstance(scenario, ObjectScenario)
                for name in THEIRS:
                    ours = self.totals(scenario, name)
                    self.assertEqual(ours, self.theirs(trace, capacity, name), (path.name, name, capacity))

    def test_rank(self) -> None:
        """A rank of -age is LRU where all residents are looked at; of -size, the largest goes."""
        head = "f64 kn_rank_sized(f64 a, f64 l, f64 f, f64 g, f64 h, f64 i, f64 j, f64 p, f64 s) "
        requests = skewed(most=400)
        scenario = self.objects(requests, 1, 1500)
        lru = self.totals(scenario, "lru")
        got = scenario.measure(policy(head + "{ return -a; }")).splits.values()
        # Of up to sixteen residents all are asked; more fit now and then.
        self.assertAlmostEqual(sum(each.score for each in got) / lru[1], 1, delta=0.03)
        few = [(1, 50), (2, 30), (3, 30), *[(1, 50), (2, 30)] * 50]
        got = self.objects(few, 2, 100, "few.csv").measure(policy(head + "{ return -s; }")).splits.values()
        # 3 drives out 1, 1 drives out 2, 2 drives out 1, which is the largest again, and 1 drives out 3: then both fit.
        self.assertEqual(sum(each.score for each in got), 6)


class BoundTests(Case):
    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=10),
        st.integers(1, 12),
        st.booleans(),
    )
    def test_belowAll(self, requests: list[tuple[int, int]], capacity: int, inBytes: bool) -> None:
        """No choice of what stays and what comes in misses less than the bound, whatever sizes do."""
        fixed: dict[int, int] = {}
        for each in (requests, [(thing, fixed.setdefault(thing, size)) for thing, size in requests]):
            # As many requests as a trace needs come before, for objects that never come again.
            padding = [(100 + number, 1 + number % 2) for number in range(100)]
            ids, sizes = (np.array(column) for column in zip(*padding, *each, strict=True))
            trace = makeTrace(ids.astype(np.uint64), Path("a.csv"), None, sizes.astype(np.uint32))
            own = Trace(
                "a", "00", {"train": 100, "validation": 100, "held_out": len(ids)}, trace.blocks, trace.distinct
            )
            object.__setattr__(own, "sizes", trace.sizes)
            least = leastMissed(own, capacity, inBytes=inBytes)["held_out"]
            feasible = [(thing, size) for thing, size in each]
            # By brute force an object is as large as its request says, so sizes must stay.
            if each is not requests:
                self.assertLessEqual(least, bruteForce(feasible, capacity, inBytes=inBytes))
            self.assertGreaterEqual(least, 0)

    def test_exact(self) -> None:
        """By hand: of a loop over three objects of a byte, a cache of two hits two of three, as fractions go."""
        requests = [(9, 2), *[(1, 1), (2, 1), (3, 1)] * 100][:300]
        trace = loadTrace(writeObjects(self.folder / "a.csv", requests))
        # Of 2 times 150 the first three need 1, 2 and 3, as they were there before, and 98 more need 3 each.
        self.assertEqual(leastMissed(trace, 2, inBytes=False)["held_out"], 150 - 3 - 98)
        self.assertEqual(leastMissed(trace, 3, inBytes=False)["held_out"], 0)

    def test_policies(self) -> None:
        """No hand-made policy misses less than the bound, in any split, at any size."""
        for changing in (False, True):
            for mode in (1, 2):
                for capacity in (50, 500, 5000):
                    scenario = self.objects(skewed(changing=changing), mode, capacity, f"{changing}.csv")
                    for name, report in scenario.baselines().items():
                        for split, score in report.splits.items():
                            self.assertGreaterEqual(score.score, scenario.optimum()[split], (name, split))

    def test_large(self) -> None:
        """Sums of more than 64 bits are exact: with room for all, only first requests miss."""
        size = (1 << 32) - 1
        requests = [(thing, size - (thing == 0)) for thing in range(60)] * 10
        scenario = self.objects(requests, 1, 60 * size - 1)
        self.assertEqual(sum(scenario.optimum().values()), 60 * size - 1)
        self.assertEqual(self.totals(scenario, "lru"), (60, 60 * size - 1))


class SettingsTests(Case):
    def test_settings(self) -> None:
        """The capacity is a tenth of all objects' bytes; what is no setting, or has no sizes, gets one line."""
        bench = FileSystemWorkbench()
        path = writeObjects(self.folder / "a.csv", [(thing, 10 + thing % 2 * 2 - 1) for thing in range(100)])
        self.assertEqual(bench.scenario(path, {"bytes": 1}).settings, {"bytes": 1, "capacity": 100})
        self.assertEqual(bench.scenario(path, {"bytes": 0}).settings, {"capacity": 16})
        self.assertEqual(bench.inWords({"bytes": 2, "capacity": 5 << 20}), "5 MiB, misses")
        for settings, words in (
            ({"bytes": 3}, "it should be 0, 1 (bytes missed) or 2 (requests missed)"),
            ({"bytes": -1}, "it should be 0, 1"),
            ({"bytes": 1, "capacity": 0}, "it should be 1 to 1000 bytes"),
            ({"bytes": 1, "capacity": 1001}, "it should be 1 to 1000 bytes"),
            ({"bytes": 1, "size": 1}, "no setting 'size'"),
        ):
            self.assertIn(words, str(self.assertRaises(WorkbenchError, bench.scenario, path, settings)))
        (self.folder / "b.csv").write_text("time,id\n" + "1,2\n" * 100)
        error = self.assertRaises(WorkbenchError, bench.scenario, self.folder / "b.csv", {"bytes": 1})
        self.assertIn("b: its requests tell no sizes of objects", str(error))

    def test_equalBlocks(self) -> None:
        """A trace's sizes change nothing for blocks of one size."""
        requests = skewed()
        sized = FileSystemWorkbench().scenario(writeObjects(self.folder / "a.csv", requests), {"capacity": 40})
        (self.folder / "b.csv").write_text("id\n" + "".join(f"{thing}\n" for thing, _ in requests))
        plain = FileSystemWorkbench().scenario(self.folder / "b.csv", {"capacity": 40})
        for name, report in plain.baselines().items():
            got = [split.score for split in sized.baseline(name).splits.values()]
            self.assertEqual(got, [split.score for split in report.splits.values()], name)
        self.assertEqual(sized.optimum(), plain.optimum())
        self.assertNotEqual(sized.traceDigest, plain.traceDigest)

    def test_variants(self) -> None:
        """A variant's requests have the sizes that they had, and the module is measured on sixteen of a short trace."""
        scenario = self.objects(skewed())
        trace = scenario.machine.trace
        variant = trace.variant(bytes(32))
        assert trace.sizes is not None and variant.sizes is not None
        size = dict(zip(trace.blocks.tolist(), trace.sizes.tolist(), strict=True))
        self.assertEqual([size[block] for block in variant.blocks.tolist()], variant.sizes.tolist())
        wasm = policy(LRU)
        report = scenario.forModule(wasm).measure(wasm)
        self.assertEqual(scenario.variants, 16)
        self.assertEqual(
            {name: split.score for name, split in report.splits.items()},
            {name: split.score for name, split in scenario.forModule(wasm).reference().splits.items()},
        )

    def test_bothKinds(self) -> None:
        """A module for both is measured as either on the same trace, and neither is taken for the other."""
        bench = FileSystemWorkbench()
        path = writeObjects(self.folder / "a.csv", skewed())
        wasm = policy(LRU)
        scores = [
            bench.scenario(path, settings).forModule(wasm).measure(wasm).splits["held_out"].score
            for settings in ({}, {"bytes": 1}, {"bytes": 2}, {})
        ]
        self.assertEqual(scores[0], scores[3])
        self.assertEqual(len(set(scores)), 3)

    def test_claims(self) -> None:
        """A claim about an object cache is confirmed by whoever has the trace, refuted if it is a unit off."""
        path = writeObjects(self.folder / "a.csv", skewed())
        scenario = FileSystemWorkbench().scenario(path, {"bytes": 1})
        wasm = policy(LRU)
        met = scenario.forModule(wasm)
        report = met.measure(wasm)
        abi = scenario.workbench.abiOf(wasm).identifier
        self.assertEqual(abi, "file_system/full_sized/1")
        component = makeComponent(met, Candidate(LRU), Measurement(wasm, abi, report))
        other = FileSystemWorkbench().scenarioFor(report, [path])
        self.assertEqual(remeasure(component, other)[0], Verdict.CONFIRMED)
        splits = {**report.splits, "held_out": msgspec.structs.replace(report.splits["held_out"], score=1)}
        assert component.manifest is not None
        component.manifest = msgspec.structs.replace(
            component.manifest, report=msgspec.structs.replace(report, splits=splits)
        )
        self.assertEqual(remeasure(component, other)[0], Verdict.REFUTED)
        unknown = msgspec.structs.replace(report, settings={**report.settings, "bytes": 7})
        self.assertRaises(Unmeasurable, FileSystemWorkbench().scenarioFor, unknown, [path])


class HostileTests(Case):
    def test_contract(self) -> None:
        """A slot that doesn't exist, is free, or goes twice ends the run; fuel is bounded."""
        body = (
            "static u32 n; void kn_init(u32 c) {} void kn_bytes(u64 c) {} void kn_size(u32 b) {} void kn_hit(u32 s) {}"
        )
        body += "void kn_insert(u32 s, u64 k) {} "
        requests = [(number, 40 + number // 199) for number in range(200)]
        scenario = self.objects(requests, 1, 100)
        for victim in ("return 1u << 30;", "return 2;", "return -2;", "return n++ & 0;"):
            source = f"{body} u32 kn_victim(u64 k) {{ {victim} }}"
            if victim == "return n++ & 0;":
                # Two of 40 are resident; one of 90 needs both, and slot 0 goes twice.
                scenario = self.objects([(1, 40), (2, 40), (3, 90)] * 40, 1, 100, "b.csv")
            error = self.assertRaises(ContractBroken, scenario.measure, policy(source))
            self.assertIn("kn_victim named a slot that holds nothing at request 2", str(error))
        source = f"{body} u32 kn_victim(u64 k) {{ for (;;) n++; }}"
        self.assertRaises(OutOfFuel, scenario.measure, policy(source))

    def test_declines(self) -> None:
        """Whoever answers KN_NONE keeps what is there."""
        body = "void kn_init(u32 c) {} void kn_bytes(u64 c) {} void kn_size(u32 b) {} void kn_hit(u32 s) {}"
        body += "void kn_insert(u32 s, u64 k) {} u32 kn_victim(u64 k) { return KN_NONE; }"
        requests = [(1, 60), (2, 61)] * 100
        splits = self.objects(requests, 2, 100).measure(policy(body)).splits.values()
        self.assertEqual(sum(each.score for each in splits), 1 + 100)

    def test_told(self) -> None:
        """A policy is told the resident's size at a hit, the newcomer's else, and slots that are enough."""
        source = """
        static u32 size, of[8], slots;
        void kn_init(u32 c) { slots = c; if (c != 2) __builtin_trap(); }
        void kn_bytes(u64 c) { if (c != 100) __builtin_trap(); }
        void kn_size(u32 b) { size = b; }
        void kn_hit(u32 s) { if (of[s] != size) __builtin_trap(); }
        u32 kn_victim(u64 k) { if (size != 30) __builtin_trap(); return 0; }
        void kn_insert(u32 s, u64 k) { if (s >= slots) __builtin_trap(); of[s] = size; }
        """
        requests = [(1, 40), (2, 50), (1, 41), (2, 50), (3, 30)] + [(4, 45)] * 95
        self.objects([(1, 40), (2, 60), *[(1, 45), (2, 1)] * 49], 1, 100).measure(
            policy(source.replace("if (c != 2)", "if (c < 2)"))
        )
        self.assertEqual(len(requests), 100)

    def test_otherAbis(self) -> None:
        """What is for blocks of one size alone is refused by name; what is for sizes alone, the other way round."""
        plain = (workbench.folder / "baselines" / "lru.c").read_text("utf-8")
        scenario = self.objects(skewed())
        error = str(self.assertRaises(WrongExport, scenario.measure, policy(plain)))
        self.assertRegex(error, "kn_bytes|kn_size")
        sized = "f64 kn_rank_sized(f64 a, f64 l, f64 f, f64 g, f64 h, f64 i, f64 j, f64 p, f64 s) { return s; }"
        wasm = policy(sized)
        self.assertEqual(workbench.abiOf(wasm).identifier, "file_system/rank_sized/1")
        same = FileSystemWorkbench().scenario(self.folder / "a.csv", {})
        self.assertRaises(WrongExport, same.measure, wasm)


class SearchTests(Case):
    def test_search(self) -> None:
        """The search works on object caches, by functions that know the size, and finds what is better than LRU."""
        scenario = self.objects(skewed(4000))
        problem = Problem(scenario, seed=1, seconds=300, evaluations=40)
        self.assertTrue(familiesFor(problem))
        self.assertEqual(
            {abi.identifier for abi in problem.abis}, {"file_system/full_sized/1", "file_system/rank_sized/1"}
        )
        candidate = Search(40).generate(problem)
        assert candidate is not None
        self.assertIn("kn_rank_sized", candidate.source)
        found = scenario.measure(policy(candidate.source)).splits["train"].score
        self.assertLess(found, scenario.reference().splits["train"].score)
