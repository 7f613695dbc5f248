"""Claims on traces that came from elsewhere, of every workbench that is here."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Component, Report, Verdict
from kernelnet.learning.fetched_traces import FetchedTraces
from kernelnet.learning.submission import makeComponent, measure
from kernelnet.learning.verification import Verifier
from kernelnet.workbench.file_system import FileSystemWorkbench
from kernelnet.workbench.process_manager import ProcessManagerWorkbench
from tests.workbench import process_manager_support, support


class FetchedTracesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.benches = {bench.name: bench for bench in (FileSystemWorkbench(), ProcessManagerWorkbench())}
        self.fetched = FetchedTraces(self.benches)
        self.verifier = Verifier(self.benches, self.fetched.of)

    def claimed(self) -> Component:
        """A true claim, made elsewhere."""
        scenario = support.smallScenario(self.folder)
        measured = measure(scenario, scenario.workbench.baselineModule("sieve"))
        return makeComponent(scenario, Candidate(scenario.workbench.baselineSource("sieve")), measured)

    def lacking(self, claim: Report) -> list[str]:
        return [part.trace_digest for part in self.fetched.lacking(claim, self.fetched.of)]

    def test_measured(self) -> None:
        """A claim on a trace that is not here is unmeasurable, until that has come; then it is confirmed."""
        component = self.claimed()
        claim = component.claim
        assert claim is not None
        self.assertIs(self.verifier.verify(component).verdict, Verdict.UNMEASURABLE)
        self.assertEqual(self.lacking(claim), [claim.trace_digest])
        self.assertFalse(self.fetched.add("file_system", "ab" * 32, self.folder / "small.txt"))
        self.assertTrue(self.fetched.add("file_system", claim.trace_digest, self.folder / "small.txt"))
        self.assertEqual(self.lacking(claim), [])
        self.assertIs(self.verifier.verify(component).verdict, Verdict.CONFIRMED)

    def test_everyBench(self) -> None:
        """Each workbench has its own; what a generalist's claim lacks is told part by part."""
        scenario = process_manager_support.smallScenario(self.folder)
        claim = Report(
            "process_manager",
            self.benches["process_manager"].digest,
            *(scenario.trace, scenario.traceDigest),
            dict(scenario.settings),
            *("engine 1", {}),
        )
        other = replace(claim, trace_digest="ab" * 32)
        whole = replace(claim, trace_digest="cd" * 32, parts=[claim, other])
        self.assertEqual(self.lacking(whole), [claim.trace_digest, other.trace_digest])
        path = self.folder / "small.sched"
        self.assertFalse(self.fetched.add("file_system", claim.trace_digest, path))
        self.assertTrue(self.fetched.add("process_manager", claim.trace_digest, path))
        self.assertEqual(self.lacking(whole), [other.trace_digest])

    def test_noHelp(self) -> None:
        """No trace helps where a workbench is not here, or is of another version: then nothing is lacking."""
        claim = self.claimed().claim
        assert claim is not None
        for strange in (replace(claim, workbench="toaster"), replace(claim, workbench_digest="ab" * 32)):
            self.assertEqual(self.lacking(strange), [])
            self.assertEqual(self.lacking(replace(claim, parts=[claim, strange])), [])
