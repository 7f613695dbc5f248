"""C{--for bpf-tcp}: what is compiled for the kernel, and what a flow of the rank ABI knows."""

from __future__ import annotations

import ctypes
import json
import random
import struct
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.exporters import bpf_tcp
from kernelnet.exporters.bpf_building import buildBpf
from kernelnet.exporters.bpf_tcp import exporter, makeProgram, nameOf
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import exportTo
from kernelnet.expressions.syntax import parse, toC
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench
from tests.exporters.bpf_twins import bpfTwin
from tests.exporters.twins import Sandboxed

FULL, RANK = workbench.abis
HERE = Path(bpf_tcp.__file__).parent

lacking = exporter.missing()


@skipUnless(not lacking, "; ".join(lacking) or "-")
class BpfTcpTests(SynchronousTestCase):
    def test_compiled(self) -> None:
        """Every hand-made policy and every known rank function becomes a program, without a warning of clang's."""
        modules = [workbench.baselineModule(name) for name in workbench.baselineNames]
        modules += [toWasm(parse(text, RANK.features), RANK) for text in RANK.known]
        for wasm in modules:
            folder = Path(self.mktemp())
            folder.mkdir()
            program, size = makeProgram(wasm, workbench.abiOf(wasm), folder, "kn_test")
            self.assertEqual(program.read_bytes()[:4], b"\x7fELF")
            self.assertLess(size, 64 << 10)
            # for kernels before 6.10, too
            buildBpf(folder / "bpf_tcp.c", folder / "old.o", ["-DKN_NAME=kn_old", "-DKN_CONTROL_OF_TWO", "-Werror"])

    def test_folder(self) -> None:
        """An export has the module, its name in the kernel, and what a socket's memory is; twice the same bytes."""
        wasm = workbench.baselineModule("cubic")
        one, two = Path(self.mktemp()), Path(self.mktemp())
        for out in (one, two):
            exportTo(out, exporter, wasm, FULL, {})
        manifest = json.loads((one / "manifest.json").read_text())
        name = manifest["congestion_control"]
        self.assertEqual(name, nameOf(wasm))
        self.assertLess(len(name), 16)
        self.assertEqual(manifest["bytes_by_socket"], 72)
        for path in one.iterdir():
            self.assertEqual(path.read_bytes(), (two / path.name).read_bytes(), path.name)
        self.assertIn(f"{name}.o", (one / "README").read_text())

    def test_tooMuchStack(self) -> None:
        """A function with more variables at once than the kernel's 512 bytes of stack hold is refused in words."""
        sums = " + ".join(f"v{n} * rate" for n in range(90))
        variables = "".join(f"f64 v{n} = rate * {n}.5 + rtt;" for n in range(90))
        source = f"""
#include "kn_network_stack.h"
f64 kn_init(void) {{ return 10.0; }}
f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {{
    {variables} rate = rate / 3;
    return {sums};
}}
f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {{ return 10.0; }}
f64 kn_timeout(u32 elapsed, u32 lost) {{ return 1.0; }}
f64 kn_rate(void) {{ return 0.0; }}
"""
        wasm = compileC(source, workbench.headerPath, trusted=True)
        out = Path(self.mktemp())
        error = self.assertRaises(ExportError, exportTo, out, exporter, wasm, FULL, {})
        self.assertIn("more than 512 bytes of stack", str(error))
        self.assertFalse(out.exists())

    def test_tooMuchMemory(self) -> None:
        """What wants more memory than a socket has, from the beginning or once it starts, is refused, with numbers."""
        for state, begins in (("static f64 past[30000];", ""), ("static f64 *past;", "past = kn_alloc(240000);")):
            source = f"""
#include "kn_network_stack.h"
{state}
f64 kn_init(void) {{ {begins} return 10.0; }}
f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {{
    past[rtt % 30000] += 1.0;
    return past[inflight % 30000];
}}
f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {{ return 10.0; }}
f64 kn_timeout(u32 elapsed, u32 lost) {{ return 1.0; }}
f64 kn_rate(void) {{ return 0.0; }}
"""
            wasm = compileC(source, workbench.headerPath, trusted=True)
            out = Path(self.mktemp())
            error = self.assertRaises(ExportError, exportTo, out, exporter, wasm, FULL, {})
            self.assertRegex(
                str(error), r"wants [23]\d\d,\d{3} bytes of memory for a socket; bpf-tcp has 63,488: .*--memory 1114112"
            )
            self.assertFalse(out.exists())


class RankTests(SynchronousTestCase):
    def test_asTheBench(self) -> None:
        """What a flow knows, and so its window, is the bench's own rank.h to the bit, with every known function."""
        for number, text in enumerate(RANK.known):
            tree = parse(text, RANK.features)
            bench = (workbench.folder / "rank.h").read_text()
            source = toC(tree, RANK, workbench.headerPath.name) + BENCH.replace("RANK_H", bench)
            theirs = Sandboxed(compileC(source, workbench.headerPath, trusted=True))
            ours = self.twin(toWasm(tree, RANK))
            rng = random.Random(number)
            theirs.call("t_starts", (7,))
            ours.starts(7)
            now, rtt = 7, 40
            for count in range(1, 4001):
                now += rng.choice((0, 0, 0, 1, 1, 2, 5, 30))
                rtt = max(1, min(400, rtt + rng.randint(-3, 3)))
                if rng.random() < 0.01:
                    self.assertEqual(bits(theirs.call("t_lost", (now, count % 2))), ours.lost(now, count % 2), text)
                if rng.random() < 0.003:
                    self.assertEqual(bits(theirs.call("t_timed_out", (now,))), ours.timedOut(now), text)
                found = bits(theirs.call("t_acknowledged", (now, rtt, count)))
                self.assertEqual(found, ours.acknowledged(now, rtt), f"{text}: {count}")
            theirs.close()

    def twin(self, wasm: bytes) -> Rank:
        folder = Path(self.mktemp())
        library = bpfTwin(wasm, RANK.required, folder, extra=OURS.replace("RANK_H", str(HERE / "bpf_tcp_rank.h")))
        return Rank(library)


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


class Rank:
    """The kernel's form, compiled for this machine."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        for name in ("t_lost", "t_timed_out", "t_acknowledged"):
            getattr(self._library, name).restype = ctypes.c_uint64

    def starts(self, now: int) -> None:
        self._library.t_starts(now)

    def lost(self, now: int, fresh: int) -> int:
        return int(self._library.t_lost(now, fresh))

    def timedOut(self, now: int) -> int:
        return int(self._library.t_timed_out(now))

    def acknowledged(self, now: int, rtt: int) -> int:
        return int(self._library.t_acknowledged(now, rtt))


BENCH = """
#define MAX_FLOWS 1
#define MAX_WINDOW 16384u
#define KN_FLOW(n, name)
#define EACH_FLOW(X) X(0)
#define window_0 kn_window
RANK_H
KN_EXPORT("t_starts") f64 t_starts(u32 now) { return flow_starts(0, now); }
KN_EXPORT("t_lost") f64 t_lost(u32 now, u32 fresh) { return flow_lost(0, now, 1, fresh, 1); }
KN_EXPORT("t_timed_out") f64 t_timed_out(u32 now) { return flow_timed_out(0, now, 1); }
KN_EXPORT("t_acknowledged") f64 t_acknowledged(u32 now, u32 rtt, u32 count) {
    return flow_acknowledged(0, now, rtt, count, 0, 1, 1.0);
}
"""
OURS = """
#include "RANK_H"
static component *t_m;
static known t_k;
SHOWN void t_starts(u32 now) { t_m = twin_new(0, 1ll << 40); rank_begins(&t_k, now); }
SHOWN u64 t_lost(u32 now, u32 fresh) { return rank_lost(&t_k, now, fresh); }
SHOWN u64 t_timed_out(u32 now) { return rank_timed_out(&t_k, now); }
SHOWN u64 t_acknowledged(u32 now, u32 rtt) { return rank_acknowledged(&t_k, t_m, now, rtt); }
"""
