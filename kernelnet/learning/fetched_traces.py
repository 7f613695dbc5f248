"""Traces that came from elsewhere: claims are measured on them, and nothing else is done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kernelnet.artifacts import Report
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.errors import Unmeasurable, WorkbenchError

__all__ = ["FetchedTraces"]


class FetchedTraces:
    """Files by workbench."""

    def __init__(self, installed: Mapping[str, IWorkbench]) -> None:
        self._installed = installed
        self._paths: dict[str, list[Path]] = {}

    def of(self, bench: IWorkbench) -> list[Path]:
        """Those that are still there."""
        return [path for path in self._paths.get(bench.name, ()) if path.exists()]

    def add(self, workbench: str, traceDigest: str, path: Path) -> bool:
        """
        Worker thread.  Measure claims on this one, too.

        @return: whether C{workbench} is here and reads from the file the trace of that digest.
        """
        bench = self._installed.get(workbench)
        if bench is None:
            return False
        try:
            if bench.scenario(path, {}).traceDigest != traceDigest:
                return False
        except WorkbenchError:
            return False
        paths = self._paths.setdefault(workbench, [])
        if path not in paths:
            paths.append(path)
        return True

    def lacking(self, claim: Report, tracesOf: Callable[[IWorkbench], Sequence[Path]]) -> list[Report]:
        """
        Worker thread.  Those of a claim's parts, or the claim itself, that can't be measured with what is here; none
        where no trace would help.

        @param tracesOf: paths of all traces that there are for a workbench.
        """
        found = []
        for part in claim.parts or [claim]:
            bench = self._installed.get(part.workbench)
            if bench is None or bench.digest != part.workbench_digest:
                return []
            try:
                bench.scenarioFor(part, tracesOf(bench))
            except Unmeasurable:
                found.append(part)
        return found
