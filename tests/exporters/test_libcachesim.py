"""The exporter C{libcachesim}: another simulator counts the same misses as the bench does."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters import plugin_cache
from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.libcachesim import exporter
from kernelnet.expressions.syntax import parse
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench
from tests.exporters.test_sqlite import FORGETFUL
from tests.workbench.support import mixture, writeTrace

RANKS = (
    "-age",
    "freq + hist",
    "aq(freq + hist, age)",
    "iflt(0.5, pressure, gap - ghostgap, lg(freq) - age * life)",
    "0",
)
BROKEN = """#include "kn_file_system.h"
void kn_init(u32 capacity) {}
void kn_hit(u32 slot) {}
u32 kn_victim(u64 key) { %s }
void kn_insert(u32 slot, u64 key) {}
"""


@skipUnless(importlib.util.find_spec("libcachesim"), "needs pip install libcachesim")
class LibCacheSimTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.count = 0

    def exported(self, wasm: bytes) -> Path:
        self.count += 1
        out = self.folder / str(self.count)
        exportTo(out, exporter, wasm, workbench.abiOf(wasm), {})
        return out

    def test_misses(self) -> None:
        """The same miss count as on the trace as it is, of hand-made policies, templates, and rank functions."""
        requests = mixture(4000, seed=3)
        trace = writeTrace(self.folder / "trace.txt", requests)
        # the bench knows blocks by their order of appearance, and numbers mean nothing: others may be given
        modules = {name: workbench.baselineModule(name) for name in workbench.baselineNames}
        rng = random.Random(1)
        for template in (TWO_QUEUES, REUSE_INTERVAL):
            source = template.bake(template.normalized([each.any(rng) for each in template.parameters]))
            modules[template.name] = compileC(source, workbench.headerPath, trusted=True)
        abi = workbench.abis[1]
        modules.update({rank: toWasm(parse(rank, abi.features), abi) for rank in RANKS})
        for name, wasm in modules.items():
            library = self.exported(wasm) / "eviction.so"
            for capacity in (8, 60):
                scenario = workbench.scenario(trace, {"capacity": capacity})
                seed = int.from_bytes(bytes.fromhex(scenario.traceDigest)[:8], "little")
                ours = sum(split.score for split in scenario.measure(wasm).splits.values())
                theirs = plugin_cache.misses(requests, capacity, seed=seed, library=library)
                self.assertEqual(theirs, ours, f"{name}, capacity {capacity}")

    def test_memory(self) -> None:
        """The manifest says what the component takes; where there is too little for it, FIFO takes over at once."""
        small, large = self.exported(workbench.baselineModule("lru")), self.exported(toWasm("age", workbench.abis[1]))
        taken = json.loads((small / "manifest.json").read_text())["bytes_by_slots"]
        self.assertLess(taken["1000"], taken["100000"])
        policy = plugin_cache.Policy(1000, 0, small / "eviction.so")
        self.assertEqual(policy.memory, taken["1000"])
        policy.free()
        library = plugin_cache._library(large / "eviction.so")
        policy = library.eviction_new((1 << 32) - 1, 0)
        self.assertEqual(library.eviction_failed(policy), b"there is no memory for it")
        self.assertEqual([library.eviction_victim(policy, 7) for _ in range(2)], [0, 1])
        library.eviction_free(policy)

    def test_removal(self) -> None:
        """What is removed is gone, and makes room, whether or not the component can be told; no slot is given twice."""
        for name, wasm in (
            ("arc, which can't be told", workbench.baselineModule("arc")),
            ("with kn_forget", compileC(FORGETFUL % "", workbench.headerPath, trusted=True)),
            ("rank", toWasm(parse("-age", workbench.abis[1].features), workbench.abis[1])),
        ):
            policies: list[plugin_cache.Policy] = []
            cache = plugin_cache.cache(20, library=self.exported(wasm) / "eviction.so", policies=policies)
            request, rng, count, there = self.request(), random.Random(3), 0, set[int]()
            for number in mixture(4000, seed=5):
                request.obj_id = number
                count += cache.get(request)
                there.add(number)
                if rng.random() < 0.1:
                    gone = rng.choice(sorted(there))
                    cache.remove(gone)
                    there.discard(gone)
                    request.obj_id = gone
                    self.assertIsNone(cache.find(request, False), name)
                (policy,) = policies
                self.assertLessEqual(len(policy._slots) + len(policy._outside), 20)
                self.assertEqual(len(policy._slots) + len(policy._dead) + len(policy._free), 20)
                self.assertEqual(set(policy._slots.values()), set(policy._objects))
            self.assertEqual(policy.failed, "", name)
            self.assertGreater(count, 400, name)

    def request(self) -> Any:
        import libcachesim  # type: ignore[import-untyped]

        request = libcachesim.Request()
        request.obj_size = 1
        return request

    def test_program(self) -> None:
        """What is exported is complete in itself: its own program counts, in a process that knows no kernelnet."""
        out = self.exported(workbench.baselineModule("lru"))
        trace = writeTrace(self.folder / "trace.txt", [1, 2, 3, 1, 2, 3, 4, 4])
        command = [sys.executable, "-I", str(out / "plugin_cache.py"), str(trace), "--capacity", "2"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "7 of 8 requests missed\n")
        done = subprocess.run([*command[:-1], "0"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the capacity is 0", done.stderr)

    def test_broken(self) -> None:
        """A component that breaks is left alone: the cache goes on as FIFO, and it is told why."""
        requests = mixture(1000)
        trace = writeTrace(self.folder / "trace.txt", requests)
        fifo = sum(s.score for s in workbench.scenario(trace, {"capacity": 40}).baseline("fifo").splits.values())
        for code, why in (
            ("return 77777;", "a slot that does not exist"),
            ("__builtin_trap();", "unreachable"),
            ("for (volatile u32 i = 0;;) i++;", "out of fuel"),
        ):
            library = self.exported(compileC(BROKEN % code, workbench.headerPath, trusted=True)) / "eviction.so"
            error = self.assertRaises(RuntimeError, plugin_cache.misses, requests, 40, library=library)
            self.assertIn(why, str(error))
            policies: list[plugin_cache.Policy] = []
            cache = plugin_cache.cache(40, library=library, policies=policies)
            request, count = self.request(), 0
            for number in requests:
                request.obj_id = number
                count += not cache.get(request)
            self.assertEqual(count, fifo)
            self.assertGreater(policies[0].memory, 0)
