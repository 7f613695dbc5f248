"""
Variants of a trace: what a claim is measured on, so that nothing can be learned by heart.

A public trace is known to whoever writes a component: he could build into it which slot is best at which request.  So
a module is never measured on the trace as it is, but on a few variants of it, in which something is missing here and
there; what, follows from the module's own digest, so that nobody knows it before the module is done.  Hand-made
policies and the optimum are measured on the same variants, under the same keys: what is easy for one is easy for all.
A few rather than one, since a policy with hash tables of its own has luck with its keys, and any has luck with what is
missing: who tries many modules keeps the luckiest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from kernelnet.artifacts import Pattern, Report, SplitScore
from kernelnet.interfaces import IScenario
from kernelnet.workbench.reports import added, reportOf

__all__ = ["VariantScenario"]


@implementer(IScenario)
class VariantScenario:
    """
    See `IScenario`: a scenario as one module meets it.  Every number is the sum over the variants.

    @ivar plain: the scenario itself; C{variants}: it on each variant of its trace.
    """

    def __init__(self, plain: IScenario, variants: Sequence[IScenario]) -> None:
        self.plain, self.variants = plain, list(variants)
        self.workbench = plain.workbench
        self.trace, self.traceDigest = plain.trace, plain.traceDigest
        self.settings = dict(plain.settings)
        self.events = {split: sum(each.events[split] for each in self.variants) for split in plain.events}

    def __repr__(self) -> str:
        return f"<VariantScenario {self.plain}, {len(self.variants)} variants>"

    @property
    def engine(self) -> str:
        return self.plain.engine

    def forModule(self, wasm: bytes) -> IScenario:
        """The same scenario, whichever module is measured on it."""
        return self

    def measure(
        self, wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """See `IScenario.measure`; C{fuel} is for each variant."""
        return self.total([each.measure(wasm, upTo=upTo, fuel=fuel, parameters=parameters) for each in self.variants])

    def total(self, reports: Sequence[Report]) -> Report:
        """The sum of a report of each variant."""
        splits = {name: added([each.splits[name] for each in reports]) for name in reports[0].splits}
        return reportOf(self, splits)

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """See `IScenario.measureWindows`; the n-th windows of all variants are about the same part of the trace."""
        each = [variant.measureWindows(wasm, split, count, parameters) for variant in self.variants]
        return [added(windows) for windows in zip(*each, strict=False)]

    def baselines(self) -> Mapping[str, Report]:
        each = [variant.baselines() for variant in self.variants]
        return {name: self.total([reports[name] for reports in each]) for name in each[0]}

    def reference(self) -> Report:
        return self.total([each.reference() for each in self.variants])

    def optimum(self) -> Mapping[str, int]:
        each = [variant.optimum() for variant in self.variants]
        return {split: sum(optimum[split] for optimum in each) for split in each[0]}

    def developmentLevel(self, report: Report, split: str = "held_out") -> float:
        """See `IScenario.developmentLevel`; 0 where the reference is already optimal."""
        reference, best = self.reference().splits[split].score, self.optimum()[split]
        return (reference - report.splits[split].score) / (reference - best) if reference > best else 0.0

    def patterns(self) -> list[Pattern]:
        return self.plain.patterns()
