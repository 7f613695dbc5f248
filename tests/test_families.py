"""Families: sources that are one structure whatever their numbers are."""

from __future__ import annotations

import time

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.families import MAX_PARAMETERS, MAX_SOURCE, Family, Tunable, familyOf, numbersOf
from kernelnet.generators.search import templates

SOURCE = """#include "kn_file_system.h"

/* begin parameters */
#define WEIGHT 0.5 /* 0..4 zero: worth of earlier uses */
#define PARTS 3 /* 1..64 whole log: parts of an age */
/* end parameters */

f64 kn_rank(f64 age, f64 hist) { // higher is better
    return WEIGHT * hist - age / PARTS + "a b"[0];
}
"""


def digestOf(source: str) -> str:
    family = familyOf(source)
    assert family is not None
    return family.digest


class FamilyTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """Values, comments, blanks and meanings make no difference."""
        for other in (
            SOURCE.replace("WEIGHT 0.5", "WEIGHT 3"),
            "/* found by a search\n * on some trace */\n" + SOURCE,
            SOURCE.replace("worth of earlier uses", "something else"),
            SOURCE.replace("    return", "\n\n\treturn  /* so */").replace("// higher is better", ""),
        ):
            self.assertEqual(digestOf(other), digestOf(SOURCE))

    def test_structure(self) -> None:
        """Code, names, ranges, scales and what stands in strings do."""
        others = [
            SOURCE.replace("age / PARTS", "age * PARTS"),
            SOURCE.replace("WEIGHT", "W"),
            SOURCE.replace("0..4", "0..5"),
            SOURCE.replace("whole log", "whole"),
            SOURCE.replace('"a b"', '"a  b"'),
            SOURCE.replace("hist - age", "hist\n#define X\n- age"),
        ]
        self.assertEqual(len({digestOf(each) for each in [SOURCE, *others]}), len(others) + 1)

    def test_parameters(self) -> None:
        """A family says what it marks, as a manifest repeats it."""
        family = familyOf(SOURCE)
        assert family is not None
        self.assertEqual(family.parameters, [Tunable("WEIGHT", 0, 4, "zero"), Tunable("PARTS", 1, 64, "whole log")])
        self.assertEqual(msgspec.json.decode(msgspec.json.encode(family), type=Family), family)

    def test_values(self) -> None:
        """The values that a source marks are those that a template builds in; what is no number is none."""
        self.assertEqual(numbersOf(SOURCE), (0.5, 3.0))
        self.assertEqual(numbersOf(SOURCE.replace("PARTS 3", "PARTS +1.2e1")), (0.5, 12.0))
        for other in ("", SOURCE.replace("0.5", "1e999"), SOURCE.replace("PARTS 3", "PARTS X"), SOURCE + SOURCE):
            self.assertEqual(numbersOf(other), ())
        for template in templates():
            for vector in map(template.normalized, template.known):
                self.assertEqual(numbersOf(template.bake(vector)), vector)

    def test_none(self) -> None:
        """What marks nothing, or not as it should, is of no family; however a stranger wrote it, that is known soon."""
        mark = "#define A 1 /* 0..2: x */"
        began = time.process_time()
        for source in (
            "",
            "int x;",
            SOURCE.replace("/* end parameters */\n", ""),
            SOURCE.replace("/* 0..4 zero: worth of earlier uses */", ""),
            SOURCE.replace("0..4", "0..1e999"),
            SOURCE.replace("PARTS 3", "WEIGHT 3"),
            SOURCE + SOURCE,
            SOURCE + " " * MAX_SOURCE,
            SOURCE.replace("worth", "w" + " " * 100_000),
            SOURCE.replace(mark, "\n".join(f"#define A{n} 1 /* 0..2: x */" for n in range(MAX_PARAMETERS + 1))).replace(
                "#define W", "\n".join(f"#define A{n} 1 /* 0..2: x */" for n in range(MAX_PARAMETERS)) + "\n#define W"
            ),
        ):
            self.assertIsNone(familyOf(source), source[:300])
        for unit in ("/*", "//", '"', "'\\", " ", "\n"):
            familyOf(SOURCE + unit * 50_000)
        self.assertLess(time.process_time() - began, 5)

    @given(st.text(alphabet="/*\"'\\ \n#a") | st.text())
    def test_anyText(self, text: str) -> None:
        """Any text has an answer; what follows the marks is part of it."""
        familyOf(text)
        digestOf(SOURCE + text) if "/* begin parameters" not in text else None

    def test_ours(self) -> None:
        """All that a template of ours makes is of one family, and no two templates are of the same."""
        digests = set()
        for template in templates():
            made = {digestOf(template.bake(vector)) for vector in template.known}
            assert template.family is not None
            self.assertEqual(made, {template.family.digest})
            digests |= made
        self.assertEqual(len(digests), len(templates()))
