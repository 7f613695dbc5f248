"""Components in this machine's kernel: real beside simulated, hostile ones, and that nothing is left."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import skipUnless

from kernelnet.deploy.bpf_tcp import link, loading, measurement
from kernelnet.deploy.errors import DeployError
from kernelnet.expressions.syntax import parse
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.generators.genetic_programming import _Breeder
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError, WorkbenchError
from kernelnet.workbench.network_stack import workbench
from tests.deploy.bpf_tcp.support import PREFIX, KernelTestCase, whyNot
from tests.exporters.test_bpf_translation import FULL_OF

FULL, RANK = workbench.abis
SECONDS = 10

reason = whyNot()


def outside() -> list[str]:
    """What a measurement could change of the machine: namespaces that have names, devices, sysctls."""
    named = Path("/run/netns")
    settings = Path("/proc/sys/net/ipv4")
    names = ("tcp_congestion_control", "tcp_allowed_congestion_control", "tcp_rmem", "tcp_wmem", "ip_forward")
    return [
        str(sorted(path.name for path in named.iterdir()) if named.exists() else []),
        str(sorted(path.name for path in Path("/sys/class/net").iterdir())),
        *((settings / name).read_text() for name in names),
        Path("/proc/sys/net/core/default_qdisc").read_text(),
        Path("/proc/net/route").read_text(),
    ]


@skipUnless(not reason, reason or "-")
class MeasurementTests(KernelTestCase):
    def test_reno(self) -> None:
        """Exported Reno and Linux's run over the link, near what the bench says; nothing outside is changed."""
        before = outside()
        told: list[str] = []
        # On a machine that has other things to do the numbers are looser than the benchmark's.
        self.patch(link, "MOST_LATE", 0.2)
        self.patch(link, "LATEST", 1000)
        found = measurement.measure(
            workbench.baselineModule("reno"), workbench, beside=["reno"], seconds=SECONDS, tell=told.append
        )
        self.assertEqual(found.spoiled, [])
        self.assertEqual((found.target, found.unit, found.settings["rtt_ms"]), ("bpf-tcp", measurement.UNIT, 40))
        for each in (found.component, *found.beside):
            self.assertIsNotNone(each.simulated)
            self.assertLess(abs(each.real / (each.simulated or 1) - 1), 0.35, each)
            self.assertGreater(each.figures["utilisation_permille"], 800, each)
        self.assertEqual(len(told), 2)
        self.assertEqual(outside(), before)

    def test_taken(self) -> None:
        """The kernel takes every hand-made policy, the template, every known rank function, and generated ones."""
        rng = random.Random(5)
        breeder = _Breeder(RANK.features, rng)
        trees = [*(parse(text, RANK.features) for text in RANK.known), *(breeder.grown(4) for _ in range(8))]
        modules = [workbench.baselineModule(name) for name in workbench.baselineNames]
        modules += [toWasm(tree, RANK) for tree in trees]
        source = DELAY_TARGET.bake(DELAY_TARGET.normalized(next(iter(DELAY_TARGET.known))))
        modules.append(compileC(source, workbench.headerPath, trusted=True))
        with measurement.deployed(workbench, modules) as names:
            there = {each.name for each in loading.loaded()}
            self.assertLessEqual(set(names), there)
            self.assertEqual(len(names), len(set(modules)))

    def test_hostile(self) -> None:
        """A component that never ends, or writes anywhere, is stopped for its own connection, which goes on as Reno."""
        bench = measurement.Bench(workbench, None, {}, SECONDS)
        for body in ("if (n++ > 300) for (;;) n++;", "if (n++ > 300) *(volatile u32 *)(rtt * 977777u) = 1;"):
            wasm = compileC(FULL_OF.replace("BODY", body), workbench.headerPath, trusted=True)
            with measurement.deployed(workbench, [wasm]) as (name,), link.built() as program:
                way = link.Link(program, bench.link[: 4 * link.SECOND], 40, 250)
                passage = way.run(name)
                self.assertEqual(loading.brokenOf(name), 1, body)
            taken = sum(second.taken for second in passage.seconds[1:])
            self.assertGreater(taken, 0.3 * sum(second.offered for second in passage.seconds[1:]), body)

    def test_killed(self) -> None:
        """What a killed measurement left in the kernel is taken out by the next one; its link ends with it."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "killed.py")
            program.write_text(KILLED.format(prefix=PREFIX, lock=str(loading.LOCK), seconds=SECONDS))
            with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(0.5)
                with self.assertRaisesRegex(DeployError, "another measurement runs"), loading.alone():
                    pass
                process.send_signal(signal.SIGKILL)
        self.assertEqual(len([each for each in loading.loaded() if each.isMeasured]), 1)
        with loading.alone():
            self.assertEqual(loading.removeLeft(), 1)
        self.assertEqual([each for each in loading.loaded() if each.isMeasured], [])

    def test_interrupted(self) -> None:
        """Ctrl-C takes it out at once."""

        def interrupt(name: str) -> link.Passage:
            raise KeyboardInterrupt

        self.patch(link.Link, "run", lambda way, name: interrupt(name))
        with self.assertRaises(KeyboardInterrupt):
            measurement.measure(workbench.baselineModule("reno"), workbench, seconds=SECONDS)
        self.assertEqual([each for each in loading.loaded() if each.isMeasured], [])

    def test_broken(self) -> None:
        """A run in which the component went wrong isn't valid, nor is one in which the link was late every time."""
        wasm = workbench.baselineModule("cubic")
        late = link.parse("second 10 10 400 0\nsecond 10 10 400 0\nlate 0:10 90:10\nrealtime 1\n")
        runs: list[str] = []

        def run(way: link.Link, name: str) -> link.Passage:
            runs.append(name)
            return late

        self.patch(link.Link, "run", run)
        self.patch(loading, "brokenOf", lambda name: 1)
        found = measurement.measure(wasm, workbench, seconds=SECONDS)
        self.assertEqual(len(runs), measurement.TRIES)
        self.assertFalse(found.isValid)
        self.assertIn("late by 1 ms or more", found.spoiled[0])
        self.assertIn("went wrong in 1 connections", found.spoiled[1])

    def test_mistakes(self) -> None:
        """Each mistake is told before anything is loaded."""
        wasm = workbench.baselineModule("reno")
        for given, words in (
            ({"beside": ["nonesuch"]}, "this kernel has no nonesuch"),
            ({"beside": ["../x"]}, "is no congestion control"),
            ({"settings": {"flows": 3}}, "a link with one flow"),
            ({"settings": {"loss_permille": 3}}, "without loss by chance"),
            ({"seconds": 5}, "it should be 10 to 600"),
        ):
            error = self.assertRaises(DeployError, measurement.measure, wasm, workbench, **given)
            self.assertIn(words, str(error))
        self.assertRaises(WorkbenchError, measurement.measure, wasm, workbench, settings={"nonesuch": 1})
        self.assertRaises(TraceError, measurement.measure, wasm, workbench, trace=Path(self.mktemp()))
        self.assertEqual({each.number for each in loading.loaded()}, self.before)


KILLED = """
from pathlib import Path
from kernelnet.deploy.bpf_tcp import link, loading, measurement
from kernelnet.workbench.network_stack import workbench

loading.MEASURED, loading.LOCK = {prefix!r}, Path({lock!r})
measurement.measure(
    workbench.baselineModule("vegas"), workbench, seconds={seconds}, tell=lambda line: print(line, flush=True)
)
"""
