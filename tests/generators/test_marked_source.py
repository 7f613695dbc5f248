"""Sources that mark their own numbers: read, tuned, written again."""

from __future__ import annotations

import contextlib
import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.families import MAX_PARAMETERS
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.marked_source import EXAMPLE, MarkError, marked
from kernelnet.generators.templates.parameters import Parameter
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.sandbox import loadModule
from tests.generators.template_contract import compiled

SOURCE = """#include "kn_file_system.h"

/* begin parameters */
#define WEIGHT 0.5 /* 0..4 zero: worth of earlier uses */
#define SPAN 64.0 /* 1e-3..4096 log: requests until a count halves */
#define PARTS 3 /* 1..64 whole log: parts of an age */
/* end parameters */

f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    return WEIGHT * hist + freq / SPAN - age / 7 * (10 / PARTS);
}
"""


def withLines(*lines: str) -> str:
    return "#include <x>\n/* begin parameters */\n" + "\n".join(lines) + "\n/* end parameters */\n"


class MarkedTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Names, ranges, scales and values are as they stand."""
        template = marked(SOURCE, "file_system")
        assert template is not None
        weight, span, parts = template.parameters
        self.assertEqual(weight, Parameter("WEIGHT", 0, 4, False, True, "worth of earlier uses"))
        self.assertEqual((span.least, span.most, span.log, span.whole), (1e-3, 4096, True, False))
        self.assertEqual((parts.least, parts.most, parts.log, parts.whole), (1, 64, True, True))
        self.assertEqual(template.known, ((0.5, 64.0, 3.0),))

    def test_again(self) -> None:
        """What is baked is read again with its numbers, of our own templates too; and has the same module."""
        template = marked(SOURCE, "file_system")
        assert template is not None
        for one in (template, TWO_QUEUES, REUSE_INTERVAL, DELAY_TARGET):
            again = marked(one.bake(one.known[0]), one.workbench)
            assert again is not None
            self.assertEqual(again.parameters, one.parameters)
            self.assertEqual(again.known[0], one.normalized(one.known[0]))
            self.assertEqual(again.bake(again.known[0]), one.bake(again.known[0]))
        self.assertEqual(compiled(template.bake(template.known[0]), workbench), compiled(SOURCE, workbench))

    def test_sameInBothForms(self) -> None:
        """A module that is given the numbers does what one has that they are built in; whole ones divide as such."""
        template = marked(SOURCE, "file_system")
        assert template is not None
        loadModule(compiled(template.tunable(), workbench))
        self.assertIn("#define PARTS ((i32)parameter[2])", template.tunable())

    def test_none(self) -> None:
        """A source without marks, or with none between them, is no template."""
        self.assertIsNone(marked("int x;", "file_system"))
        self.assertIsNone(marked(withLines(), "file_system"))

    def test_mistakes(self) -> None:
        """Each is named with its line, and what would be right."""
        for source, words in (
            (withLines("#define A 1"), f"line 3 is no parameter: '#define A 1'; one is such as {EXAMPLE}"),
            (withLines("", "int a;"), "line 4 is no parameter"),
            (withLines("#define A 1 /* 2..1: x */"), "line 3: A has the range 2..1"),
            (withLines("#define A 5 /* 0..1: x */"), "A is 5, which is not in its range 0..1"),
            (withLines("#define A 1e999 /* 0..1: x */"), "has the range"),
            (withLines("#define A 0.5 /* 0..1 whole: x */"), "A is whole"),
            (withLines("#define A 1 /* 0..9e9 whole: x */"), "below 2^31"),
            (withLines("#define A 0 /* 1..2 zero: x */"), "A may be 0, which is not in its range"),
            (withLines("#define A 1 /* 0..2 log: x */"), "A has a log scale"),
            (withLines("#define A 1 /* 0..2: x */", "#define A 1 /* 0..2: x */"), "line 4: A is a parameter already"),
            ("/* begin parameters */\n#define A 1 /* 0..2: x */\n", "stand between two lines, once"),
            (withLines("#define A 1 /* 0..2: x */") * 2, "stand between two lines, once"),
            (withLines("#define A 1 /* 0..2: x */") + "#include <y>\n", "after all #include lines"),
            (
                withLines(*(f"#define A{at} 1 /* 0..2: x */" for at in range(MAX_PARAMETERS + 1))),
                f"at most {MAX_PARAMETERS} numbers",
            ),
        ):
            error = self.assertRaises(MarkError, marked, source, "file_system")
            self.assertIn(words, str(error))

    @given(st.text(max_size=400))
    def test_anything(self, text: str) -> None:
        """A stranger's text is a template, none, or a mistake; never anything else."""
        for source in (text, withLines(text), withLines(f"#define A 1 /* {text} */")):
            with contextlib.suppress(MarkError):
                marked(source, "file_system")

    def test_scales(self) -> None:
        """On a log scale as many values are below the middle of the logarithms as above; all are in range."""
        rng = random.Random(1)
        span = Parameter("SPAN", 1e-3, 1e3, False, False, "", log=True)
        drawn = [span.any(rng) for _ in range(1000)]
        self.assertTrue(all(1e-3 <= value <= 1e3 for value in drawn))
        self.assertTrue(440 < sum(value < 1 for value in drawn) < 560)
        near = [span.near(1.0, rng) for _ in range(1000)]
        self.assertTrue(all(1e-3 <= value <= 1e3 for value in near))
