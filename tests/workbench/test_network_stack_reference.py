"""The bench of congestion control against a second simulator, tick by tick on small random links."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import NetworkStackWorkbench, workbench
from kernelnet.workbench.network_stack.machine import NetworkStackMachine
from kernelnet.workbench.network_stack.trace import makeTrace
from tests.workbench import network_stack_reference as reference


def randomLink(seed: int, seconds: int = 10) -> list[int]:
    """Bursts, outages, and rates that change: up to 2 packets a millisecond."""
    rng = random.Random(seed)
    link: list[int] = []
    while len(link) < seconds * 1000:
        length = rng.choice([3, 50, 400, 1500])
        rate = rng.choice([0.0, 0.02, 0.2, 0.7, 2.0])
        link += [sum(rng.random() < rate / 4 for _ in range(4)) for _ in range(length)]
    return link[: seconds * 1000]


PATHS = (
    {"rtt_ms": 40, "queue_packets": 250, "loss_permille": 0, "flows": 1},
    {"rtt_ms": 1, "queue_packets": 1, "loss_permille": 0, "flows": 1},
    {"rtt_ms": 25, "queue_packets": 12, "loss_permille": 30, "flows": 1},
    {"rtt_ms": 120, "queue_packets": 40, "loss_permille": 5, "flows": 3},
    {"rtt_ms": 7, "queue_packets": 20, "loss_permille": 0, "flows": 8},
)


class ReferenceTests(SynchronousTestCase):
    def same(self, wasm: bytes, policy: Callable[[], reference.Policy], seed: int, path: dict[str, int]) -> None:
        link = randomLink(seed)
        machine = NetworkStackMachine(makeTrace(np.array(link, np.uint16), Path("random")))
        self.addCleanup(machine.close)
        measured = machine.run(wasm, path)
        network = reference.Network(
            link,
            policy,
            rtt=path["rtt_ms"],
            queue=path["queue_packets"],
            loss=path["loss_permille"],
            flows=path["flows"],
            seed=int.from_bytes(machine.salt[:8], "little"),
        )
        for split in measured.values():
            expected = network.run(split.events)
            self.assertEqual(split.metrics, expected.metrics, (seed, path))
            self.assertLess(abs(split.score - 1000 * expected.lost), 1.01, (seed, path))

    def test_reno(self) -> None:
        """Reno, written twice, has the same on both."""
        for seed, path in enumerate(PATHS):
            self.same(workbench.baselineModule("reno"), reference.Reno, seed, path)

    def test_erratic(self) -> None:
        """A policy that does other things whenever it is told other things has the same on both."""
        wasm = compileC(reference.ERRATIC_C, workbench.headerPath, trusted=True)
        for seed, path in enumerate(PATHS):
            self.same(wasm, reference.Erratic, 10 + seed, path)

    def test_rank(self) -> None:
        """So has a pure function of all that the rank ABI keeps."""
        wasm = compileC(reference.RANK_C, workbench.headerPath, trusted=True)
        for seed, path in enumerate(PATHS):
            self.same(wasm, reference.Rank, 20 + seed, path)


class OmniscientTests(SynchronousTestCase):
    def test_attained(self) -> None:
        """Who sends a packet exactly when the link takes one, for each flow in turn, loses nothing."""
        rng = random.Random(1)
        for _ in range(200):
            offered, flows, base = rng.randrange(3000), rng.randint(1, 8), rng.randint(1, 1000)
            taken = [[base] * len(range(flow, offered, flows)) for flow in range(flows)]
            self.assertAlmostEqual(reference.lostInSecond(offered, taken, base), 0.0)

    def test_bound(self) -> None:
        """However a second's opportunities are used and shared, nothing below 0 comes of it but by rounding."""
        rng = random.Random(2)
        for _ in range(2000):
            offered, flows, base = rng.randrange(300), rng.randint(1, 8), rng.randint(1, 100)
            taken: list[list[int]] = [[] for _ in range(flows)]
            for _ in range(rng.randint(0, offered)):
                rng.choice(taken).append(base + rng.choice([0, 0, 0, 1, 50]))
            self.assertGreater(reference.lostInSecond(offered, taken, base), -1e-9)

    def test_policies(self) -> None:
        """No hand-made policy and no random one loses less than nothing, on any split, and the optimum is nothing."""
        rng = random.Random(3)
        bench = NetworkStackWorkbench()
        source = '#include "kn_network_stack.h"\nf64 kn_window(%s) { return %s; }'
        features = bench.abis[1].features
        parameters = ", ".join(f"f64 {feature}" for feature in features)
        modules = [bench.baselineModule(name) for name in bench.baselineNames]
        for _ in range(6):
            terms = [f"{rng.uniform(-1, 1):.3f} * {feature}" for feature in rng.sample(features, 3)]
            text = source % (parameters, f"{rng.uniform(1, 60):.2f} + " + " + ".join(terms))
            modules.append(compileC(text, bench.headerPath, trusted=True))
        for seed in range(3):
            path = Path(self.mktemp()).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{ms}\n" * count for ms, count in enumerate(randomLink(30 + seed, 20))))
            for settings in PATHS:
                scenario = bench.scenario(path, settings)
                self.assertEqual(set(scenario.optimum().values()), {0})
                for wasm in modules:
                    for split in scenario.measure(wasm).splits.values():
                        self.assertGreaterEqual(split.score, 0)
                        self.assertLessEqual(split.metrics["utilisation_permille"], 1000)
