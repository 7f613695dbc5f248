"""
Who knows a trace by heart gains nothing by it: on the variants on which a claim is measured he is no better than the
policy that he falls back to, though on the trace as it is he is close to the optimum.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.workbench.contract import FolderCase
from tests.workbench.file_system_memorisers import (
    byBlock,
    byContext,
    byDraw,
    byPosition,
    byRequest,
    ranked,
    schedule,
)
from tests.workbench.support import mixture, smallScenario

NOISE = 0.01
"""Share of the way from LRU to the optimum; a few of the spread that levels have over digests."""

SIZES = {"1 KB": 1 << 10, "16 KB": 16 << 10, "64 KB": 56 << 10}
"""Of the table; with the code around it a module has at most 64 KB."""

Maker = Callable[[FileSystemScenario, int], bytes]


def level(scenario: IScenario, wasm: bytes) -> float:
    report: Report = scenario.measure(wasm)
    return scenario.developmentLevel(report)


def phases(requests: int, length: int) -> list[int]:
    """In turn a loop that doesn't fit, for which MRU is best, and blocks that are soon requested again: LRU is best."""
    rng, ids = random.Random(3), []
    for at in range(requests):
        if at // length % 2:
            ids.append(at % 60)
        else:
            ids.append(1000 + at // 12 + int(rng.expovariate(0.1)))
    return ids


class MemoriserTests(FolderCase):
    def gains(self, scenario: FileSystemScenario, wasm: bytes, fallback: bytes) -> tuple[float, float]:
        """Level of the module above that of what it falls back to, on the trace as it is and on its variants."""
        variants = scenario.forModule(wasm)
        known, claimed = (level(each, wasm) - level(each, fallback) for each in (scenario, variants))
        return known, claimed

    def check(self, scenario: FileSystemScenario, make: Maker, fallback: bytes, least: dict[str, float]) -> None:
        """@param least: what it gains at least on the trace as it is, by the size of its table."""
        for size, gain in least.items():
            known, claimed = self.gains(scenario, make(scenario, SIZES[size]), fallback)
            self.assertGreater(known, gain, size)
            self.assertLess(claimed, NOISE, size)

    def scenarios(self) -> tuple[FileSystemScenario, FileSystemScenario]:
        """A small synthetic trace, and one that ships."""
        return smallScenario(self.folder, mixture(40_000)), workbench.scenario(workbench.traces()[1], {"capacity": 558})

    def test_byRequest(self) -> None:
        """The number of a request, counted by itself, says nothing."""
        small, shipped = self.scenarios()
        lru = workbench.baselineModule("lru")
        self.check(small, byRequest, lru, {"1 KB": 0.4, "16 KB": 0.9})
        self.check(shipped, byRequest, lru, {"16 KB": 0.6, "64 KB": 0.9})

    def test_byDraw(self) -> None:
        """A rank function that counts its calls doesn't know what is drawn, nor where it is."""
        small, shipped = self.scenarios()
        lru = ranked("return -age;")
        self.check(small, byDraw, lru, {"1 KB": 0.2, "16 KB": 0.9})
        self.check(shipped, byDraw, lru, {"64 KB": 0.9})

    def test_byBlock(self) -> None:
        """Blocks can't be told by the order in which they appear."""
        small, shipped = self.scenarios()
        lru = workbench.baselineModule("lru")
        self.check(small, byBlock, lru, {"1 KB": 0.4, "16 KB": 0.5, "64 KB": 0.4})
        self.check(shipped, byBlock, lru, {"1 KB": 0.3, "64 KB": 0.35})

    def test_byContext(self) -> None:
        """Gaps of the last requests tell little of what is known of a trace, though no place is needed."""
        small, shipped = self.scenarios()
        lru = workbench.baselineModule("lru")
        self.check(small, byContext, lru, {"16 KB": 0.6, "64 KB": 0.9})
        self.check(shipped, byContext, lru, {"64 KB": 0.2})

    def test_byPosition(self) -> None:
        """Nor does it help to look for the place again and again, however long what was found is trusted."""
        small, shipped = self.scenarios()
        lru = workbench.baselineModule("lru")
        for length, trusted, shares in ((6, 200, (0.9, 0.7)), (4, 10, (0.25, 0.05)), (5, 5, (0.2, 0.04))):

            def make(scenario: FileSystemScenario, size: int, length: int = length, trusted: int = trusted) -> bytes:
                return byPosition(scenario, size, length, trusted)

            self.check(small, make, lru, {"64 KB": shares[0]})
            self.check(shipped, make, lru, {"64 KB": shares[1]})

    def test_schedule(self) -> None:
        """Nor what is best in which part of held-out, few parts or many."""
        for length, parts, least in ((10_000, 2, 0.05), (1250, 16, 0.1)):
            scenario = smallScenario(self.folder, phases(40_000, length))
            known, claimed = self.gains(scenario, *schedule(scenario, parts))
            self.assertGreater(known, least, parts)
            self.assertLess(claimed, NOISE, parts)
