"""
The workbench of intrusion detection: an anomaly score over sequences of system calls.

  - C{kn_security.h}: the ABIs C{security/full/1} and C{security/rank/1}, and a library for n-grams; `abis` names what
    components export
  - C{driver.c}: shows a component the sequences and keeps its scores; C{features.c}: what rank functions are given;
    `machine` runs both
  - C{baselines/*.c}: hand-made detectors; `detection`: how good a ranking is
  - `readers`: ADFA-LD, UNM/STIDE and our own format; `strace`: what it writes; `trace`: what is learned and what
    tested; `scenario`; `patterns`: what can be learned about it; `statistics`: its training part in figures
  - C{traces/}: two data sets we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.security.abis import ABIS

if TYPE_CHECKING:
    from kernelnet.workbench.security.machine import SecurityMachine
    from kernelnet.workbench.security.scenario import SecurityScenario
    from kernelnet.workbench.security.trace import Trace

__all__ = ["SecurityWorkbench", "workbench"]

RULES = """
security rules 1
learned: the sequences that the data set says are for it; where it says so of none, the first third of the normal ones
splits: of the other normal sequences, in the order of the data set, half = n // 2: train [0, half - half // 5),
    validation [.., half), held_out [half, n)
attacks: every second kind is held_out; of the others' instances the fifth, tenth, ... is validation, the rest train;
    with fewer than four kinds, or where a part would be empty, every second instance instead of every second kind; if
    that fails too, every second sequence, and of the others every fifth
order: those to learn, then train, validation, held_out; within each as drawn; one pass
drawn: from SHAKE-128(SHA-256("keys" | digest)), 8 bytes little-endian for each call and then for each sequence, by
    which they are sorted: the n-th call's number is which one stands at n; the n-th sequence likewise; of a variant
    the digest is its seed
event: a sequence under test
score: ((1 - AUC) + (1 - detected)) / 2 in millionths, rounded up; equal scores count half in the AUC
detected: the share of attacks whose score is above that of the normal sequence with the (n // 100 + 1)-th highest
not-a-number: less than every number
fuel: at most 100000000 + 2000 a call learned and tested + 100000 a sequence under test
memory: at most 256 MiB
variants: without one in eight sequences of each part and kind, those to learn too; of those under test that have more
    than two calls 1 to max(1, length // 16) are missing at either end
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""


@implementer(IPlugin, IWorkbench)
class SecurityWorkbench(BaseWorkbench["SecurityMachine", "SecurityScenario"]):
    """See `IWorkbench`.  It has no settings."""

    name = "security"
    description = "intrusion detection: an anomaly score over system-call sequences, for few false alarms"
    reference = "ngram"
    optimumName = "perfect"
    unit = "millionths"
    ratio = "score per sequence"
    recordedBy = "strace -f -o: what is an attack must be said by folders, normal/ and attack/KIND/"
    formats = "system calls: ADFA-LD, UNM/STIDE or strace in a .zip or .tar; own .txt; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("ngram", "stide", "stide_frame", "tstide", "markov", "markov3", "bag")

    def machine(self, path: Path) -> SecurityMachine:
        from kernelnet.workbench.security.machine import SecurityMachine
        from kernelnet.workbench.security.trace import loadTrace

        return SecurityMachine(loadTrace(path))

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        self.refuseUnknown(settings, ())
        return {}

    def makeScenario(self, machine: SecurityMachine, settings: Mapping[str, int]) -> SecurityScenario:
        from kernelnet.workbench.security.scenario import SecurityScenario

        return SecurityScenario(self, machine, settings)


workbench = SecurityWorkbench()
"""The plugin."""
