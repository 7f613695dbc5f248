"""The sandbox: what a module may use, what it costs this process, who translates it; `test_hostile` has the attacks."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import errors, machine, sandbox, translator
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.machine import FileSystemMachine
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.attacks import at
from tests.workbench.support import mixture, policy, smallScenario, writeTrace
from tests.workbench.wasm import I32, ZERO, leb, section, sleb, vec
from tests.workbench.wasm import policy as raw

SECONDS = 8.0
"""What an attack may take on a machine that is busy with other tests; alone it takes two seconds at most."""


def written(init: str = "", hit: str = "", victim: str = "return 0;", insert: str = "", more: str = "") -> bytes:
    """A policy in C, in which C{n} is the number of a request; C{more} stands before the functions."""
    return policy(
        f"static u32 n;\n{more}\nvoid kn_init(u32 c) {{ {init} }} void kn_hit(u32 s) {{ {hit}; n++; }}\n"
        f"u32 kn_victim(u64 k) {{ {victim} }} void kn_insert(u32 s, u64 k) {{ {insert}; n++; }}"
    )


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class HostileTests(SynchronousTestCase):
    scenario: FileSystemScenario

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.scenario = smallScenario(folder)

    def fails(self, kind: type[errors.ComponentError], wasm: bytes, words: str = "") -> None:
        """The module fails in this way within `SECONDS`, and the bench goes on as if nothing had been."""
        start = time.monotonic()
        error = self.assertRaises(errors.ComponentError, self.scenario.measure, wasm)
        self.assertLess(time.monotonic() - start, SECONDS)
        self.assertIs(type(error), kind, str(error))
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        fifo = sum(split.score for split in self.scenario.measure(workbench.baselineModule("fifo")).splits.values())
        self.assertEqual(fifo, sum(s.score for s in self.scenario.baselines()["fifo"].splits.values()))

    def test_harmless(self) -> None:
        """The module that the attacks are variations of is measured."""
        self.assertGreater(self.scenario.measure(raw()).splits["train"].score, 0)
        self.assertGreater(self.scenario.measure(written()).splits["train"].score, 0)

    # -- not a module ------------------------------------------------------------------------------------

    def test_largest(self) -> None:
        """A module of exactly 64 KiB is measured."""
        wasm = written()
        content = sandbox.MAX_MODULE - len(wasm) - 4
        padded = wasm + section(0, b"\1x" + bytes(content - 2))
        self.assertEqual(len(padded), sandbox.MAX_MODULE)
        self.scenario.measure(padded, upTo="train")

    # -- running -----------------------------------------------------------------------------------------

    def test_slow(self) -> None:
        """A policy that does too much at each request runs out of fuel."""
        self.fails(errors.OutOfFuel, written(hit="for (volatile int i = 0; i < 1000000; i++);"))

    def test_limitsNamed(self) -> None:
        """Who runs out of fuel or memory is told which module, of what, and how much of it there is."""
        slow = written(hit="for (volatile int i = 0; i < 1000000; i++);")
        fuel = self.scenario.machine.fuelLimit(sum(self.scenario.events.values()), self.scenario.settings)
        events = sum(self.scenario.events.values())
        name = hashlib.sha256(slow).hexdigest()[:12]
        self.fails(errors.OutOfFuel, slow, f"module {name}… used up its fuel, {fuel} units for {events} events: ")
        less = self.assertRaises(errors.OutOfFuel, self.scenario.measure, slow, upTo="train", fuel=70_000)
        self.assertIn(f"its fuel, 70000 units for {self.scenario.events['train']} events", str(less))
        memory = f"wants more than its memory, {self.scenario.machine.memoryLimit(self.scenario.settings)} bytes"
        greedy = written(init="for (;;) kn_alloc(1 << 20);")
        self.fails(errors.OutOfMemory, greedy, f"module {hashlib.sha256(greedy).hexdigest()[:12]}… {memory}")
        large = raw(memory=vec([b"\0" + leb(40_000)]))
        self.fails(errors.OutOfMemory, large, f"module {hashlib.sha256(large).hexdigest()[:12]}… {memory}: ")

    def test_fill(self) -> None:
        """Filling memory again and again is charged by the byte."""
        more = "static char *room; static volatile char sink;"
        fill = "__builtin_memset(room, (int)n, 32 << 20); sink = room[n];"
        self.fails(errors.OutOfFuel, written(init="room = kn_alloc(32 << 20);", hit=fill, more=more))

    def test_arenas(self) -> None:
        """Runs at once take no more memory than is given to a trace: beyond it one waits for another to end."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = workbench.scenario(writeTrace(folder / "small.txt", mixture()), {"capacity": 32})
        lock, now, most = threading.Lock(), [0], [0]

        class Counting(FileSystemMachine):
            def prepare(self, *arguments: Any) -> None:
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                time.sleep(0.02)
                super().prepare(*arguments)
                with lock:
                    now[0] -= 1

        module = workbench.baselineModule("lru")
        for bytes_, wanted in ((1, 1), (1 << 30, 4)):
            self.patch(machine, "_MAX_ARENAS", bytes_)
            most[0] = 0
            counting = Counting(scenario.machine.trace)
            self.addCleanup(counting.close)
            counting.run(module, scenario.settings)  # from now on it is known how large they are
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda _: counting.run(module, scenario.settings), range(12)))  # noqa: B023
            self.assertEqual(found, found[:1] * 12)
            self.assertLessEqual(most[0], wanted)
            self.assertEqual(most[0] > 1, wanted > 1)

    def test_tooLate(self) -> None:
        """When the wall clock runs out before the fuel does, that is said, and it is not the module's fault alone."""
        self.patch(machine, "wallSeconds", lambda fuel: 0.1)
        self.patch(FileSystemMachine, "fuelLimit", lambda self, events, settings: 1 << 60)
        self.fails(errors.TimedOut, written(hit="for (volatile int i = 0;; i++);"))
        self.assertFalse(errors.TimedOut.deterministic)
        self.assertTrue(errors.OutOfFuel.deterministic)

    def test_nan(self) -> None:
        """Not-a-number has the same bits on every processor."""
        check = """
        volatile f64 zero = 0; f64 nan = zero / zero; u64 bits;
        __builtin_memcpy(&bits, &nan, 8);
        if (bits != 0x7ff8000000000000) __builtin_trap();
        """
        self.scenario.measure(written(init=check), upTo="train")

    # -- memory ------------------------------------------------------------------------------------------

    def test_memoryBomb(self) -> None:
        """C that takes memory for ever ends at the limit, where the library gives up."""
        grow = "for (;;) { char *room = kn_alloc(1 << 20); *room = 1; }"
        self.fails(errors.OutOfMemory, written(init=grow))

    def test_enough(self) -> None:
        """Half of the memory limit can be used."""
        self.scenario.measure(written(init="kn_alloc(32 << 20);"), upTo="train")

    def test_tables(self) -> None:
        """As many tables as are allowed, and C's calls by pointer, work."""
        self.scenario.measure(raw(tables=vec([b"\x70\0\x01"] * 4)), upTo="train")
        more = "static u32 zero(u32 n) { return 0; } static u32 one(u32 n) { return n & 1; }"
        more += "static u32 (*volatile choice[])(u32) = {zero, one};"
        self.scenario.measure(written(victim="return choice[n % 2](n);", more=more), upTo="train")

    def test_segments(self) -> None:
        """Initial data may go up to the end of memory."""
        self.scenario.measure(raw(memory=vec([b"\0\1"]), data=vec([at(65535, b"x")])), upTo="train")

    def test_images(self) -> None:
        """Data far apart does not become an image of the memory between: neither for the child nor for us."""
        for megabytes in (1, 8, 15):
            apart = vec([at(0, b"x"), at(megabytes << 20, b"x")])
            wasm = raw(memory=vec([b"\0" + leb(megabytes * 16 + 16)]), data=apart)
            self.assertLess(len(translator.translate(wasm)), 100_000)
            self.scenario.measure(wasm, upTo="train")

    def test_tableImages(self) -> None:
        """A table with one element at its far end is refused before anything writes it out."""
        for count in (1, 4, 80):
            size = 1 << 20
            far = vec([b"\2" + leb(index) + b"\x41" + sleb(size - 1) + b"\x0b\0\1\0" for index in range(count)])
            self.patch(sandbox, "translate", self.fail)
            self.fails(errors.OutOfMemory, raw(tables=vec([b"\x70\0" + leb(size)] * count), elements=far), "table")

    def test_flat(self) -> None:
        """Neither many modules nor failing runs that filled their memory make this process grow."""
        before = resident()
        for number in range(24):
            apart = vec([at(number, b"x"), at(15 << 20, b"x")])
            sandbox.loadModule(raw(memory=vec([b"\0" + leb(256)]), data=apart))
        big = "static volatile char sink; "
        fill = "char *room = kn_alloc(40 << 20); __builtin_memset(room, 1, 40 << 20); sink = room[c];"
        wasm = written(init=fill, hit="if (n > 100) __builtin_trap();", more=big)
        gc.disable()
        try:
            for _ in range(12):
                self.assertRaises(errors.Trapped, self.scenario.measure, wasm)
        finally:
            gc.enable()
        self.assertLess(resident() - before, 150 << 20)

    def test_kept(self) -> None:
        """Modules are kept only up to so much machine code."""
        self.patch(sandbox, "_modules", type(sandbox._modules)())
        self.patch(sandbox, "_KEPT_CODE", 100_000)
        for number in range(30):
            sandbox.loadModule(raw(init=b"\x41" + sleb(number) + b"\x1a"))
        kept = [size for _, size in sandbox._modules.values()]
        self.assertTrue(1 <= len(kept) < 30)
        self.assertLessEqual(sum(kept), 100_000)

    # -- counts and names --------------------------------------------------------------------------------

    def test_exports(self) -> None:
        """Thousands of exports of functions with a thousand parameters each are refused unread."""
        wide = [b"\x60" + vec([I32] * 1000) + vec([])]
        # All are the same function, which kn_hit's type does as well.
        for count in (61, 900, 7000):
            more = [b"\4%04x" % number + b"\0\1" for number in range(count)]
            self.fails(errors.TooLarge, raw(exports=more, types=wide), "exports")
        self.scenario.measure(raw(exports=more[:60]), upTo="train")

    def test_ownMemoryOnly(self) -> None:
        """A policy that overwrites all of its own memory at each call changes neither the score nor the next run's."""
        wreck = "for (u32 *p = (u32 *)16; p < (u32 *)60000; p += 97) *p = 0xffffffff;"
        clean = self.scenario.measure(written()).splits
        wrecked = self.scenario.measure(written(hit=wreck)).splits
        self.assertEqual([s.score for s in wrecked.values()], [s.score for s in clean.values()])

    # -- this machine ------------------------------------------------------------------------------------

    def test_noMemory(self) -> None:
        """Where the machine has no memory to give, that is said, and is not the module's fault."""
        code = (
            "import resource\n"
            "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
            "resource.setrlimit(resource.RLIMIT_AS, (used + (500 << 20),) * 2)\n"
            "try: scenario.measure(wasm)\n"
            "except errors.ComponentError as error: print(type(error).__name__, error.deterministic)"
        )
        self.assertEqual(self.elsewhere(code), "NoResources False\n")

    def test_manyFiles(self) -> None:
        """A process with more than a thousand open files can translate modules, too."""
        code = (
            "import os, resource\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
            "keep = [os.open('/dev/null', 0) for _ in range(1100)]\n"
            "translator.closeTranslators()\n"
            "scenario.measure(wasm)\n"
            "print('measured')"
        )
        self.assertEqual(self.elsewhere(code), "measured\n")

    def test_smallStacks(self) -> None:
        """With stacks that a module's recursion could overflow nothing is run: the process would be killed."""
        code = "scenario.measure(wasm)"
        output = self.elsewhere(code, "ulimit -s 300; ", check=False)
        self.assertIn("'ulimit -s 1024' is the least", output)

    def test_forked(self) -> None:
        """A process that was forked off measures on, with children of its own, and so does the one it came from."""
        code = (
            "import os\n"
            "sandbox.loadModule(policy(init=b'\\x41\\1\\x1a'))\n"
            "child = os.fork()\n"
            "scenario.measure(policy(init=b'\\x41\\2\\x1a' if child else b'\\x41\\3\\x1a'))\n"
            "if child: print(os.waitpid(child, 0)[1])"
        )
        self.assertEqual(self.elsewhere(code), "0\n")

    def test_descriptors(self) -> None:
        """Neither failing modules nor children that had to be ended leave a file open."""
        self.scenario.measure(raw())
        before = set(os.listdir("/proc/self/fd"))
        for number in range(4):
            self.fails(errors.InvalidModule, raw(init=b"\x10\x63" * (number + 1)))
            self.fails(errors.Trapped, raw(init=b"\x00" * (number + 1)))
            with translator._lock:
                for child in translator._idle:
                    child._process.kill()
                    child._process.wait()
            sandbox.loadModule(raw(init=b"\x41" + sleb(1000 + number) + b"\x1a"))
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), len(before))

    def elsewhere(self, code: str, shell: str = "", check: bool = True) -> str:
        """What a process of its own prints that has a scenario, and a policy with endless recursion in kn_hit."""
        setting = (
            "import pathlib, sys\n"
            "from kernelnet.workbench import errors, sandbox, translator\n"
            "from kernelnet.testing import loopWithScan, makeScenario\n"
            "from tests.workbench.wasm import *\n"
            f"scenario = makeScenario(pathlib.Path({self.mktemp()!r}).parent, loopWithScan())\n"
            "wasm = policy(memory=vec([b'\\0\\1']))\n"
            "scenario.baselines()\n"
        )
        command = ["/bin/sh", "-c", shell + 'exec "$0" -c "$1"', sys.executable, setting + code]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if check and result.returncode:
            self.fail(result.stderr)
        return result.stdout if check else result.stderr

    # -- the compiler of machine code --------------------------------------------------------------------

    def test_manyBranches(self) -> None:
        """The costliest module of plain blocks and branches is translated in time, or refused."""
        depth = 300
        branches = b"".join(ZERO + b"\x0d" + leb(i) for i in range(depth))
        times = (sandbox.MAX_MODULE - 4000) // len(branches)
        start = time.monotonic()
        with contextlib.suppress(errors.CompileTooCostly):
            self.scenario.measure(raw(init=b"\x02\x40" * depth + branches * times + b"\x0b" * depth), upTo="train")
        self.assertLess(time.monotonic() - start, SECONDS)

    def test_worker(self) -> None:
        """A child that died is replaced, and the module that is next does not notice."""
        self.scenario.measure(written(), upTo="train")
        with translator._lock:
            for child in translator._idle:
                child._process.kill()
                child._process.wait()
        self.scenario.measure(written(insert="static volatile u32 last; last = s;"), upTo="train")
