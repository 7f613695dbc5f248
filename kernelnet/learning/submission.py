"""
A source and what becomes of it: compiled in the jail, measured on a scenario, made a component with its claim.

Whether that is worth publishing says `kernelnet.learning.acceptance.accept`; whether somebody's claim is true,
`kernelnet.learning.verification`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kernelnet.artifacts import MAX_HYPOTHESIS, Candidate, Component, Manifest, Report
from kernelnet.families import familyOf
from kernelnet.interfaces import IScenario
from kernelnet.workbench.compiler import compileC, compilerVersion

__all__ = ["Measurement", "makeComponent", "measure", "submit"]


@dataclass(frozen=True)
class Measurement:
    """
    @ivar wasm: the module; C{abi}: the identifier of the ABI that it is for.
    @ivar report: what it has on the whole scenario.
    """

    wasm: bytes
    abi: str
    report: Report


def submit(scenario: IScenario, source: str, *, trusted: bool = False) -> Measurement:
    """
    Worker thread.  Compile a C source in the jail, and measure it on the whole scenario.

    @param trusted: see `kernelnet.workbench.compiler.compileC`: it was written on this machine.
    @raise kernelnet.workbench.errors.CompileError: with the compiler's message.
    @raise kernelnet.workbench.errors.ComponentError: the module traps, breaks the contract, …
    """
    return measure(scenario, compileC(source, scenario.workbench.headerPath, trusted=trusted))


def measure(scenario: IScenario, wasm: bytes) -> Measurement:
    """
    Worker thread.  Measure a module on the whole scenario, as it meets it; see `IScenario.forModule`.

    @raise kernelnet.workbench.errors.ComponentError: it traps, breaks the contract, …
    """
    report = scenario.forModule(wasm).measure(wasm)
    return Measurement(wasm, scenario.workbench.abiOf(wasm).identifier, report)


def makeComponent(
    scenario: IScenario, candidate: Candidate, measured: Measurement, *, generator: str = "", seed: int = 0
) -> Component:
    """
    Component that can be published, with its claim.

    @param measured: what the candidate's source compiles to, and has on the scenario.
    @param generator: who wrote it, and C{seed}: from which random numbers; for the manifest.
    """
    workbench = scenario.workbench
    manifest = Manifest(
        source_sha256=hashlib.sha256(candidate.source.encode("utf-8", "surrogatepass")).hexdigest(),
        wasm_sha256=hashlib.sha256(measured.wasm).hexdigest(),
        abi=measured.abi,
        workbench=workbench.name,
        compiler=compilerVersion(),
        generator=generator,
        seed=seed,
        parameters=list(candidate.parameters),
        report=measured.report,
        provenance=candidate.provenance,
        hypothesis=candidate.hypothesis[:MAX_HYPOTHESIS],
        family=familyOf(candidate.source),
    )
    component = Component(
        id="unnamed",
        implementation=candidate.source,
        specialization=workbench.name,
        wasm=measured.wasm,
        manifest=manifest,
        development_level=scenario.forModule(measured.wasm).developmentLevel(measured.report),
        description=candidate.note,
    )
    # A search may find what it began with; nobody is his own parent.
    manifest.parents = [parent for parent in dict.fromkeys(candidate.parents) if parent != component.digest]
    component.id = f"{workbench.name}-{component.digest[:12]}"
    component.name = f"{workbench.name} {scenario.trace} {component.digest[:6]}"
    return component
