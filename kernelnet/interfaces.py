"""
Everything a third party implements, as zope interfaces, and what kernelnet hands to it.

  - `IWorkbench`, `IScenario`: a proving ground and one task on it.  Plugin: `IWorkbench`.
  - `IComponentGenerator`: writes components; it gets an `IProblem`.  Plugin: `IComponentGenerator`.
  - `ITemplate`: a family of policies of one workbench that the default search has.  Plugin: `ITemplate`.
  - `IExporter`: takes components out of the simulator, into a real system.  Plugin: `IExporter`.
  - `ILocalTrainer`: what a networked trainer drives; made by an `ILocalTrainerMaker`.  Plugin: the maker.

A plugin is an object in a module of the C{twisted.plugins} namespace that provides one of these and
C{twisted.plugin.IPlugin} (without the latter Twisted passes over it silently).  Methods are called in the
reactor's thread unless they say "worker thread".

Types are for mypy with the plugin C{mypy_zope}; at run time zope compares names and numbers of parameters alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from twisted.internet.defer import Deferred

    from kernelnet.artifacts import (
        Candidate,
        Carrier,
        CodeBlock,
        Component,
        ModelCosts,
        Pattern,
        PerformanceReport,
        Report,
        SplitScore,
        TaskDescription,
    )
    from kernelnet.learning.goal import Goal
    from kernelnet.observations import OwnTrace, Trial
    from kernelnet.workbench.abi import Abi
    from kernelnet.workbench.account import Account

__all__ = [
    "IComponentGenerator",
    "IExporter",
    "IJudgedGenerator",
    "IKnowingGenerator",
    "ILocalTrainer",
    "ILocalTrainerMaker",
    "INamed",
    "IPaidGenerator",
    "IProblem",
    "IScenario",
    "ITemplate",
    "IWorkbench",
]


class INamed(Interface):
    """Every kind of plugin that users choose by its name."""

    name: str = Attribute("unique among plugins of its kind")
    description: str = Attribute("one line for people")


class IWorkbench(INamed):
    """
    The proving ground of one OS feature: an ABI in C, a trusted driver, hand-made baselines, an optimum.

    Scores are whole numbers, lower is better, and deterministic: the same module on the same scenario
    gives the same score in every process on every machine.
    """

    name: str = Attribute("the feature it proves: an OSFeature value or a word of its own, unique among workbenches")
    description: str = Attribute("one line for `kernelnet workbenches`")
    reference: str = Attribute("name of the baseline that development_level is measured from")
    optimumName: str = Attribute("what development_level 1 is, for people, such as 'belady'")
    unit: str = Attribute("what a score counts, for people, such as 'misses'")
    ratio: str = Attribute("what score / events is called, for people, such as 'miss ratio'")
    formats: str = Attribute("the trace formats it reads, for people")
    abis: Sequence[Abi] = Attribute("the kernelnet.workbench.abi.Abi objects that components may be written for")
    digest: str = Attribute("hex SHA-256 of all that decides a score: drivers, ABI header, split rule")
    header: str = Attribute("the text of the C header, and of what it includes")
    headerPath: Path = Attribute("the file of the C header, which components include by its name")
    baselineNames: Sequence[str] = Attribute("the names of the hand-made policies, in a fixed order")

    def abiOf(wasm: bytes) -> Abi:
        """
        Worker thread.  The `Abi` that a module is for.

        @raise kernelnet.workbench.errors.ComponentError: it is for none.
        """

    def baselineSource(name: str) -> str:
        """The C source of a hand-made policy."""

    def traces() -> Sequence[Path]:
        """Paths of the traces that ship with the bench, in a fixed order."""

    def inspect(path: Path) -> Account:
        """
        Worker thread.  The `kernelnet.workbench.account.Account` of how a trace file is read.

        @raise kernelnet.workbench.errors.TraceError: it can't be read, or makes no trace.
        """

    def tasks(path: Path) -> Sequence[dict[str, int]]:
        """
        Worker thread.  The settings, a list of dicts, that a trainer trains with on a trace unless told otherwise.

        @raise kernelnet.workbench.errors.TraceError: it can't be read.
        """

    def scenario(path: Path, settings: Mapping[str, int]) -> IScenario:
        """
        Worker thread.  Read a trace and split it.

        @param settings: dict of whole numbers; what is missing gets the bench's default.
        @return: an `IScenario`.
        @raise kernelnet.workbench.errors.TraceError: it can't be read, names file, line and what would be right.
        """

    def scenarioFor(report: Report, paths: Iterable[str | Path]) -> IScenario:
        """
        Worker thread.  The scenario that a `kernelnet.artifacts.Report` claims to be about, searched among C{paths}.

        @raise kernelnet.workbench.errors.Unmeasurable: the trace isn't here, or another workbench version is claimed.
        """

    def baselineModule(name: str) -> bytes:
        """Worker thread.  A hand-made policy's module: what the guard compares with."""


class IScenario(Interface):
    """One trace with its settings, split in time into train, validation and held-out."""

    workbench: IWorkbench = Attribute("the IWorkbench")
    trace: str = Attribute("the trace's name, for people")
    traceDigest: str = Attribute("hex SHA-256 of what the bench reads of the trace")
    settings: dict[str, int] = Attribute("dict of whole numbers, complete")
    events: dict[str, int] = Attribute("dict: events per split")
    engine: str = Attribute("what runs the modules, as reports name it: fuel is comparable only where it is the same")

    def measure(
        wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """
        Worker thread.  Run a module over the trace from its start to the end of split C{upTo}.

        On the trace as it is: what a search goes by.  A claim is measured on `forModule`.

        @param fuel: at most this many fuel units; None: the bench's own generous limit.
        @param parameters: given to the module's C{kn_param} first, in a search; a claim is always measured without.
        @return: a `kernelnet.artifacts.Report`, with the splits that were run.
        @raise kernelnet.workbench.errors.ComponentError: the module traps, breaks the contract, …
        """

    def measureWindows(wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """
        Worker thread.  Scores on consecutive windows of a split, in one warm pass from the start: the guard compares
        by them.  A scenario that can't tell gives one window, the split.

        @param count: number of windows, about equally long; fewer where there are fewer events.
        @param parameters: given to the module's C{kn_param} first.
        @return: list of `kernelnet.artifacts.SplitScore`.
        """

    def forModule(wasm: bytes) -> IScenario:
        """
        Worker thread.  The scenario as one module meets it: what its claim, and all that it is compared with, is
        measured on.  The trace in a few variants, drawn by the module's digest: nobody can learn these by heart.  A
        scenario that isn't public need not have variants, and is its own.

        @return: an `IScenario` of the same trace, by name and digest, with the same settings.
        """

    def baselines() -> Mapping[str, Report]:
        """Worker thread.  `Report` by name of each hand-made policy, measured once and kept."""

    def baseline(name: str) -> Report:
        """Worker thread.  One of C{baselines}: nothing else is measured."""

    def reference() -> Report:
        """Worker thread.  `Report` of the workbench's reference policy, measured once and kept."""

    def optimum() -> Mapping[str, int]:
        """Worker thread.  Score by split of the offline optimum or another strong reference, computed once and kept."""

    def developmentLevel(report: Report, split: str = "held_out") -> float:
        """Share of the distance reference → optimum that C{report} closes on C{split}; may be negative."""

    def patterns() -> list[Pattern]:
        """Worker thread.  list of `kernelnet.artifacts.Pattern` learned on train, confidence measured on validation."""


class IExporter(INamed):
    """A plugin that makes of a component what a real system runs."""

    description: str = Attribute("one line for `kernelnet exporters`")
    workbenches: Sequence[str] = Attribute("names of the workbenches whose components it takes; empty: of all")
    needs: str = Attribute("what it needs where it is made and used, for people")

    def missing() -> Sequence[str]:
        """Lines that say what this machine lacks of it, and what brings that; none: it can be made and used here."""

    def export(wasm: bytes, abi: Abi, folder: Path) -> Mapping[str, Any]:
        """
        Worker thread.  Write into an empty folder all that a person needs; a manifest is added by who calls it.

        @param wasm: of an ABI of one of C{workbenches}; the sandbox has let it in.
        @return: facts for the manifest, as JSON has them.
        @raise kernelnet.exporters.errors.ExportError: it can't be made of this module, or not on this machine.
        """


class IProblem(Interface):
    """
    All that a generator may know: the training part of one scenario, and a budget.

    Every method may be called from the generator's worker thread, and blocks.
    """

    workbench: str = Attribute("name of the workbench")
    header: str = Attribute('the C header, which is found by #include "kn_<workbench>.h" when compiling')
    abis: Sequence[Abi] = Attribute("the ABIs that a component may be written for")
    seed: int = Attribute("int; a generator that uses no other randomness is reproducible")
    jobs: int = Attribute(
        "int; measurements worth making at once, in threads of the generator's own; the result must not depend on it"
    )
    events: int = Attribute("events in the training part")
    settings: dict[str, int] = Attribute("the scenario's settings")
    learned: list[Pattern] = Attribute("list of kernelnet.artifacts.Pattern that were learned from this scenario")
    patterns: list[Pattern] = Attribute(
        "list of kernelnet.artifacts.Pattern: these, and those of other traces and of peers: hints"
    )
    parents: list[Component] = Attribute(
        "list of kernelnet.artifacts.Component that this trainer confirmed itself, of tasks most like this one first;"
        " their claims on train"
    )
    blocks: list[CodeBlock] = Attribute(
        "list of kernelnet.artifacts.CodeBlock of peers, in the same order: untrusted hints"
    )
    carriers: list[Carrier] = Attribute(
        "list of kernelnet.artifacts.Carrier: confirmed components of peers whose families a search may take in, each"
        " a stranger's source"
    )
    requirements: dict[str, Any] = Attribute("dict: what a requestor or partner asked for")
    baselines: dict[str, int] = Attribute("dict: name → score of each hand-made policy on train")
    objective: str = Attribute("'score', or 'fuel' (same score with less fuel)")
    memory: dict[str, Any] | None = Attribute(
        "dict, empty at first: what a generator leaves in it is there when it is next given this scenario; None: each"
        " time is the first"
    )

    def secondsLeft() -> float:
        """Seconds until generate() must return; negative when it is late, has no evaluations left or was cancelled."""

    def evaluationsLeft() -> int | None:
        """
        Number of modules, or of parameters of one, that may still be measured; the same one again costs nothing.

        None: as many as there is time for.  With a number, the result should depend on the problem alone and not on the
        time: then whoever repeats the search finds the same, on whatever machine.
        """

    def baselineSource(name: str) -> str:
        """The C source of a hand-made policy."""

    def compile(source: str) -> bytes:
        """C source → module bytes.  @raise CompileError: with the compiler's message."""

    def compileStrangers(source: str) -> bytes:
        """The same for a source that came from elsewhere: in the jail, and where there is none not at all."""

    def measure(wasm: bytes, parameters: Sequence[float] = ()) -> SplitScore:
        """
        Score a module on train.

        @param parameters: floats given to the module's C{kn_param(i, value)} before it starts.
        @return: `kernelnet.artifacts.SplitScore`
        @raise ComponentError: it traps, runs out of fuel or breaks the contract.
        """

    def measureWindows(wasm: bytes, parameters: Sequence[float] = (), count: int = 8) -> list[SplitScore]:
        """
        Score a module on windows of train, one after the other: what does well on all holds up better elsewhere.

        @param count: number of windows; fewer where train is short, and one where the bench can't tell them apart.
        @return: a list of `kernelnet.artifacts.SplitScore`.
        @raise ComponentError: see C{measure}.
        """

    def progress(generation: int, best: int) -> None:
        """Tell the trainer how far the search is: a count and the best score on train so far."""

    def tried(family: str, evaluations: int, paid: bool) -> None:
        """
        Tell the trainer of a peer's family: those that never pay are given no more.

        @param family: its digest.
        @param evaluations: number of measurements that it had since this was told last.
        @param paid: whether it has made the best of all better meanwhile, or is the best.
        """


class IComponentGenerator(INamed):
    """A plugin that writes components."""

    name: str = Attribute("unique; what --generator takes")
    description: str = Attribute("one line for `kernelnet generators`")
    workbenches: Sequence[str] = Attribute("names of the workbenches it can write for; empty: any")

    def generate(problem: IProblem) -> Candidate | None:
        """
        Worker thread.  Write the best component found before C{problem.secondsLeft()} is 0.

        It sees train only; whether its result is good enough on validation is decided by the trainer.

        @param problem: an `IProblem`.
        @return: a `kernelnet.artifacts.Candidate`, or None when there is nothing to offer.
        @raise Exception: is logged and counted; the trainer goes on.
        """


class ITemplate(INamed):
    """
    A plugin: a family of policies with numbers, which the generator C{search} has beside genetic programming.

    It is a `kernelnet.generators.templates.parameters.Template`, such as
    `kernelnet.generators.templates.marked_source.marked` makes of a C file; what is none is passed over.
    """

    workbench: str = Attribute("name of the workbench that it is for")


class IJudgedGenerator(IComponentGenerator):
    """A generator that wants to hear what the guard decided, such as one whose candidates cost money."""

    def judged(problem: IProblem, candidate: Candidate, component: Component | None) -> None:
        """
        Worker thread.  Hear of one's candidate.

        @param problem: that it was written for.
        @param component: what it has become; C{None}: the guard refused it, and doesn't say by how much.
        """


class IPaidGenerator(IJudgedGenerator):
    """A generator that asks language models."""

    def costs() -> ModelCosts:
        """Any thread, at once.  Tell what all calls cost so far, in earlier runs too."""


class IKnowingGenerator(IComponentGenerator):
    """A generator that knows, without any search, what is often good."""

    def known(workbench: str, abis: Sequence[Abi]) -> Sequence[tuple[str | bytes, Candidate]]:
        """
        Worker thread.  Candidates for tasks of a workbench, the most promising first.

        @return: each with what decides as it does: a module, or a C source that takes its C{parameters} through
            C{kn_param}, so that many are compiled at once.
        """


class ILocalTrainer(Interface):
    """The learning half of a trainer, without any network; methods return Deferreds and never block the reactor."""

    workbenches: Sequence[str] = Attribute("names of the workbenches that it trains on, the first by default")

    def start() -> Deferred[None]:
        """Read traces, measure baselines.  Fires with None; fails with `TraceError` for a bad trace."""

    def learn() -> Deferred[list[Pattern]]:
        """Fires with a list of `kernelnet.artifacts.Pattern`."""

    def build(goal: Goal) -> Deferred[Component | None]:
        """
        Write, measure and guard one component.

        @param goal: a `kernelnet.learning.goal.Goal`.
        @return: fires with a `kernelnet.artifacts.Component` with its claim, or None when nothing passed the guard.
        """

    def remeasure(component: Component) -> Deferred[PerformanceReport]:
        """Measure a peer's claim again.  Fires with a `kernelnet.artifacts.PerformanceReport` with digest, verdict."""

    def tasks() -> list[TaskDescription]:
        """All that it trains on, in a fixed order: a list of `kernelnet.artifacts.TaskDescription`."""

    def currentTask() -> TaskDescription | None:
        """The `kernelnet.artifacts.TaskDescription` that is worked on, or was last; None before the first."""

    def status() -> dict[str, Any]:
        """
        A JSON-able dict for progress lines; nothing is decided by it.

        C{generation}; C{best}, the score; C{scenario}, the task that is worked on, with C{workbench}, C{trace},
        C{trace_digest} and C{settings}, or None.  Whatever it doesn't know may be missing.

        C{search}, which peers are shown: C{evaluations}, the number of candidates measured on this task so far, and the
        best level on C{train} and on C{validation} of the trace as it is, or None.  C{ended}: C{scenario} and C{search}
        of the search that ended last, or None.  C{costs}: a `kernelnet.artifacts.ModelCosts` as a dict, or None.
        """

    def stop() -> Deferred[None]:
        """Cancel what runs; fires when it has ended."""


class ISiteTrainer(ILocalTrainer):
    """
    A local trainer with traces of the user's own.

    Of the private ones none of the other methods tells anything, nor depends on them: neither patterns, tasks and
    status, nor verdicts, nor what C{build} makes.
    """

    hasPrivate: bool = Attribute("whether there are private traces")

    def ownTraces() -> list[OwnTrace]:
        """The traces that the user gave, private or not, as `kernelnet.observations.OwnTrace`; after C{start}."""

    def tryOn(own: OwnTrace, component: Component) -> Deferred[Trial | None]:
        """
        Measure a component on train and validation of a trace of the user's own.

        @return: fires with a `kernelnet.observations.Trial`, or None when it fails there.
        """

    def buildPrivately(goal: Goal) -> Deferred[Component | None]:
        """The same as C{build} on the private traces, in turn: what comes of it is for this machine alone."""


class ISparingTrainer(ILocalTrainer):
    """A local trainer that can leave out of a re-measurement what others are told beside the verdict."""

    def remeasureClaim(component: Component) -> Deferred[PerformanceReport]:
        """The same as C{remeasure}, without the hand-made policies: these take ten times as long as the claim."""


class ILocalTrainerMaker(INamed):
    """A plugin that makes `ILocalTrainer`s."""

    name: str = Attribute("unique; what --local-trainer takes")
    description: str = Attribute("one line for `kernelnet generators`")

    def make(
        specialization: str,
        traces: Sequence[Path],
        generator: IComponentGenerator,
        seed: int | None,
        author: str,
        *,
        workbenches: Sequence[str] = (),
        jobs: int | None = None,
        private: Sequence[Path] = (),
    ) -> ILocalTrainer:
        """
        @param workbenches: names of those to train on; empty: those of the specialization.
        @param traces: list of paths the user gave; empty: the bench's own.
        @param generator: an `IComponentGenerator`.
        @param seed: int, or None for a random one.
        @param author: the ai_id, for the ids of components.
        @param jobs: modules that a search measures at once; None: one for each core.  Given only where the user did.
        @param private: paths of traces of which nothing is told; given only where there are some, and then the result
            is an `ISiteTrainer`.
        @return: an `ILocalTrainer`.
        """
