"""
Everything a third party implements, as zope interfaces, and what kernelnet hands to it.

  - `IWorkbench`, `IScenario`: a proving ground and one task on it.  Plugin: `IWorkbench`.
  - `IComponentGenerator`: writes components; it gets an `IProblem`.  Plugin: `IComponentGenerator`.
  - `ILocalTrainer`: what a networked trainer drives; made by an `ILocalTrainerMaker`.  Plugin: the maker.

A plugin is an object in a module of the C{twisted.plugins} namespace that provides one of these and
C{twisted.plugin.IPlugin} (without the latter Twisted passes over it silently).  Methods are called in the
reactor's thread unless they say "worker thread".
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

__all__ = [
    "IComponentGenerator",
    "ILocalTrainer",
    "ILocalTrainerMaker",
    "IProblem",
    "IScenario",
    "IWorkbench",
]


class IWorkbench(Interface):
    """
    The proving ground of one OS feature: an ABI in C, a trusted driver, hand-made baselines, an optimum.

    Scores are whole numbers, lower is better, and deterministic: the same module on the same scenario
    gives the same score in every process on every machine.
    """

    name = Attribute("the feature it proves: an OSFeature value or a word of its own, unique among workbenches")
    description = Attribute("one line for `kernelnet workbenches`")
    reference = Attribute("name of the baseline that development_level is measured from")
    optimumName = Attribute("what development_level 1 is, for people, such as 'belady'")
    unit = Attribute("what a score counts, for people, such as 'misses'")
    ratio = Attribute("what score / events is called, for people, such as 'miss ratio'")
    formats = Attribute("the trace formats it reads, for people")
    abis = Attribute("the kernelnet.workbench.abi.Abi objects that components may be written for")
    digest = Attribute("hex SHA-256 of all that decides a score: drivers, ABI header, split rule")
    header = Attribute("the text of the C header, and of what it includes")
    headerPath = Attribute("the file of the C header, which components include by its name")
    baselineNames = Attribute("the names of the hand-made policies, in a fixed order")

    def abiOf(wasm):
        """
        Worker thread.  The `Abi` that a module is for.

        @raise kernelnet.workbench.errors.ComponentError: it is for none.
        """

    def baselineSource(name):
        """The C source of a hand-made policy."""

    def traces():
        """Paths of the traces that ship with the bench, in a fixed order."""

    def tasks(path):
        """
        Worker thread.  The settings, a list of dicts, that a trainer trains with on a trace unless told otherwise.

        @raise kernelnet.workbench.errors.TraceError: it can't be read.
        """

    def scenario(path, settings):
        """
        Worker thread.  Read a trace and split it.

        @param settings: dict of whole numbers; what is missing gets the bench's default.
        @return: an `IScenario`.
        @raise kernelnet.workbench.errors.TraceError: it can't be read, names file, line and what would be right.
        """

    def scenarioFor(report, paths):
        """
        Worker thread.  The scenario that a `kernelnet.artifacts.Report` claims to be about, searched among C{paths}.

        @raise kernelnet.workbench.errors.Unmeasurable: the trace isn't here, or another workbench version is claimed.
        """

    def baselineModule(name):
        """Worker thread.  A hand-made policy's module: what the guard compares with."""


class IScenario(Interface):
    """One trace with its settings, split in time into train, validation and held-out."""

    workbench = Attribute("the IWorkbench")
    trace = Attribute("the trace's name, for people")
    traceDigest = Attribute("hex SHA-256 of what the bench reads of the trace")
    settings = Attribute("dict of whole numbers, complete")
    events = Attribute("dict: events per split")
    engine = Attribute("what runs the modules, as reports name it: fuel is comparable only where it is the same")

    def measure(wasm, upTo="held_out", fuel=None):
        """
        Worker thread.  Run a module over the trace from its start to the end of split C{upTo}.

        @param fuel: at most this many fuel units; None: the bench's own generous limit.
        @return: a `kernelnet.artifacts.Report`, with the splits that were run.
        @raise kernelnet.workbench.errors.ComponentError: the module traps, breaks the contract, …
        """

    def measureWindows(wasm, split, count, parameters=()):
        """
        Worker thread.  Scores on consecutive windows of a split, in one warm pass from the start: the guard compares
        by them.  A scenario that can't tell gives one window, the split.

        @param count: so many windows, about equally long; fewer where there are fewer events.
        @param parameters: given to the module's C{kn_param} first.
        @return: list of `kernelnet.artifacts.SplitScore`.
        """

    def steady(wasm, report):
        """
        Worker thread.  Whether about the same comes of a trace that is hardly different: not if it is known by heart.

        @param report: what the module has on the whole scenario.
        @raise kernelnet.workbench.errors.ComponentError: it fails on that trace.
        """

    def baselines():
        """Worker thread.  `Report` by name of each hand-made policy, measured once and kept."""

    def reference():
        """Worker thread.  `Report` of the workbench's reference policy, measured once and kept."""

    def optimum():
        """Worker thread.  Score by split of the offline optimum or another strong reference, computed once and kept."""

    def developmentLevel(report, split="held_out"):
        """Share of the distance reference → optimum that C{report} closes on C{split}; may be negative."""

    def patterns():
        """Worker thread.  list of `kernelnet.artifacts.Pattern` learned on train, confidence measured on validation."""


class IProblem(Interface):
    """
    Problem as a generator may know it: the training part of one scenario, and a budget.

    Every method may be called from the generator's worker thread, and blocks.
    """

    workbench = Attribute("name of the workbench")
    header = Attribute('the C header, which is found by #include "kn_<workbench>.h" when compiling')
    abis = Attribute("the ABIs that a component may be written for")
    seed = Attribute("int; a generator that uses no other randomness is reproducible")
    events = Attribute("events in the training part")
    settings = Attribute("the scenario's settings")
    learned = Attribute("list of kernelnet.artifacts.Pattern that were learned from this scenario")
    patterns = Attribute("list of kernelnet.artifacts.Pattern: these, and those of other traces and of peers: hints")
    parents = Attribute(
        "list of kernelnet.artifacts.Component that this trainer confirmed itself, of tasks most like this one first;"
        " their claims on train"
    )
    blocks = Attribute("list of kernelnet.artifacts.CodeBlock of peers, in the same order: untrusted hints")
    requirements = Attribute("dict: what a requestor or partner asked for")
    baselines = Attribute("dict: name → score of each hand-made policy on train")
    objective = Attribute("'score', or 'fuel' (same score with less fuel)")
    memory = Attribute(
        "dict, empty at first: what a generator leaves in it is there when it is next given this scenario; None: each"
        " time is the first"
    )

    def secondsLeft():
        """Seconds until generate() must return; negative when it is late or was cancelled."""

    def compile(source):
        """C source → module bytes.  @raise CompileError: with the compiler's message."""

    def measure(wasm, parameters=()):
        """
        Score a module on train.

        @param parameters: floats given to the module's C{kn_param(i, value)} before it starts.
        @return: `kernelnet.artifacts.SplitScore`
        @raise ComponentError: it traps, runs out of fuel or breaks the contract.
        """

    def measureWindows(wasm, parameters=(), count=8):
        """
        Score a module on windows of train, one after the other: what does well on all holds up better elsewhere.

        @param count: so many windows; fewer where train is short, and one where the bench can't tell them apart.
        @return: a list of `kernelnet.artifacts.SplitScore`.
        @raise ComponentError: see C{measure}.
        """

    def progress(generation, best):
        """Tell the trainer how far the search is: a count and the best score on train so far."""


class IComponentGenerator(Interface):
    """A plugin that writes components."""

    name = Attribute("unique; what --generator takes")
    description = Attribute("one line for `kernelnet generators`")
    workbenches = Attribute("names of the workbenches it can write for; empty: any")

    def generate(problem):
        """
        Worker thread.  Write the best component found before C{problem.secondsLeft()} is 0.

        It sees train only; whether its result is good enough on validation is decided by the trainer.

        @param problem: an `IProblem`.
        @return: a `kernelnet.generators.Candidate`, or None when there is nothing to offer.
        @raise Exception: is logged and counted; the trainer goes on.
        """


class ILocalTrainer(Interface):
    """The learning half of a trainer, without any network; methods return Deferreds and never block the reactor."""

    workbenches = Attribute("names of the workbenches that it trains on, the first by default")

    def start():
        """Read traces, measure baselines.  Fires with None; fails with `TraceError` for a bad trace."""

    def learn():
        """Fires with a list of `kernelnet.artifacts.Pattern`."""

    def build(goal):
        """
        Write, measure and guard one component.

        @param goal: a `kernelnet.learning.local_trainer.Goal`.
        @return: fires with a `kernelnet.artifacts.Component` with its claim, or None when nothing passed the guard.
        """

    def remeasure(component):
        """Measure a peer's claim again.  Fires with a `kernelnet.message.PerformanceReport` with digest and verdict."""

    def tasks():
        """All that it trains on, in a fixed order: a list of `kernelnet.artifacts.TaskDescription`."""

    def currentTask():
        """The `kernelnet.artifacts.TaskDescription` that is worked on, or was last; None before the first."""

    def status():
        """
        A JSON-able dict for progress lines; nothing is decided by it.

        C{generation}; C{best}, the score; C{scenario}, the task that is worked on, with C{workbench}, C{trace},
        C{trace_digest} and C{settings}, or None.  Whatever it doesn't know may be missing.
        """

    def stop():
        """Cancel what runs; fires when it has ended."""


class ILocalTrainerMaker(Interface):
    """A plugin that makes `ILocalTrainer`s."""

    name = Attribute("unique; what --local-trainer takes")
    description = Attribute("one line for `kernelnet generators`")

    def make(specialization, traces, generator, seed, author, *, workbenches=()):
        """
        @param workbenches: names of those to train on; empty: those of the specialization.
        @param traces: list of paths the user gave; empty: the bench's own.
        @param generator: an `IComponentGenerator`.
        @param seed: int, or None for a random one.
        @param author: the ai_id, for the ids of components.
        @return: an `ILocalTrainer`.
        """
