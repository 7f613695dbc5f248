"""A small scenario on which a component is better than all that is made by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Component, Manifest, Report
from kernelnet.learning.acceptance import accept
from tests.workbench.support import loop, smallScenario

__all__ = ["LOOP", "STUBBORN", "AcceptedTestCase"]

# Of a hundred blocks in a loop a cache of 32 keeps 31: better than any policy made by hand.
LOOP = loop(6000)
STUBBORN = """
#include "kn_file_system.h"
static u32 capacity;
void kn_init(u32 c) { capacity = c; }
void kn_hit(u32 s) {}
u32 kn_victim(u64 k) { return capacity - 1; }
void kn_insert(u32 s, u64 k) {}
"""


class AcceptedTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.scenario = smallScenario(self.folder, LOOP)

    def accepted(self) -> Component:
        candidate = Candidate(STUBBORN, ("0" * 64,), (1.0, 2.5), "keeps what it has")
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        if component is None:
            self.fail("not accepted")
        # Over the wire and back, as a peer gets it.
        return msgspec.json.decode(msgspec.json.encode(component), type=Component)

    def manifest(self, component: Component) -> Manifest:
        if component.manifest is None:
            self.fail("no manifest")
        return component.manifest

    def claim(self, component: Component) -> Report:
        report = self.manifest(component).report
        if report is None:
            self.fail("no claim")
        return report
