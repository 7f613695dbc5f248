"""Expressions: read and printed, simplified, written as C and as WebAssembly."""

from __future__ import annotations

import contextlib
import math
import random
import struct
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.expressions.simplification import reductions, replaced, simplified
from kernelnet.expressions.syntax import (
    ARITY,
    MAX_DEPTH,
    MAX_NODES,
    ExpressionError,
    Tree,
    depth,
    evaluate,
    fromSource,
    parse,
    parts,
    size,
    text,
    toC,
)
from kernelnet.expressions.wasm_codegen import toWasm
from kernelnet.workbench.abi import PARAMETERS
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.sandbox import checkExports, loadModule
from tests.generators.picker import ABI, Scenario, pickerScenario

FEATURES = ABI.features
NUMBERS = (0.0, 1.0, -1.0, 2.0, 0.5, -3.25, 1e6, 1e-5, 1e300, 4.9e-324, -0.0)


def grown(rng: random.Random, levels: int) -> Tree:
    """A random tree."""
    if levels == 0 or rng.random() < 0.25:
        return rng.choice(FEATURES) if rng.random() < 0.6 else rng.choice((*NUMBERS, round(rng.gauss(0, 100), 3)))
    operation = rng.choice(list(ARITY))
    return (operation, *(grown(rng, levels - 1) for _ in range(ARITY[operation])))


trees = st.builds(lambda seed, levels: grown(random.Random(seed), levels), st.integers(0, 2**32), st.integers(0, 5))


class TextTests(SynchronousTestCase):
    def test_known(self) -> None:
        """Operators bind as everywhere, from the left; a sign before a number is part of it."""
        for source, tree in (
            ("length", "length"),
            ("1.5e3", 1500.0),
            (".5", 0.5),
            ("-1", -1.0),
            ("--1", ("neg", -1.0)),
            ("-(1)", ("neg", 1.0)),
            ("-length * waited", ("mul", ("neg", "length"), "waited")),
            ("1 - 2 - 3", ("sub", ("sub", 1.0, 2.0), 3.0)),
            ("1 - (2 - 3)", ("sub", 1.0, ("sub", 2.0, 3.0))),
            ("1 + 2 * noise", ("add", 1.0, ("mul", 2.0, "noise"))),
            ("(1 + 2) * noise", ("mul", ("add", 1.0, 2.0), "noise")),
            ("iflt(1, noise, lg(2), aq(3, 4))", ("iflt", 1.0, "noise", ("lg", 2.0), ("aq", 3.0, 4.0))),
            (" min ( 1 ,\n2 ) ", ("min", 1.0, 2.0)),
        ):
            self.assertEqual(parse(source, FEATURES), tree, source)

    @given(trees)
    @settings(deadline=None, max_examples=300)
    def test_again(self, tree: Tree) -> None:
        """What is printed is read as the same tree, also from a published source."""
        self.assertEqual(repr(parse(text(tree), FEATURES)), repr(tree))
        if size(tree) <= MAX_NODES:
            self.assertEqual(repr(fromSource(toC(tree, ABI, "kn_picker.h", "x */ y"), FEATURES)), repr(tree))

    def test_wrong(self) -> None:
        """What is wrong is named, with its place and what would be right."""
        for source, message in (
            ("", "the end"),
            ("length waited", "character 13: there is 'waited'; it should be an operator or the end"),
            ("min(length)", "character 11: there is ')'; it should be ','"),
            ("min(length, 1, 2)", "should be ')'"),
            ("size", "character 4: there is 'size'; it should be one of length, noise, waited, min"),
            ("length / 2", "there is '/'"),
            ("1..2", "there is '.2'"),
            ("nan", "there is 'nan'"),
            ("inf", "there is 'inf'"),
            ("1e400", "there is '1e400'; it should be a number below 1.8e308"),
            ("-1e999", "there is '1e999'"),
            ("0x10", "there is 'x10'"),
            ("1_000", "there is '_000'"),
            ("\u0661", "there is '\u0661'"),  # a digit, of Arabic script
            ("length\0", "there is '\\x00'"),
            ("__import__('os')", "there is '__import__'"),
        ):
            error = self.assertRaises(ExpressionError, parse, source, FEATURES)
            self.assertIn(message, str(error), source)

    def test_hostile(self) -> None:
        """Large and deep text is refused at once, whatever it is."""
        began = time.monotonic()
        for source in (
            "(" * 100_000,
            "(" * 15_000,
            "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
            "-" * 15_000 + "noise",
            "-" * 15_000,
            "+".join(["1"] * 7_000),
            "*".join(["noise"] * (MAX_DEPTH + 1)),
            "min(" * 3_000,
            "lg(" * 100 + "1" + ")" * 100,
            "9" * 15_999,
            "1e" + "9" * 15_000,
            " " * 15_999,
            " " * 16_000 + "1",
        ):
            self.assertRaises(ExpressionError, parse, source, FEATURES)
        self.assertLess(time.monotonic() - began, 2)
        self.assertLessEqual(depth(parse("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1), FEATURES)), MAX_DEPTH)

    @given(st.text(alphabet="()+-*,.0123456789e minaxglqtf\n", max_size=60))
    @settings(deadline=None, max_examples=300)
    def test_any(self, source: str) -> None:
        """Any text is an expression or an ExpressionError."""
        with contextlib.suppress(ExpressionError):
            parse(source, FEATURES)

    def test_source(self) -> None:
        """In a source that doesn't say what it was written from, or says nonsense, there is no expression."""
        for source in ("", "int x;", "/* expression: */", "/* expression: size */", "expression: " + "(" * 10**6):
            self.assertIsNone(fromSource(source, FEATURES))

    def test_readable(self) -> None:
        """A published source has the features' names, and a cascade of conditions as statements."""
        tree = parse("iflt(length, 2, iflt(noise, 1, -waited, 3), lg(noise) - 1)", FEATURES)
        self.assertEqual(
            toC(tree, ABI, "kn_picker.h", "for a test"),
            """\
/*
 * picker/rank/1: for a test
 *
 * expression: iflt(length, 2.0, iflt(noise, 1.0, -waited, 3.0), lg(noise) - 1.0)
 */
#include "kn_picker.h"

f64 kn_rank(f64 length, f64 waited, f64 noise) {
    if (length < 2.0) {
        if (noise < 1.0) return -waited;
        return 3.0;
    }
    return kn_lg(noise) - 1.0;
}
""",
        )


class ValueTests(SynchronousTestCase):
    def test_known(self) -> None:
        """Values that can be reckoned by hand."""
        for source, value in (
            ("min(2, -3)", -3.0),
            ("max(2, -3)", 2.0),
            ("sqrt(-9)", 3.0),
            ("lg(0)", 0.0),
            ("lg(1)", 1.0),
            ("lg(-7)", 3.0),
            ("lg(2)", 1.5),
            ("aq(3, 0)", 3.0),
            ("aq(10, 0.75)", 8.0),
            ("iflt(1, 2, 3, 4)", 3.0),
            ("iflt(2, 2, 3, 4)", 4.0),
            ("iflt(1e308 * 10 - 1e308 * 10, 2, 3, 4)", 4.0),
        ):
            self.assertEqual(evaluate(parse(source, ()), {}), value, source)

    def test_wasm(self) -> None:
        """
        Written as WebAssembly directly a tree has the bits that it has through C, and in Python.

        The bench's metric is a sum over the bits of all ranks.
        """
        scenario = pickerScenario(Path(self.mktemp()), 100, bits=1)
        header = scenario.workbench.headerPath
        rng = random.Random(5)
        for _ in range(25):
            tree = grown(rng, rng.randint(1, 6))
            direct = scenario.measure(toWasm(tree, ABI)).splits
            throughC = scenario.measure(compileC(toC(tree, ABI, "kn_picker.h"), header, trusted=True)).splits
            for split, score in direct.items():
                self.assertEqual((score.score, score.metrics), (throughC[split].score, throughC[split].metrics), tree)
            self.assertEqual(direct["train"].metrics["bits"], self.summed(scenario, tree), tree)

    def summed(self, scenario: Scenario, tree: Tree) -> int:
        """What the driver's sum should be at the end of train."""
        jobs = scenario.machine.trace.jobs.reshape(-1, 3)[: 2 * scenario.events["train"]]
        total = 0
        for length, waited, noise in jobs.tolist():
            values = {"length": float(length), "waited": waited * 0.1 - 3.0, "noise": noise * 1e3}
            rank = evaluate(tree, values)
            bits = 1 if math.isnan(rank) else struct.unpack("<Q", struct.pack("<d", rank))[0]
            total = (total * 0x9E3779B97F4A7C15 + bits) % 2**64
        return total >> 32

    def test_module(self) -> None:
        """A direct module is a rank function of its ABI, and tiny."""
        wasm = toWasm("age", workbench.abis[1])
        checkExports(loadModule(wasm), workbench.abis[1].required, PARAMETERS)
        self.assertLess(len(wasm), 100)

    def test_fileSystem(self) -> None:
        """The page cache's known functions score the same through C and directly."""
        abi = workbench.abis[1]
        scenario = workbench.scenario(workbench.traces()[0], {"capacity": 55})
        self.assertTrue(abi.known)
        for source in abi.known:
            tree = parse(source, abi.features)
            throughC = compileC(toC(tree, abi, "kn_file_system.h"), workbench.headerPath, trusted=True)
            scores = {scenario.measure(wasm, "train").splits["train"].score for wasm in (toWasm(tree, abi), throughC)}
            self.assertEqual(len(scores), 1, source)


class SimplifyTests(SynchronousTestCase):
    def test_known(self) -> None:
        """Each rule, by an example."""
        for source, expected in (
            ("noise + 0", "noise"),
            ("0 - noise", "-noise"),
            ("noise - noise", "0.0"),
            ("(noise * 2) - (noise * 2)", "noise * 2.0 - noise * 2.0"),  # which may be infinite
            ("noise * 1", "noise"),
            ("-1 * noise", "-noise"),
            ("0 * noise", "0.0"),
            ("0 * (noise * 1e300 * 1e300)", "noise * 1e+300 * 1e+300 * 0.0"),  # infinity times 0 is no number
            ("-noise * -length", "noise * length"),
            ("-(noise - length)", "length - noise"),
            ("length + -noise", "length - noise"),
            ("length - -noise", "length + noise"),
            ("lg(-noise)", "lg(noise)"),
            ("sqrt(noise * -2)", "sqrt(noise * 2.0)"),
            ("aq(noise, 0)", "noise"),
            ("aq(0, noise)", "0.0"),
            ("aq(length, noise * -2)", "aq(length, noise * 2.0)"),
            ("min(noise, noise)", "noise"),
            ("min(noise, max(noise, length))", "noise"),
            ("max(max(noise, length), length)", "max(noise, length)"),
            ("min(-noise, -length)", "-max(noise, length)"),
            ("iflt(noise, length, 1, 1)", "1.0"),
            ("iflt(noise, noise, 1, 2)", "2.0"),
            ("iflt(1, 2, noise, length)", "noise"),
            ("iflt(noise, length, noise, length)", "min(noise, length)"),
            ("iflt(noise, length, length, noise)", "max(noise, length)"),
            ("iflt(noise, length, iflt(noise, length, 1, 2), 3)", "iflt(noise, length, 1.0, 3.0)"),
            ("iflt(noise, length, 1, iflt(noise, length, 2, 3))", "iflt(noise, length, 1.0, 3.0)"),
            ("1e308 * 10", "1e+308 * 10.0"),  # infinity can't be printed
            ("lg(1) + noise * (2 - 1) * 1", "1.0 + noise"),
        ):
            self.assertEqual(text(simplified(parse(source, FEATURES))), expected, source)

    @given(trees, st.integers(0, 2**32))
    @settings(deadline=None, max_examples=500)
    def test_same(self, tree: Tree, seed: int) -> None:
        """A simplified tree is no larger, and has the same value for all finite features."""
        simple = simplified(tree)
        self.assertLessEqual(size(simple), size(tree))
        rng = random.Random(seed)
        for _ in range(5):
            values = {feature: rng.choice((*NUMBERS, rng.gauss(0, 9))) for feature in FEATURES}
            expected, value = evaluate(tree, values), evaluate(simple, values)
            self.assertTrue(value == expected or (math.isnan(value) and math.isnan(expected)), (simple, values))

    @given(trees)
    @settings(deadline=None, max_examples=50)
    def test_reductions(self, tree: Tree) -> None:
        """Reductions differ from the tree and from one another; replacing a node leaves the others alone."""
        if size(tree) <= 60:
            found = [repr(smaller) for smaller in reductions(tree)]
            self.assertEqual(len(set(found)), len(found))
            self.assertNotIn(repr(tree), found)
        for at, node in enumerate(parts(tree)):
            self.assertEqual(repr(replaced(tree, at, node)), repr(tree))
            if at > 20:
                break
