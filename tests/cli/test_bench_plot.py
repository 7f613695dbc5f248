"""C{kernelnet bench plot}."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest, mock

from kernelnet.cli.cost_plot import paretoFront
from kernelnet.cli.plot_plan import plans, shares
from kernelnet.cli.plotting import _spread, measured, styles
from kernelnet.cli.policy_comparison import Policy, standing
from kernelnet.workbench.file_system import workbench
from tests.cli.support import CliTestCase
from tests.workbench.support import writeTrace

PLOT = ("bench", "plot", "file_system")


class PlanTests(CliTestCase):
    def test_cacheSizes(self) -> None:
        """By default the x axis has cache sizes from 0.1 to 30 % of the blocks, for each trace one pair of axes."""
        second = writeTrace(self.folder / "second.txt", [n % 500 for n in range(1200)])
        first, other = plans(workbench, [self.trace, second], [], [], None)
        self.assertEqual(other.title, "file_system: second")
        self.assertEqual([s.settings["capacity"] for s in other.scenarios], shares(500))
        self.assertEqual(other.places, [100 * size / 500 for size in shares(500)])
        self.assertTrue(other.percent)
        self.assertEqual({s.trace for s in first.scenarios}, {"small"})
        sizes = shares(100_000)
        self.assertEqual((sizes[0], sizes[-1], len(sizes)), (100, 30_000, 14))
        self.assertTrue(all(1.54 < b / a < 1.56 for a, b in itertools.pairwise(sizes)))

    def test_over(self) -> None:
        """The x axis has the values that are asked for, in order; those of a cache may be shares."""
        [plan] = plans(workbench, [self.trace], [], [], "capacity=20%,17,16")
        blocks = workbench.scenario(self.trace).machine.trace.distinct
        self.assertEqual([s.settings["capacity"] for s in plan.scenarios], [16, 17, blocks // 5])

    def test_traces(self) -> None:
        """Where a setting is given, the x axis has the traces, with the settings of those that are there twice."""
        second = writeTrace(self.folder / "second.txt", [n % 500 for n in range(1200)])
        [plan] = plans(workbench, [self.trace, second], ["capacity=20"], [], None)
        self.assertEqual((plan.name, plan.places), ("", ["small", "second"]))
        [plan] = plans(workbench, [self.trace], [], ["16", "17"], None)
        self.assertEqual(plan.places, ["small\ncapacity 16", "small\ncapacity 17"])

    def test_measured(self) -> None:
        """What is drawn is what C{bench run} prints."""
        [plan] = plans(workbench, [self.trace], [], [], "capacity=16,32")
        found = measured(plan.scenarios, standing, 2)
        ran = json.loads(
            self.succeed(
                "bench", "run", "file_system", "--trace", self.trace, "--capacity", "16", "--capacity", "32", "--json"
            )
        )
        drawn = [[(p.name, p.splits["held_out"].score) for p in each.policies] for each in found]
        self.assertEqual(drawn, [[(p["name"], p["splits"]["held_out"]["score"]) for p in e["policies"]] for e in ran])


class StyleTests(CliTestCase):
    def test_distinct(self) -> None:
        """No two of many policies look the same, and what was learned looks like none of the others."""
        policies = [Policy(f"p{i}", "baseline", {}) for i in range(11)]
        policies += [Policy("best", "optimum", {}), Policy("a.c", "component", {}), Policy("b.c", "component", {})]
        looks = [(s["color"], s["marker"], str(s["linestyle"])) for _, s in styles(policies)]
        self.assertEqual(len(set(looks)), len(policies))
        markers = [style["marker"] for _, style in styles(policies)[:12]]
        self.assertEqual(len(set(markers)), 12)

    def test_spread(self) -> None:
        """Names stand apart, in order, none below the axes, and those that have room where they belong."""
        for wanted in ([0.0], [0.0] * 5, [0.1, 0.11, 0.12, 0.9], [0.0, 0.3, 0.3, 0.32, 0.5, 0.52, 1.0], [1.0] * 3):
            places = _spread(wanted, 0.05)
            self.assertEqual(places, sorted(places))
            self.assertGreaterEqual(places[0], 0)
            self.assertTrue(all(b - a > 0.05 - 1e-9 for a, b in itertools.pairwise(places)), places)
        self.assertEqual(_spread([0.1, 0.5, 0.9], 0.05), [0.1, 0.5, 0.9])


class PlotTests(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise SkipTest("matplotlib is not installed") from None

    def draw(self, name: str, *arguments: str | Path) -> bytes:
        out = self.folder / name
        said = self.succeed(*PLOT, "--trace", self.trace, "--out", out, *arguments)
        self.assertIn(f"drawn: {out}", said)
        return out.read_bytes()

    def test_names(self) -> None:
        """The picture names every hand-made policy, the optimum, the component and the axes."""
        svg = self.draw("a.svg", "--component", self.baseline("arc")).decode()
        for word in (*workbench.baselineNames, "belady", "my-arc.c", "miss ratio (held-out)", "file_system: small"):
            self.assertIn(f">{word}<", svg)
        self.assertIn("blocks<", svg)

    def test_same(self) -> None:
        """The same measurements give the same picture, to the byte."""
        first, second = self.draw("a.svg", "--over", "capacity=16,32"), self.draw("b.svg", "--over", "capacity=16,32")
        self.assertEqual(first, second)

    def test_kinds(self) -> None:
        """PNG, by the suffix; levels; traces beside each other; parts of the trace."""
        png = self.draw("a.PNG", "--over", "capacity=16,32,64")
        self.assertTrue(png.startswith(b"\x89PNG"))
        svg = self.draw("b.svg", "--level", "--over", "capacity=16,32", "--part", "validation").decode()
        self.assertIn("share of the distance from lru to belady (validation)", svg)
        svg = self.draw("c.svg", "--capacity", "16", "--capacity", "32").decode()
        self.assertIn("misses, as a multiple of lru's (held-out)", svg)
        self.assertIn("capacity 32", svg)

    def test_nasty(self) -> None:
        """A file's name is drawn as it is, formulas included."""
        nasty = self.folder / "$x_{$&<b>\u4e2d.c"
        nasty.write_text(workbench.baselineSource("lru"))
        svg = self.draw("a.svg", "--over", "capacity=16,32", "--component", nasty).decode()
        self.assertIn("$x_{$&amp;&lt;b&gt;\u4e2d.c", svg)

    def test_force(self) -> None:
        """A picture that is there is replaced only on demand."""
        self.draw("a.svg", "--over", "capacity=16,32")
        self.refused(2, "is there already", *PLOT, "--trace", self.trace, "--out", self.folder / "a.svg")
        self.draw("a.svg", "--over", "capacity=16,32", "--force")


class MistakeTests(CliTestCase):
    def test_cost(self) -> None:
        """With costs each policy has a place by its time and its score; the front is of those whom nobody beats."""
        component, out = self.baseline("s3fifo"), self.folder / "cost.svg"
        arguments = ("--trace", self.trace, "--capacity", "16", "--capacity", "32", "--component", component)
        told = self.succeed("bench", "plot", "file_system", *arguments, "--cost", "--out", out)
        self.assertIn("drawn: ", told)
        text = out.read_text()
        for words in ("nanoseconds of CPU time", "miss ratio", "my-s3fifo.c", "sieve", "capacity 16", "capacity 32"):
            self.assertIn(words, text)
        mistake = ("--cost", "--over", "capacity=5,6", "--force")
        self.refused(2, "leave out --over", "bench", "plot", "file_system", *arguments, *mistake, "--out", out)

    def test_paretoFront(self) -> None:
        """Who is as good as another for more, or worse for as much, is not on it."""
        points = [(5.0, 0.4), (3.0, 0.5), (5.0, 0.3), (9.0, 0.3), (4.0, 0.6), (20.0, 0.1)]
        self.assertEqual(paretoFront(points), [(3.0, 0.5), (5.0, 0.3), (20.0, 0.1)])
        self.assertEqual(paretoFront([(1.0, 1.0), (1.0, 1.0)]), [(1.0, 1.0)])

    def test_mistakes(self) -> None:
        """Each mistake gets one line, before anything is measured."""
        out = self.folder / "a.png"
        cases: tuple[tuple[Any, ...], ...] = (
            (2, "should end in .png or .svg", "--out", self.folder / "a.pdf"),
            (2, "there is no folder", "--out", self.folder / "no" / "a.png"),
            (2, "NAME=A,B", "--out", out, "--over", "capacity"),
            (2, "NAME=A,B", "--out", out, "--over", "capacity=5"),
            (2, "NAME=A,B", "--out", out, "--over", "capacity=5,x"),
            (2, "capacity is on the x axis", "--out", out, "--over", "capacity=5,6", "--capacity", "7"),
            (2, "no setting 'speed'", "--out", out, "--over", "speed=5,6"),
            (2, "takes whole numbers", "--out", out, "--over", "speed=5%,6%"),
            (2, "capacity is 0; it should be 1 to", "--out", out, "--over", "capacity=0,6"),
            (1, "fails on the trace small: kn_victim named", "--out", out, "--component", self.write("bad.c", BAD)),
        )
        for code, words, *arguments in cases:
            self.refused(code, words, *PLOT, "--trace", self.trace, *arguments)
        self.assertFalse(out.exists())

    def test_noMatplotlib(self) -> None:
        """Without matplotlib one line says what to install."""
        with mock.patch.dict(sys.modules, {"matplotlib": None}):
            self.refused(1, "pip install 'kernelnet[plot]'", *PLOT, "--out", self.folder / "a.png")


BAD = """
#include "kn_file_system.h"
void kn_init(u32 capacity) {}
void kn_hit(u32 slot) {}
u32 kn_victim(u64 key) { return KN_NONE; }
void kn_insert(u32 slot, u64 key) {}
"""
