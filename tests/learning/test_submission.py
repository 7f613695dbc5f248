"""A source, compiled and measured, and the component that it becomes."""

from __future__ import annotations

import hashlib

from kernelnet.artifacts import Candidate
from kernelnet.learning.acceptance import accept
from kernelnet.learning.submission import makeComponent, measure, submit
from kernelnet.learning.verification import Verifier, remeasure
from kernelnet.workbench import compiler
from kernelnet.workbench.compiler import compilerVersion
from kernelnet.workbench.errors import CompileError, ComponentError
from tests.learning.support import STUBBORN, AcceptedTestCase
from tests.workbench.support import baselineSource


class SubmitTests(AcceptedTestCase):
    def test_submit(self) -> None:
        """A source is measured as what it compiles to is."""
        found = submit(self.scenario, STUBBORN, trusted=True)
        self.assertEqual((found.abi, found.wasm), ("file_system/full/2", self.accepted().wasm))
        self.assertEqual(found.report, self.scenario.forModule(found.wasm).measure(found.wasm))
        self.assertEqual(measure(self.scenario, found.wasm), found)

    def test_broken(self) -> None:
        """What does not compile, and what fails when it is run, are told apart."""
        self.assertRaises(CompileError, submit, self.scenario, "int f(", trusted=True)
        self.assertRaises(ComponentError, submit, self.scenario, "int x;", trusted=True)
        trap = STUBBORN.replace("return capacity - 1;", "__builtin_trap();")
        self.assertRaises(ComponentError, submit, self.scenario, trap, trusted=True)

    def test_stranger(self) -> None:
        """Without a jail a stranger's source is not compiled."""
        self.patch(compiler, "canJail", lambda: False)
        error = self.assertRaises(CompileError, submit, self.scenario, STUBBORN)
        self.assertIn("no jail", str(error))

    def test_publishable(self) -> None:
        """A component made of a submission has a complete claim, whoever wrote it, and others confirm it."""
        candidate = Candidate(baselineSource("fifo"), ("0" * 64,), (1.5,), "in turn")
        measured = submit(self.scenario, candidate.source, trusted=True)
        made = makeComponent(self.scenario, candidate, measured, generator="by hand", seed=3)
        manifest = made.manifest
        assert manifest is not None
        self.assertEqual((manifest.generator, manifest.seed, manifest.compiler), ("by hand", 3, compilerVersion()))
        self.assertEqual((manifest.parents, manifest.parameters), (["0" * 64], [1.5]))
        self.assertEqual(manifest.source_sha256, hashlib.sha256(candidate.source.encode()).hexdigest())
        self.assertEqual((made.description, made.specialization), ("in turn", "file_system"))
        self.assertEqual(made.id, f"file_system-{made.digest[:12]}")
        verdict, reason, report = remeasure(made, self.scenario)
        self.assertEqual((verdict.value, report), ("confirmed", measured.report), reason)

    def test_wholeWay(self) -> None:
        """Submit, judge, publish and verify, one after the other, as an agent does it."""
        candidate = Candidate(STUBBORN)
        measured = submit(self.scenario, candidate.source, trusted=True)
        judged, reason = accept(self.scenario, candidate, generator="agent", seed=0)
        assert judged is not None, reason
        made = makeComponent(self.scenario, candidate, measured, generator="agent")
        self.assertEqual(made, judged)
        bench = self.scenario.workbench
        report = Verifier({bench.name: bench}, lambda bench: [self.folder / "small.txt"]).verify(made)
        self.assertEqual((report.verdict and report.verdict.value, report.digest), ("confirmed", made.digest))
