"""C{--for scx}: compiled, looked at by the kernel's verifier, and run on a machine in place of the kernel."""

from __future__ import annotations

import ctypes
import functools
import json
import random
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import skipUnless

import numpy as np
import numpy.typing as npt
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters.bpf_building import bpftool, buildBpf, kernelVersion
from kernelnet.exporters.building import build
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.scx import ROOM, exporter, makeScheduler, nameOf, writeScheduler
from kernelnet.expressions.syntax import parse
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.workbench.machine import Arena
from kernelnet.workbench.process_manager import workbench
from kernelnet.workbench.process_manager.machine import ProcessManagerMachine
from kernelnet.workbench.process_manager.trace import Trace, loadTrace
from tests.workbench.process_manager_support import policy

FULL, RANK = workbench.abis
MACHINE = Path(__file__).with_name("scx_machine.c")
TASKS = 1000
"""Of each trace."""

Numbers = npt.NDArray[np.uint64]

GENERATED = """
static kn_set waiting; static kn_recent *recent; static u64 *attained, *key_of, *turn, *came, turns, now;
void kn_init(u32 slots, u32 cpus, u64 quantum) {
    waiting = kn_set_new(slots);
    recent = kn_recent_new();
    attained = kn_alloc(slots * 8); key_of = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8); came = kn_alloc(slots * 8);
}
void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    now += elapsed;
    attained[slot] = 0; key_of[slot] = key; turn[slot] = turns++; came[slot] = now;
    kn_set_add(&waiting, slot);
}
static f64 value(u32 slot) {
    f64 ran = attained[slot], mean = kn_recent_mean(recent, key_of[slot]), wait = now - came[slot] - attained[slot];
    return %s;
}
u32 kn_pick(u64 elapsed) {
    now += elapsed;
    u32 best = waiting.slot[0];
    f64 least = value(best);
    for (u32 i = 1; i < waiting.count; i++) {
        u32 slot = waiting.slot[i];
        f64 v = value(slot);
        if (v < least || (v == least && turn[slot] < turn[best])) { best = slot; least = v; }
    }
    kn_set_remove(&waiting, best);
    return best;
}
void kn_ran(u32 slot, u64 ran, u64 elapsed) { now += elapsed; attained[slot] += ran; kn_set_add(&waiting, slot); }
void kn_done(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    kn_recent_add(recent, key_of[slot], attained[slot] + ran);
}
"""
"""With numbers that have a point; the value is drawn."""


FIFO = """
static kn_heap waiting; static u64 *turn, turns;
void kn_init(u32 slots, u32 cpus, u64 quantum) {
    turn = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, turn, turn);
}
void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    turn[slot] = turns++;
    kn_heap_add(&waiting, slot);
}
u32 kn_pick(u64 elapsed) { PICK return kn_heap_take(&waiting); }
void kn_ran(u32 slot, u64 ran, u64 elapsed) { kn_heap_add(&waiting, slot); }
void kn_done(u32 slot, u64 ran, u64 elapsed) {}
"""
FORGET = """
static kn_set waiting;
void kn_init(u32 slots, u32 cpus, u64 quantum) { waiting = kn_set_new(slots); }
void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) { kn_set_add(&waiting, slot); }
u32 kn_pick(u64 elapsed) {
    u32 slot = waiting.slot[0];
    kn_set_remove(&waiting, slot);
    return slot;
}
void kn_ran(u32 slot, u64 ran, u64 elapsed) { kn_set_add(&waiting, slot); }
void kn_done(u32 slot, u64 ran, u64 elapsed) {}
void kn_forget(u32 slot, u64 elapsed) { kn_set_remove(&waiting, slot); }
"""
TRIVIAL = """
char _license[] __attribute__((section("license"), used)) = "Dual MIT/GPL";
__attribute__((section("tp_btf/sched_switch"), used)) int trivial(void *ctx) { return 0; }
"""


def generated(rng: random.Random) -> bytes:
    terms = ["ran", "mean", "wait", "(ran + 1) * (mean + 1)", "mean / (1 + wait)", "kn_max(ran, mean)"]
    return policy(GENERATED % " + ".join(f"{rng.uniform(-0.2, 1.0)} * {rng.choice(terms)}" for _ in range(3)))


def mixed(x: int) -> int:
    """As scx.c has it."""
    mask = (1 << 64) - 1
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31


class GaveUp(Exception):
    """The scheduler handed back to the kernel; the number says why."""


def verified(program: Path) -> str:
    """The verifier's word on a program, which nothing runs and nobody sees; empty: it is fine."""
    with tempfile.TemporaryDirectory() as folder:
        load = f"mount -t bpf bpf {folder} && {bpftool()} prog loadall {program.resolve()} {folder}/all"
        done = subprocess.run(["unshare", "-m", "sh", "-c", load], capture_output=True, text=True, check=False)
    return (done.stderr or "no word")[-3000:] if done.returncode else ""


@functools.cache
def whyNoVerifier() -> str:
    """Why this machine's kernel looks at no program of ours, by trying it; empty: it does."""
    if exporter.missing() or bpftool() is None:
        return "there is no clang, or no bpftool"
    if kernelVersion() < (6, 9):
        return "the kernel is older than 6.9"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trivial.c")
        source.write_text(TRIVIAL)
        buildBpf(source, Path(folder, "trivial.o"), [])
        return verified(Path(folder, "trivial.o"))[-200:]


class Bench(ProcessManagerMachine):
    """The bench's own machine, with the keys that the scheduler makes; it keeps what it finds."""

    waits: list[int]

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        super().prepare(arena, settings, wasm, end)
        keys = [mixed(key + 1) for key in range(self.trace.keys)]
        groups = [mixed(group ^ mixed(0)) for group in range(self.trace.groups)]
        arena.memory.write(arena.at["key_salt"], np.array(keys, "<u8"))
        arena.memory.write(arena.at["group_salt"], np.array(groups, "<u8"))

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        found = super().score(driver, arena, start, end)
        self.waits = [int(each) for each in arena.memory.read(arena.at["wait"], end, "<u8")]
        return found[0], {**found[1], "decisions": driver["wb_decisions"](arena.memory.store)}


def first(trace: Trace, many: int) -> Trace:
    """The first tasks of a log, whose users said nothing: the kernel's don't."""
    columns = {name: getattr(trace, name)[:many] for name in ("arrival", "run", "key", "group")}
    return replace(
        trace, **columns, estimate=np.zeros(many, "<u8"), ends={"train": 1, "validation": 2, "held_out": many}
    )


class DecisionTests(SynchronousTestCase):
    """The scheduler as it is, on a machine in place of the kernel, beside the bench."""

    def found(
        self, wasm: bytes, trace: Trace, settings: Mapping[str, int], odd: int = 0, slots: int = 0
    ) -> tuple[list[int], int, int]:
        """What each task waited, decisions, switches.  @param odd: see scx_machine.c."""
        folder = Path(tempfile.mkdtemp(dir=self.mktemp_()))
        writeScheduler(wasm, FULL, folder)
        (folder / "counts.c").write_text(
            '#include "scx.c"\nSHOWN u64 machine_decisions(void) { return decisions; }\n'
            "SHOWN u64 machine_switches(void) { return switches; }\n"
        )
        slots = slots or len(trace.run) - 2
        flags = [f"-I{folder}", f'-DKN_GROUND="{MACHINE}"', f"-DKN_SLOTS={slots}", "-fno-strict-aliasing", "-w"]
        flags += [f"-DKN_{name}={settings[name.lower()]}" for name in ("TICK_US", "QUANTUM_US")]
        build([folder / "counts.c"], folder / "machine.so", flags=flags)
        library = ctypes.CDLL(str(folder.resolve() / "machine.so"))
        for name in ("machine_run", "machine_decisions", "machine_switches"):
            getattr(library, name).restype = ctypes.c_int64
        count = len(trace.run)
        waits = np.zeros(count, "<u8")
        arrivals = Bench(trace).arrivals(settings["cpus"], settings["load_permille"])
        columns = [np.ascontiguousarray(each, "<u8") for each in (arrivals, trace.run)]
        columns += [np.ascontiguousarray(each, "<u4") for each in (trace.key, trace.group)]
        pointers = [each.ctypes.data_as(ctypes.c_void_p) for each in columns]
        change = ctypes.c_uint64(settings["switch_us"])
        out = waits.ctypes.data_as(ctypes.c_void_p)
        if failed := library.machine_run(count, *pointers, settings["cpus"], change, out, odd):
            raise GaveUp(failed)
        return [int(each) for each in waits], library.machine_decisions(), library.machine_switches()

    def mktemp_(self) -> str:
        folder = Path(self.mktemp())
        folder.mkdir()
        return str(folder)

    def same(self, wasm: bytes, trace: Trace, settings: Mapping[str, int], about: str) -> None:
        bench = Bench(trace)
        bench.slots = len(trace.run) - 2
        count = len(trace.run)
        found = bench.run(wasm, settings, windows=[("all", 0, count)], fuel=1 << 60)["all"]
        waits, decisions, switches = self.found(wasm, trace, settings)
        self.assertEqual((decisions, switches), (found.metrics["decisions"], found.metrics["switches"]), about)
        self.assertEqual(waits, bench.waits, about)

    def test_baselines(self) -> None:
        """Every hand-made policy: each task waits for as long as in the bench, on two logs, with one CPU and more."""
        for path in workbench.traces():
            trace = first(loadTrace(path), TASKS)
            for number, name in enumerate(workbench.baselineNames):
                for cpus in (1, 2 + number % 2):
                    settings = workbench.complete(trace, {"cpus": cpus})
                    self.same(workbench.baselineModule(name), trace, settings, f"{path.name}, {name}, {cpus} CPUs")

    def test_generated(self) -> None:
        """Components with numbers that have a point: as in the bench, though the kernel has whole numbers alone."""
        rng = random.Random(5)
        for number, path in enumerate(workbench.traces() * 2):
            trace = first(loadTrace(path), TASKS // 2)
            # With a tick less than a quantum a slice grows with what was run.
            slices = {"tick_us": 200, "quantum_us": 5000 + 5000 * number}
            settings = workbench.complete(trace, {"cpus": 1 + number, "load_permille": 950, **slices})
            self.same(generated(rng), trace, settings, f"{path.name}, {number}")

    def test_oddThreads(self) -> None:
        """Threads that may not run everywhere, that leave while they wait, and for which no slot is left: all end."""
        trace = first(loadTrace(workbench.traces()[1]), TASKS // 2)
        for cpus, slots in ((1, 0), (3, 0), (2, 5), (4, 8)):
            settings = workbench.complete(trace, {"cpus": cpus, "load_permille": 1200})
            for wasm in (policy(FORGET), policy(FIFO.replace("PICK", ""))):
                waits, decisions, _ = self.found(wasm, trace, settings, odd=5, slots=slots)
                self.assertGreater(sum(waits), 0)
                self.assertGreater(decisions, 20)

    def test_broken(self) -> None:
        """A trap, an endless loop, or a slot that can't be picked: the kernel is told to go on with its own."""
        trace = first(loadTrace(workbench.traces()[0]), 200)
        settings = workbench.complete(trace, {"cpus": 1})
        for body, why in (("__builtin_trap();", 1), ("for (volatile u32 i = 0;;) i++;", 7), ("return 77;", 32)):
            wasm = policy(FIFO.replace("PICK", body))
            failed = self.assertRaises(GaveUp, self.found, wasm, trace, settings)
            self.assertEqual(failed.args, (why,), body)


@skipUnless(not exporter.missing(), "; ".join(exporter.missing()) or "-")
class ScxTests(SynchronousTestCase):
    def folder(self) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir()
        return folder.resolve()

    def test_folder(self) -> None:
        """An export has the program for the kernel, says what it takes, and is made again by its Makefile."""
        wasm = workbench.baselineModule("cfs")
        out = Path(self.mktemp())
        exportTo(out, exporter, wasm, FULL, {})
        manifest = json.loads((out / "manifest.json").read_text())
        name = nameOf(wasm)
        self.assertEqual((manifest["scheduler"], manifest["bytes"]), (name, ROOM))
        program = out / f"{name}.o"
        made = program.read_bytes()
        self.assertEqual(made[:4], b"\x7fELF")
        program.unlink()
        subprocess.run(["make", "-s", "-C", str(out)], check=True, capture_output=True)
        self.assertEqual(program.read_bytes(), made)
        self.assertIn("never yet loaded", (out / "README").read_text())
        self.assertIn(f"{name}.o", (out / "README").read_text())

    def test_compiled(self) -> None:
        """Every hand-made policy and generated ones become a program without a warning of clang's, in all forms."""
        modules = [workbench.baselineModule(name) for name in workbench.baselineNames]
        for wasm in [*modules, generated(random.Random(1)), policy(FORGET)]:
            folder = self.folder()
            writeScheduler(wasm, FULL, folder)
            for flags in ([], ["-DKN_PARTIAL"]):
                buildBpf(folder / "scx.c", folder / "made.o", ["-DKN_NAME=kn_test", "-Werror", *flags])

    def test_refused(self) -> None:
        """A rank function, more memory than there is, and recursion are refused, with what would be right."""
        greedy = policy(FIFO.replace("PICK", "").replace("turn = kn_alloc(slots * 8)", "turn = kn_alloc(slots * 5600)"))
        deep = "__attribute__((noinline)) u32 deep(u32 x) { return x ? deep(x / 2) * x + deep(x / 3) : 1; }\n"
        for wasm, abi, words in (
            (toWasm(parse("attained", RANK.features), RANK), RANK, "takes components of process_manager/full"),
            (greedy, FULL, "bytes of memory for 4096 threads; scx has 4,194,304: search for one with"),
            (policy(deep + FIFO.replace("PICK", "turns += deep(elapsed);")), FULL, "the kernel has no recursion"),
        ):
            out = Path(self.mktemp())
            error = self.assertRaises(ExportError, exportTo, out, exporter, wasm, abi, {})
            self.assertIn(words, str(error))
            self.assertFalse(out.exists())


@skipUnless(not exporter.missing() and not whyNoVerifier(), whyNoVerifier() or "; ".join(exporter.missing()) or "-")
class VerifierTests(SynchronousTestCase):
    def test_verified(self) -> None:
        """All but the kernel's own sched_ext functions passes the verifier: as tracing programs, which never run."""
        modules = [workbench.baselineModule(name) for name in workbench.baselineNames]
        for number, wasm in enumerate([*modules, generated(random.Random(1)), policy(FORGET)]):
            folder = Path(self.mktemp())
            folder.mkdir()
            program, _ = makeScheduler(wasm, FULL, folder, ["-DKN_CHECKED"])
            self.assertEqual(verified(program), "", str(number))

    def test_refused(self) -> None:
        """The verifier does look: a program that writes behind its memory isn't loaded."""
        folder = Path(self.mktemp())
        folder.mkdir()
        wasm = workbench.baselineModule("fcfs")
        writeScheduler(wasm, FULL, folder)
        text = (folder / "bpf.h").read_text()
        (folder / "bpf.h").write_text(text.replace("return at & (KN_WINDOW - 1);", "return at;"))
        buildBpf(folder / "scx.c", folder / "wrong.o", ["-DKN_NAME=kn_test", "-DKN_CHECKED"])
        self.assertIn("is not allowed", verified(folder / "wrong.o"))
