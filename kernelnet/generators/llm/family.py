"""
Family of a portfolio that language models write: they have the structure, the search tunes the numbers.

An answer's source is compiled in the jail and measured on train; one that marks numbers is then searched as a template
is, for some hundred measurements: one costs milliseconds, and a call seconds.  What failed, and how, is told to the
model with its next call.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.search_family import Family, Metered, Scored, Scores
from kernelnet.generators.llm.answer import NoSource, hypothesisOf, sourceIn
from kernelnet.generators.llm.ledger import ACCEPTED
from kernelnet.generators.llm.prompt import BASELINES, MAX_ATTEMPTS, Asking, Attempt, Known, Prompt, write
from kernelnet.generators.llm.writer import Models, Writer, Written
from kernelnet.generators.templates.marked_source import MarkError, marked
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Template
from kernelnet.interfaces import IProblem
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["ModelFamily"]

TRIAL = 48
"""Number of measurements that a structure's numbers get, whatever they are at first."""

TUNING = 320
"""Number that those get which are not far behind the best by then."""

FAR = 1.25
"""Loss, as a multiple of the best one's, from which on a structure is far behind."""

KEPT = 20
"""Number of the best that are kept."""

_MIX = ((Asking.NEW, 0.45), (Asking.IMPROVE, 0.4), (Asking.COMBINE, 0.15))


class _Structure(VectorFamily):
    """One source's numbers, searched as a template's."""

    def __init__(self, template: Template, written: Written, hypothesis: str, parents: tuple[str, ...]) -> None:
        super().__init__(template)
        self.template = template
        self.written, self.hypothesis, self._shown = written, hypothesis, parents

    def candidate(self, genome: tuple[float, ...]) -> Candidate:
        found = super().candidate(genome)
        return replace(
            found,
            parents=tuple(dict.fromkeys((*self._shown, *found.parents))),
            note=noteOf(self.hypothesis, self.written),
            provenance=self.written.provenance,
            hypothesis=self.hypothesis,
        )


def noteOf(hypothesis: str, written: Written) -> str:
    """A component's line for people."""
    return f"{hypothesis or 'no hypothesis'} (written by {written.provenance.model})"[:250]


class ModelFamily(Family):
    """
    See `Family`.

    @param models: who is asked.
    """

    name = "llm"
    repeats = False

    def __init__(self, models: Models) -> None:
        self._models = models

    def start(self, metered: Metered, rng: random.Random) -> None:
        self._metered, self._rng = metered, rng
        self.evaluations = 0
        problem: IProblem = metered.problem
        self.writer = Writer(self._models, f"{problem.workbench} {problem.settings}"[:200])
        self._attempts: deque[Attempt] = deque(maxlen=MAX_ATTEMPTS)
        self._structures: list[_Structure] = []
        self._best: dict[Scores, Scored] = {}
        self._bySource: dict[str, Written] = {}
        self._ask()

    def goOn(self, metered: Metered) -> None:
        self._metered = metered
        for structure in self._structures:
            structure.goOn(metered)
        self._ask()

    # -- what it waits for

    def waits(self) -> bool:
        self._ask()
        return not self._structures and not self.writer.hasArrived()

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to measure; C{False}: there will be nothing."""
        idle = not self.writer.underWay  # looked at first: an answer arrives before its call has ended
        if self.writer.hasArrived():
            return True
        if idle:
            return False
        self.writer.wait(seconds)
        return True

    def ready(self) -> bool:
        return self._structures[0].ready() if self._structures else True

    # -- asking

    def _ask(self) -> None:
        while self.writer.wants(self._metered.problem.secondsLeft()):
            self.writer.send(self._prompt())

    def _prompt(self) -> Prompt:
        problem = self._metered.problem
        asking = self._rng.choices([one for one, _ in _MIX], [share for _, share in _MIX])[0]
        names = sorted(problem.baselines, key=lambda name: problem.baselines[name])[:BASELINES]
        return write(
            problem,
            asking,
            baselineSources={name: problem.baselineSource(name) for name in names},
            known=self._known(),
            attempts=list(self._attempts),
        )

    def _known(self) -> list[Known]:
        """Policies that a model may build on: its own best, and components that were confirmed here."""
        own = [
            Known(one.candidate.source, f"yours, {self._words(one)}")
            for one in sorted(self._best.values(), key=lambda one: one.loss)[:2]
        ]
        confirmed = [
            Known(one.implementation, "confirmed, of the same workbench", one.digest)
            for one in self._metered.problem.parents[:2]
            if one.implementation
        ]
        both = [*own, *confirmed]
        self._rng.shuffle(both)
        return both

    def _words(self, one: Scored) -> str:
        reference = self._metered.reference
        shares = " ".join(f"{(s + 1) / (r + 1):.3f}" for s, r in zip(one.scores, reference, strict=True))
        return f"scores by window as a share of the first known policy's: {shares}"

    # -- measuring

    def step(self) -> Callable[[], None]:
        if self._structures:
            return self._tune(self._structures[0])
        written = self.writer.take()
        if written is not None:
            self._consider(written)
        self._ask()
        return lambda: None

    def _tune(self, structure: _Structure) -> Callable[[], None]:
        end = structure.step()

        def ended() -> None:
            before = structure.evaluations
            end()
            self.evaluations += structure.evaluations - before
            best = structure.found(1)
            far = not best or best[0].loss > FAR * self._lowest()
            if structure in self._structures and structure.evaluations >= (TRIAL if far else TUNING):
                self._structures.remove(structure)
                self._retire(structure)

        return ended

    def _retire(self, structure: _Structure) -> None:
        found = structure.found(KEPT // 4)
        if not found:
            self._learn(structure.written, structure.hypothesis, "no numbers work: it traps or is out of fuel")
            return
        gain = max(self._keep(one, structure.written) for one in found)
        numbers = structure.template.describe(found[0].candidate.parameters)
        self._learn(
            structure.written,
            structure.hypothesis,
            f"loss {found[0].loss:.4f} after {structure.evaluations} measurements of its numbers; best {numbers}",
            gain,
        )

    def _lowest(self) -> float:
        """Loss of the best of all that this search has measured, of whatever family."""
        return self._metered.lowest

    def _consider(self, written: Written) -> None:
        hypothesis = ""
        try:
            source = sourceIn(written.answer.text, written.answer.isWhole)
            hypothesis = hypothesisOf(source)
            problem = self._metered.problem
            template = marked(source, problem.workbench, self.name)
            if template is not None:
                template = replace(template, islands=1, population=16, offspring=8)
                structure = _Structure(template, written, hypothesis, written.prompt.parents)
                # A structure that fails at its first numbers fails at most; and the model should hear why.
                problem.measureWindows(problem.compile(template.tunable()), template.known[0])
                structure.start(self._metered, random.Random(self._rng.getrandbits(64)))
                self._structures.append(structure)
                return
            self._fixed(source, hypothesis, written, problem.compile(source))
        except (NoSource, MarkError) as error:
            self._learn(written, hypothesis, str(error))
        except WorkbenchError as error:
            self._learn(written, hypothesis, plain(" ".join(str(error).split()), 600))

    def _fixed(self, source: str, hypothesis: str, written: Written, wasm: bytes) -> None:
        """A source without marked numbers is one candidate."""
        problem = self._metered.problem
        problem.measure(wasm)  # if it fails, it says how
        scores = self._metered.measureAll([(wasm, ())])
        self.evaluations += len(scores)
        if not scores or scores[0] is None:
            self._learn(written, hypothesis, "there was no time to measure it")
            return
        if scores[0] in self._best:
            self._learn(written, hypothesis, "it decides as one that you wrote before")
            return
        candidate = Candidate(
            source,
            written.prompt.parents,
            note=noteOf(hypothesis, written),
            provenance=written.provenance,
            hypothesis=hypothesis,
        )
        loss = self._metered.loss(scores[0])
        gain = self._keep(Scored(loss, scores[0], candidate), written)
        self._learn(written, hypothesis, f"loss {loss:.4f}; it marks no numbers that could be tuned", gain)

    def _keep(self, one: Scored, written: Written) -> float:
        """Keep one of the best.  @return: by how much it made the best better; the very first is no gain."""
        before = min((other.loss for other in self._best.values()), default=None)
        self._best.setdefault(one.scores, one)
        self._bySource[one.candidate.source] = written
        while len(self._best) > KEPT:
            worst = max(self._best, key=lambda scores: self._best[scores].loss)
            self._bySource.pop(self._best.pop(worst).candidate.source, None)
        return before / one.loss - 1 if before is not None and one.loss < before else 0.0

    def _learn(self, written: Written, hypothesis: str, result: str, gain: float = 0.0) -> None:
        """An answer has been looked at: who gave it is paid once, for rubbish too, which costs as much."""
        self.writer.reward(written, gain)
        self._attempts.append(Attempt(hypothesis, result))
        self.writer.tell(written, result)

    def judged(self, candidate: Candidate, digest: str | None) -> None:
        """Hear whether the guard took what came of this family.  @param digest: the component's; C{None}: it didn't."""
        written = self._bySource.get(candidate.source)
        if written is not None:
            self.writer.tell(written, f"{ACCEPTED}: {digest}" if digest else "refused by the guard")

    def found(self, count: int) -> list[Scored]:
        every = dict(self._best)
        for structure in self._structures:
            every.update((one.scores, one) for one in structure.found(count))
        return sorted(every.values(), key=lambda one: one.loss)[:count]
