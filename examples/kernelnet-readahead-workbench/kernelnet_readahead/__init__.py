"""
A workbench for kernelnet, as small as a useful one can be: how far to read ahead in a file.

- C{kn_readahead.h}: what a component is; C{driver.c}: walks the trace and keeps the score
- C{baselines/*.c}: hand-made policies; C{optimum.c}: the cheapest that there is
- C{trace}: reads traces; C{machine}: runs driver and optimum
- C{traces/}: a trace, and C{record.py}, which recorded it

This module imports nothing that is not in kernelnet's base package, so that `kernelnet workbenches` lists it anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import rankAbi
from kernelnet.workbench.base import BaseWorkbench

__all__ = ["ABIS", "HEADER", "ReadaheadWorkbench", "workbench"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_readahead.h"

ABIS = (
    rankAbi(
        "readahead/rank/1",
        _HERE / "driver.c",
        ("run", "last", "ahead", "used", "offset", "mean"),
        function="kn_window",
        # Where a search begins; the features' names, numbers, + - *, and min max aq lg sqrt iflt.
        known=("32", "last - run", "iflt(run, 2, 0, min(32, 2 * ahead + 4))", "mean - run"),
        flags=(),
    ),
)

RULES = """
readahead rules 2
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n)
score: for each request seek + 1 + the blocks ahead; where a split begins nothing has been read ahead
window: cut off to a whole number from 0 to 256; what is not a number is 0
seek: 0 to 100000; 16 unless told otherwise
fuel: at most 100000000 + 2000 a read
memory: at most 64 MiB
variants: of each split the reads of one file in four are missing
"""
"""All that decides a score, besides the header and the driver: a claim is about exactly these."""


@implementer(IPlugin, IWorkbench)
class ReadaheadWorkbench(BaseWorkbench):
    """
    See `IWorkbench`.

    The setting C{seek} is what a request costs, in blocks that could be carried meanwhile: 16 is like an SSD with
    80 µs a request and 800 MB/s, some hundreds are like a hard disk.
    """

    name = "readahead"
    description = "an example: how far to read ahead in a file"
    reference = "none"
    optimumName = "omniscient"
    unit = "blocks' time"
    ratio = "blocks' time a read"
    formats = "lines 'file block'; .reads, plain or .gz, .xz"
    abis = ABIS
    folder = _HERE
    rules = RULES
    ranges = {"seek": (16, 0, 100_000)}
    baselineNames = ("none", "fixed", "doubling", "again")

    def machine(self, path: Path) -> Any:
        from kernelnet_readahead.machine import ReadaheadMachine
        from kernelnet_readahead.trace import readTrace

        return ReadaheadMachine(readTrace(path))

    def makeScenario(self, machine: Any, settings: Mapping[str, int]) -> Any:
        from kernelnet_readahead.machine import ReadaheadScenario

        return ReadaheadScenario(self, machine, settings)


workbench = ReadaheadWorkbench()
