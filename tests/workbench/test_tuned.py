"""Hand-made policies with other numbers, of whichever bench has them."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.tuned import withNumbers


class TunedTests(SynchronousTestCase):
    def test_each(self) -> None:
        """One that is tuned is the hand-made policy but for those numbers, and decides otherwise."""
        seen = 0
        for bench in available(IWorkbench):
            assert isinstance(bench, BaseWorkbench), bench
            self.assertLessEqual(set(bench.tuned), set(bench.baselineNames))
            for name, (policy, numbers) in bench.tuned.items():
                plain, source = bench.baselineSource(policy).splitlines(), bench.baselineSource(name).splitlines()
                self.assertEqual(len(plain), len(source))
                changed = [line for line, other in zip(source, plain, strict=True) if line != other]
                told = [line for line in source if re.match(rf"#define ({'|'.join(numbers)}) ", line)]
                self.assertEqual(len(told), len(numbers), name)
                self.assertLessEqual(set(changed), set(told), name)
                for knob, value in numbers.items():
                    self.assertTrue(any(line.startswith(f"#define {knob} {value!r}") for line in told), (name, knob))
                self.assertNotEqual(bench.baselineModule(name), bench.baselineModule(policy), name)
                seen += 1
        self.assertGreater(seen, 20)

    def test_unknown(self) -> None:
        """A number that a source doesn't have, or has twice, is no number of it."""
        source = "#define A 1 /* 0..2: of it */\nint x = A;\n"
        self.assertEqual(withNumbers(source, {"A": 1.5}), source.replace("A 1 ", "A 1.5 "))
        for wrong in (source.replace("A", "B"), source * 2):
            self.assertRaises(ValueError, withNumbers, wrong, {"A": 1.5})
