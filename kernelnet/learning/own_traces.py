"""
Traces that a user gave to a trainer: confirmed components are tried on them, and on the private ones it searches apart.

Nothing here is told to anybody; `kernelnet.trainer.work.site_trials` says what is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kernelnet.artifacts import Component
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestOverBoth, levelOverBoth
from kernelnet.learning.known_settings import mostFuel
from kernelnet.observations import OwnTrace, Trial
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["MAX_OWN", "OwnTraces"]

MAX_OWN = 16
"""Maximum number of a user's traces that components are tried on, the first."""


class OwnTraces:
    """
    The traces of one user, each at the first settings that its bench trains with.

    @param paths: of the first workbench, as all that a user gives.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = [*dict.fromkeys(paths)][:MAX_OWN]
        self._scenarios: dict[tuple[str, str], IScenario] = {}
        self._handMade: dict[tuple[str, str], tuple[str, float]] = {}
        self.every: Sequence[OwnTrace] = ()

    def open(self, bench: IWorkbench) -> None:
        """
        Worker thread.  Read them.

        @raise kernelnet.workbench.errors.TraceError: one can't be read.
        """
        every: dict[tuple[str, str], OwnTrace] = {}
        for path in self._paths:
            scenario = bench.scenario(path, bench.tasks(path)[0])
            key = bench.name, scenario.traceDigest
            self._scenarios[key] = scenario
            every[key] = OwnTrace(bench.name, scenario.traceDigest, dict(scenario.settings))
        self.every = [*every.values()]

    def tryOn(self, own: OwnTrace, component: Component) -> Trial | None:
        """
        Worker thread.  Measure a stranger's component in the sandbox, on train and validation of the trace as it is.

        @return: C{None}: it fails, or its module is not the one that its manifest names.
        """
        manifest, key = component.manifest, (own.workbench, own.digest)
        if manifest is None or hashlib.sha256(component.wasm).hexdigest() != manifest.wasm_sha256:
            return None
        scenario = self._scenarios[key]
        try:
            report = scenario.measure(component.wasm, upTo="validation", fuel=mostFuel(scenario))
        except WorkbenchError:
            return None
        return Trial(levelOverBoth(scenario, report), self._bestHandMade(key, scenario))

    def _bestHandMade(self, key: tuple[str, str], scenario: IScenario) -> tuple[str, float]:
        if key not in self._handMade:
            name = bestOverBoth(scenario)
            self._handMade[key] = name, levelOverBoth(scenario, scenario.baselines()[name])
        return self._handMade[key]
