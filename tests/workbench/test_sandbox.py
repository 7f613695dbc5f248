"""Hostile modules: each ends soon, as the right class of error, and harms nobody."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import errors, machine, sandbox
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.machine import FileSystemMachine
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.support import policy, smallScenario
from tests.workbench.wasm import I32, MAGIC, ZERO, body, leb, section, sleb, vec
from tests.workbench.wasm import policy as raw

SECONDS = 8.0
"""What an attack may take on a machine that is busy with other tests; alone it takes two seconds at most."""


def written(init: str = "", hit: str = "", victim: str = "return 0;", insert: str = "", more: str = "") -> bytes:
    """A policy in C; C{more} stands before kn_victim."""
    return policy(
        f"{more}\nvoid kn_init(u32 c) {{ {init} }} void kn_hit(u32 s, u32 n) {{ {hit} }}\n"
        f"u32 kn_victim(u64 k, u32 n) {{ {victim} }} void kn_insert(u32 s, u64 k, u32 n) {{ {insert} }}"
    )


def at(offset: int, data: bytes) -> bytes:
    """A segment of initial data."""
    return b"\0\x41" + sleb(offset) + b"\x0b" + leb(len(data)) + data


def element(offset: int) -> bytes:
    """A segment of elements: function 0."""
    return b"\0\x41" + sleb(offset) + b"\x0b\1\0"


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

    def test_notWasm(self) -> None:
        """Empty, random, truncated and text-format bytes are no module."""
        whole = written()
        for data in (b"", b"\0", b"\x7fELF" * 99, b"(module)", MAGIC[:4] + b"\2\0\0\0", whole[:-9], whole + b"\xff"):
            self.fails(errors.InvalidModule, data)

    def test_tooLarge(self) -> None:
        """A module of more than 64 KiB is refused unseen, even if it is valid."""
        padding = section(0, b"\1x" + bytes(sandbox.MAX_MODULE))
        self.fails(errors.TooLarge, written() + padding)

    def test_largest(self) -> None:
        """A module of exactly 64 KiB is measured."""
        wasm = written()
        content = sandbox.MAX_MODULE - len(wasm) - 4
        padded = wasm + section(0, b"\1x" + bytes(content - 2))
        self.assertEqual(len(padded), sandbox.MAX_MODULE)
        self.scenario.measure(padded, upTo="train")

    def test_features(self) -> None:
        """64-bit and shared memory, several memories, SIMD and atomics are switched off."""
        self.fails(errors.InvalidModule, raw(memory=vec([b"\x04\x01"])))
        self.fails(errors.InvalidModule, raw(memory=vec([b"\x03\x01\x02"])))
        self.fails(errors.InvalidModule, raw(memory=vec([b"\x00\x01", b"\x00\x01"])))
        self.fails(errors.InvalidModule, raw(init=b"\xfd\x0c" + bytes(16) + b"\x1a"))
        self.fails(errors.InvalidModule, raw(init=b"\xfe\x03\x00", memory=vec([b"\x00\x01"])))

    # -- imports and exports -----------------------------------------------------------------------------

    def test_imports(self) -> None:
        """WASI, the bench's own memory, or anything else: a component imports nothing."""
        declared = 'extern __attribute__((import_module("{}"), import_name("{}"))) int f(int);'
        for module, name in (("wasi_snapshot_preview1", "fd_write"), ("env", "memory"), ("policy", "kn_hit")):
            wasm = written(init="f(1);", more=declared.format(module, name))
            self.fails(errors.ForbiddenImport, wasm, f"{module}.{name}")

    def test_importedMemory(self) -> None:
        """A memory can't be imported either, so the bench's can't be reached."""
        imported = section(2, vec([b"\3env\6memory\2\0\1"]))
        wasm = raw()
        at = wasm.index(section(3, vec([b"\0", b"\1", b"\2", b"\3"])))
        self.fails(errors.ForbiddenImport, wasm[:at] + imported + wasm[at:], "env.memory")

    def test_missingExport(self) -> None:
        """A missing function is named."""
        wasm = written()
        for name in ("kn_init", "kn_hit", "kn_victim", "kn_insert"):
            other = wasm.replace(name.encode(), name.replace("kn", "no").encode())
            self.fails(errors.WrongExport, other, name)

    def test_wrongSignature(self) -> None:
        """A function with other parameters, or something else by its name, is refused."""
        self.fails(errors.WrongExport, written().replace(b"kn_hit", b"kn_xxx").replace(b"kn_init", b"kn_hit\0"[:7]))
        strange = written(more='__attribute__((export_name("kn_param"))) int odd(int a) { return a; }')
        self.fails(errors.WrongExport, strange, "kn_param")
        self.fails(errors.WrongExport, raw().replace(b"\6kn_hit\0\1", b"\6kn_hit\0\0"), "kn_hit")

    def test_hugeName(self) -> None:
        """A long or unprintable import name does not get into the error as it is."""
        name = b"\x1b[31m\n" + b"x" * 5000
        imported = section(2, vec([b"\1m" + leb(len(name)) + name + b"\0\0"]))
        self.fails(errors.ForbiddenImport, MAGIC + section(1, vec([b"\x60\0\0"])) + imported)

    # -- running -----------------------------------------------------------------------------------------

    def test_endlessLoop(self) -> None:
        """An endless loop runs out of fuel, wherever it is."""
        loop = "for (volatile int i = 0;; i++);"
        self.fails(errors.OutOfFuel, written(init=loop))
        self.fails(errors.OutOfFuel, written(hit=loop))
        self.fails(errors.OutOfFuel, written(victim=loop))
        self.fails(errors.OutOfFuel, written(insert=loop))

    def test_startLoop(self) -> None:
        """A start function that never ends runs out of fuel."""
        self.fails(errors.OutOfFuel, raw(start=b"\x03\x40\x0c\0\x0b"))

    def test_slow(self) -> None:
        """A policy that does too much at each request runs out of fuel."""
        self.fails(errors.OutOfFuel, written(hit="for (volatile int i = 0; i < 1000000; i++);"))

    def test_fill(self) -> None:
        """Filling memory again and again is charged by the byte."""
        more = "static char *room; static volatile char sink;"
        fill = "__builtin_memset(room, (int)n, 32 << 20); sink = room[n];"
        self.fails(errors.OutOfFuel, written(init="room = kn_alloc(32 << 20);", hit=fill, more=more))

    def test_recursion(self) -> None:
        """Endless recursion overflows its own stack only."""
        more = "static volatile int sink; static __attribute__((noinline)) int f(int x) { return f(x + sink) * 3 + x; }"
        self.fails(errors.StackOverflow, raw(more=[body(b"\x10\4")], init=b"\x10\4"), "stack")
        self.fails(errors.StackOverflow, written(hit="sink = f(1);", more=more))

    def test_outOfBounds(self) -> None:
        """Reading, writing and calling beyond what is there traps."""
        self.fails(errors.Trapped, written(init="*(volatile int *)0xfffffff0 = 1;"), "out of bounds")
        self.fails(errors.Trapped, written(hit="(void)*(volatile int *)(0x40000000 + s);"), "out of bounds")
        self.fails(errors.Trapped, written(hit="((void (*)(u32))(s + 77777))(s);"))

    def test_arithmetic(self) -> None:
        """Division by zero, overflow and impossible conversions trap."""
        self.fails(errors.Trapped, written(hit="volatile u32 zero = 0; zero = n / zero;"), "divide by zero")
        overflow = "volatile int least = -2147483647 - 1, one = -1; least = least / one;"
        self.fails(errors.Trapped, written(hit=overflow), "overflow")
        self.fails(errors.Trapped, raw(init=b"\x43\0\0\xc0\x7f\xa8\x1a"), "conversion")

    def test_unreachable(self) -> None:
        """Giving up traps."""
        self.fails(errors.Trapped, written(victim="__builtin_trap();"), "unreachable")

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

    def test_badSlot(self) -> None:
        """A slot that does not exist breaks the contract."""
        self.fails(errors.ContractBroken, written(victim="return 32;"), "kn_victim")
        self.fails(errors.ContractBroken, written(victim="return 0xffffffff;"), "kn_victim")

    # -- memory ------------------------------------------------------------------------------------------

    def test_greedyMemory(self) -> None:
        """A module that starts with too much memory or too large tables is not started."""
        self.fails(errors.OutOfMemory, raw(memory=vec([b"\0" + leb(65536)])))
        self.fails(errors.OutOfMemory, raw(memory=vec([b"\0" + leb(4096)])))
        self.fails(errors.OutOfMemory, raw(tables=vec([b"\x70\0" + leb(10_000_000)])))

    def test_memoryBomb(self) -> None:
        """Taking memory for ever ends at the limit, whether the module gives up or not."""
        grow = "for (;;) { char *room = kn_alloc(1 << 20); *room = 1; }"
        self.fails(errors.OutOfMemory, written(init=grow))
        self.fails(errors.OutOfFuel, written(init="for (;;) __builtin_wasm_memory_grow(0, 1);"))

    def test_enough(self) -> None:
        """Half of the memory limit can be used."""
        self.scenario.measure(written(init="kn_alloc(32 << 20);"), upTo="train")

    def test_tables(self) -> None:
        """Too many tables, or one that is too large, are refused; C's calls by pointer work."""
        self.scenario.measure(raw(tables=vec([b"\x70\0\x01"] * 4)), upTo="train")
        self.fails(errors.OutOfMemory, raw(tables=vec([b"\x70\0" + leb(9_000)] * 5)), "tables")
        more = "static u32 zero(u32 n) { return 0; } static u32 one(u32 n) { return n & 1; }"
        more += "static u32 (*volatile choice[])(u32) = {zero, one};"
        self.scenario.measure(written(victim="return choice[n % 2](n);", more=more), upTo="train")
        self.fails(errors.OutOfMemory, raw(tables=vec([b"\x70\0\x01"] * 2 + [b"\x70\0" + leb(20_000)])))

    def test_segments(self) -> None:
        """Initial data and elements beyond memory and table trap; what is within works."""
        page, table = vec([b"\0\1"]), vec([b"\x70\0\x04"])
        self.scenario.measure(raw(memory=page, data=vec([at(65535, b"x")])), upTo="train")
        self.fails(errors.Trapped, raw(memory=page, data=vec([at(65536, b"x")])), "out of bounds")
        self.fails(errors.Trapped, raw(memory=page, data=vec([at(-1, b"x")])), "out of bounds")
        self.fails(errors.Trapped, raw(tables=table, elements=vec([element(4)])), "out of bounds")
        self.fails(errors.InvalidModule, raw(data=vec([at(0, b"x")])))

    def test_images(self) -> None:
        """Data far apart does not become an image of the memory between: neither for the child nor for us."""
        for megabytes in (1, 8, 15):
            apart = vec([at(0, b"x"), at(megabytes << 20, b"x")])
            wasm = raw(memory=vec([b"\0" + leb(megabytes * 16 + 16)]), data=apart)
            self.assertLess(len(sandbox._translate(wasm)), 100_000)
            self.scenario.measure(wasm, upTo="train")

    def test_tableImages(self) -> None:
        """A table with one element at its far end is refused before anything writes it out."""
        for count in (1, 4, 80):
            size = 1 << 20
            far = vec([b"\2" + leb(index) + b"\x41" + sleb(size - 1) + b"\x0b\0\1\0" for index in range(count)])
            self.patch(sandbox, "_translate", self.fail)
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

    def test_exportKinds(self) -> None:
        """A memory, a table or a global in the place of a function is refused."""
        for kind in (b"\1", b"\2", b"\3"):
            wasm = raw(memory=vec([b"\0\1"]), tables=vec([b"\x70\0\1"]), globals_=vec([I32 + b"\0" + ZERO + b"\x0b"]))
            self.fails(errors.WrongExport, wasm.replace(b"\6kn_hit\0\1", b"\6kn_hit" + kind + b"\0"), "kn_hit")
        self.fails(errors.InvalidModule, raw(exports=[b"\6kn_hit\0\1"]))
        self.fails(errors.InvalidModule, raw(exports=[b"\2\xff\xfe\0\1"]))
        self.fails(errors.InvalidModule, raw(exports=[b"\1x\0\x7f"]))

    def test_malformed(self) -> None:
        """Numbers without an end, sizes beyond the end, sections twice or out of order, and bad indices."""
        plain = raw()
        for wasm in (
            MAGIC + b"\x04\xff\xff\xff\xff\xff\xff",
            MAGIC + b"\x04\x80\x80\x80\x80\x80\x00",
            MAGIC + b"\x07\xff\xff\xff\xff\x0f",
            MAGIC + b"\x04",
            MAGIC + section(4, leb(3) + b"\x70"),
            plain + section(7, vec([])),
            plain + section(1, vec([])),
            plain + section(99, b""),
            raw(init=b"\x10\x63"),
            raw(init=b"\x20\x63\x1a"),
            raw(init=b"\x1a"),
            raw(init=b"\x0b\x0b"),
            raw(start=ZERO),
            raw(initLocals=vec([leb(50_001) + I32])),
            raw(initLocals=vec([leb(0xFFFFFFFF) + I32, leb(0xFFFFFFFF) + I32])),
            raw(memory=vec([b"\1\2\1"])),
            raw(memory=vec([b"\0" + leb(65537)])),
        ):
            self.fails(errors.InvalidModule, wasm)

    def test_proposals(self) -> None:
        """Tail calls, exceptions, garbage collection, typed references and stack switching are switched off."""
        for wasm in (
            raw(init=b"\x12\4", more=[body(b"")]),
            raw(init=b"\x06\x40\x19\x0b"),
            raw(init=b"\x1f\x40\0\x0b"),
            raw(types=[b"\x5f\0"]),
            raw(types=[b"\x5e\x7f\1"]),
            raw(types=[b"\x5d\4"]),
            raw(init=b"\xd0\4\x1a"),
            raw(init=b"\xfb\x1c\x1a"),
            raw(init=ZERO + b"\xfd\x0f\x1a"),
        ):
            self.fails(errors.InvalidModule, wasm)

    def test_bulk(self) -> None:
        """Filling, copying and growing tables and memories for ever runs out of fuel."""
        table, memory = vec([b"\x70\0" + leb(10_000)]), vec([b"\0" + leb(1000)])
        ten, most = b"\x41" + sleb(10_000), b"\x41" + sleb(60 << 20)
        for code in (
            ZERO + b"\xd0\x70" + ten + b"\xfc\x11\0",
            ZERO + ZERO + ten + b"\xfc\x0e\0\0",
            b"\xd0\x70\x41\1\xfc\x0f\0\x1a",
            ZERO + ZERO + most + b"\xfc\x0b\0",
            ZERO + ZERO + most + b"\xfc\x0a\0\0",
            b"\x41\1\x40\0\x1a",
            b"\x3f\0\x1a",
            b"\xd2\0\x1a",
        ):
            refer = vec([b"\3\0\1\0"])
            loop = b"\x03\x40" + code * 20 + b"\x0c\0\x0b"
            self.fails(errors.OutOfFuel, raw(init=loop, tables=table, memory=memory, elements=refer))

    def test_references(self) -> None:
        """Calls through what is no function, or one of another type, trap."""
        table = vec([b"\x70\0\4"])
        self.fails(errors.Trapped, raw(init=ZERO + b"\x11\4\0", tables=table))
        self.fails(errors.Trapped, raw(init=ZERO + b"\x11\4\0", tables=table, elements=vec([element(0)])), "type")
        self.fails(errors.Trapped, raw(init=b"\x41\x7f\x25\0\x1a", tables=table))
        self.fails(
            errors.Trapped,
            raw(init=ZERO + ZERO + b"\x41\7" + b"\xfc\x0c\0\0", tables=table, elements=vec([element(0)])),
        )

    def test_wrongSlots(self) -> None:
        """A slot is as good as no other: whatever number comes back, only those of the cache are taken."""
        for slot in (32, 33, 255, 65536, -1, -(1 << 31), (1 << 31) - 1):
            self.fails(errors.ContractBroken, raw(victim=b"\x41" + sleb(slot)))

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
            "sandbox.closeTranslators()\n"
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
            with sandbox._lock:
                for translator in sandbox._idle:
                    os.kill(translator._process.pid, signal.SIGKILL)
                    translator._process.wait()
            sandbox.loadModule(raw(init=b"\x41" + sleb(1000 + number) + b"\x1a"))
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), len(before))

    def elsewhere(self, code: str, shell: str = "", check: bool = True) -> str:
        """What a process of its own prints that has a scenario, and a policy with endless recursion in kn_hit."""
        setting = (
            "import pathlib, sys\n"
            "from kernelnet.workbench import errors, sandbox\n"
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

    def test_stopped(self) -> None:
        """A child that neither works nor reads is given up after a while, even for the largest module."""
        self.patch(sandbox, "_WALL_SECONDS", 1.0)
        translator = sandbox._Translator()
        self.addCleanup(translator.close)
        os.kill(translator._process.pid, signal.SIGSTOP)
        self.assertRaises(errors.CompileTooCostly, translator.translate, bytes(sandbox.MAX_MODULE))

    # -- the compiler of machine code --------------------------------------------------------------------

    def test_craneliftBomb(self) -> None:
        """Deeply nested loops over many variables keep Cranelift busy for long: the child is ended, and replaced."""
        depth, count = 4000, 5000
        steps = b"".join(
            b"\x20" + leb(1 + i) + b"\x41\1\x6a\x22" + leb(1 + i) + b"\x0d" + leb(i % depth) for i in range(depth)
        )
        bomb = raw(init=b"\x03\x40" * depth + steps + b"\x0b" * depth, initLocals=vec([leb(count) + I32]))
        self.assertLessEqual(len(bomb), sandbox.MAX_MODULE)
        self.fails(errors.CompileTooCostly, bomb, "1 s")
        self.fails(errors.CompileTooCostly, bomb, "1 s")

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
        with sandbox._lock:
            for translator in sandbox._idle:
                translator._process.kill()
                translator._process.wait()
        self.scenario.measure(written(insert="static volatile u32 last; last = s;"), upTo="train")

    def test_costly(self) -> None:
        """A translation that exceeds its CPU time is ended and told apart from a bad module."""
        self.patch(sandbox, "_idle", [])
        translator = sandbox._Translator()
        self.addCleanup(translator.close)
        # As large as it takes: the child itself knows no limit on the size.
        branches = b"".join(ZERO + b"\x0d" + leb(i) for i in range(1000))
        deep = raw(more=[body(b"\x02\x40" * 1000 + branches * 40 + b"\x0b" * 1000)])
        start = time.monotonic()
        self.assertRaises(errors.CompileTooCostly, translator.translate, deep)
        self.assertLess(time.monotonic() - start, SECONDS)
