"""
Recorded answers of a language model: what they are worth, and whether the budget for them holds.

For the task sqlite at 558 blocks a language model wrote five policies by the tools of ``kernelnet mcp``, each with one
hypothesis; the last two after the first three had been measured. They are in ``answers/`` with the numbers of its
first try. A server on loopback that speaks as OpenAI's does plays them, in an order that the seed draws, and tells as
many tokens as question and answer have characters, divided by four. The generator ``llm`` asks it, as it asks any;
costs are by the list prices given. Told is, with the numbers searched and as the model wrote them: after how many
evaluations, calls and dollars the best on train is better than every hand-made policy there, what the guard says of
it, and its level on held-out data.

Then the budget: a process that searches with ``llm`` is killed (``kill -9``) at a random moment, twenty times, one
after the other with the same ledger and budget; the server counts what it would charge for every question that reached
it, the most that an answer may have, whether somebody was left to hear it or not.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Table, machine
from results import publish

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kernelnet.families import BEGIN, END
from kernelnet.generators.llm.generator import ModelsAlone, modelsOf
from kernelnet.generators.llm.ledger import Ledger
from kernelnet.generators.llm.settings import Model, Settings
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.search_run import SearchRun
from kernelnet.plugins import find
from tests.generators.llm.server import Served, completion, raw, serving

ANSWERS = Path(__file__).with_name("answers")
BENCH = "file_system"
KILLS = 20
LONGEST = 1.5
"""Seconds that a process lives at most before it is killed."""
ANSWER_TOKENS = 4096


def answers() -> list[str]:
    """The recorded answers, as a model gives them."""
    sources = [path.read_text() for path in sorted(ANSWERS.glob("*.c"))]
    return [f"Here is a policy, with its hypothesis in a comment.\n\n```c\n{source}```\n" for source in sources]


def asWritten(answer: str) -> str:
    """The same without marks: its numbers are those that the model wrote."""
    return answer.replace(BEGIN, "/* numbers").replace(END.strip(), "/* that was all */")


@contextmanager
def playing(found: Sequence[str]) -> Iterator[Served]:
    """A server that plays answers one after the other; then it has none."""
    left = list(found)

    def reply(handler: Any, body: dict[str, Any]) -> None:
        if not left:
            raw(b'{"error": {"message": "nothing is left to play"}}', 400)(handler, body)
            return
        text = left.pop(0)
        asked = sum(len(message["content"]) for message in body["messages"]) // 4
        completion(text, {"prompt_tokens": asked, "completion_tokens": len(text) // 4})(handler, body)

    with serving(last=reply) as served:
        yield served


def paid(ledger: Path) -> tuple[int, float]:
    """Number of calls that were answered, and what they cost; what is only reserved isn't counted."""
    answered = [call for call in Ledger(ledger).calls(10_000) if not call.reserved and call.tokens]
    return len(answered), sum(call.usd or 0.0 for call in answered)


def searched(scenario: Any, found: Sequence[str], options: argparse.Namespace, seed: int) -> list[str]:
    """One search with recorded answers: when it was better than every hand-made policy, and what came of it."""
    best = min(report.splits["train"].score for report in scenario.baselines().values())
    first: list[tuple[int, int, float]] = []
    with tempfile.TemporaryDirectory() as folder, playing(found) as served:
        model = Model("recorded", served.url, input_usd=options.input_usd, output_usd=options.output_usd)
        settings = Settings((model,), budget_usd=options.budget)
        ledger = Path(folder) / "llm.db"
        generator = ModelsAlone(modelsOf(settings, ledger))

        def told(_: int, score: int) -> None:
            if score < best and not first:
                first.append((run.measured, *paid(ledger)))

        goal = Goal(scenario.workbench.name, options.seconds)
        run = SearchRun(
            scenario, generator, goal, seed=seed, jobs=1, evaluations=options.evaluations, memory={}, onProgress=told
        )
        component, why = run.build()
        calls, usd = paid(ledger)
    when = [str(first[0][0]), str(first[0][1]), f"{first[0][2]:.3f}"] if first else ["never", "–", "–"]
    level = f"{component.development_level:.3f}" if component is not None else "–"
    refused = "it may be luck" if "luck" in why else "no better on validation"
    verdict = "accepted" if component is not None else refused if why else "nothing was found"
    train = f"{scenario.developmentLevel(scenario.measure(component.wasm), 'train'):.3f}" if component else "–"
    return [*when, str(run.measured), str(calls), f"{usd:.3f}", train, level, verdict]


def structures(options: argparse.Namespace) -> Table:
    bench = find(IWorkbench, BENCH, "workbench")
    table = Table(
        f"Recorded answers of a language model, {options.evaluations} evaluations, ${options.input_usd:g} and"
        f" ${options.output_usd:g} a million tokens",
        [
            *("task", "numbers", "seed", "better after", "calls", "USD", "evaluations", "calls in all", "USD in all"),
            *("train", "held-out", "the guard"),
        ],
    )
    for path in bench.traces():
        for settings in bench.tasks(path):
            scenario = bench.scenario(path, settings)
            task = f"{scenario.trace} {next(iter(settings.values()))}"
            if options.task and not any(wanted in task for wanted in options.task):
                continue
            for seed in range(options.seeds):
                order = answers()
                random.Random(seed).shuffle(order)
                for words, played in (("searched", order), ("the model's", [asWritten(one) for one in order])):
                    row = [task, words, str(seed), *searched(scenario, played, options, seed)]
                    print(" ".join(row), flush=True)
                    table.rows.append(row)
    table.remarks.append(
        "better after: evaluations, calls and USD until the best on train is better than every hand-made policy there."
    )
    return table


def spend(ledger: Path, url: str, budget: float, options: argparse.Namespace) -> None:
    """A process that searches until it is killed, or the budget is spent."""
    bench = find(IWorkbench, BENCH, "workbench")
    path = bench.traces()[0]
    scenario = bench.scenario(path, bench.tasks(path)[0])
    generator = ModelsAlone(modelsOf(Settings((_dear(url, options),), budget_usd=budget), ledger))
    SearchRun(scenario, generator, Goal(BENCH, 600.0), seed=1, memory={}).search()


def _dear(url: str, options: argparse.Namespace) -> Model:
    return Model(
        *("recorded", url), input_usd=options.input_usd, output_usd=options.output_usd, answer_tokens=ANSWER_TOKENS
    )


def killed(options: argparse.Namespace) -> Table:
    """The budget over kills."""
    rng, charged, kills, unanswered = random.Random(options.kill_seed), [0.0], 0, 0
    text = answers()[0]

    def reply(handler: Any, body: dict[str, Any]) -> None:
        asked = sum(len(message["content"]) for message in body["messages"]) // 4
        charged.append(_dear("", options).cost(asked, ANSWER_TOKENS) or 0.0)
        time.sleep(rng.uniform(0, 0.5))  # as a model that thinks: it may be asked for nothing
        completion(text, {"prompt_tokens": asked, "completion_tokens": ANSWER_TOKENS})(handler, body)

    with tempfile.TemporaryDirectory() as folder, serving(last=reply) as served:
        ledger = Path(folder) / "llm.db"
        command = [sys.executable, __file__, "--child", str(ledger), served.url, str(options.kill_budget)]
        prices = ["--input-usd", str(options.input_usd), "--output-usd", str(options.output_usd)]
        spent = 0
        while kills < KILLS and spent < KILLS:
            before = len(served.requests)
            process = subprocess.Popen([*command, *prices], stdout=subprocess.DEVNULL)
            while len(served.requests) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, LONGEST))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                kills += 1
            else:
                spent += 1  # nothing could be asked any more
        process = subprocess.Popen([*command, *prices], stdout=subprocess.DEVNULL)
        for _ in range(60):
            if process.poll() is None:
                time.sleep(1.0)
        process.kill()
        process.wait()
        time.sleep(1.0)
        totals = Ledger(ledger).totals()
        unanswered = sum(call.reserved for call in Ledger(ledger).calls(10_000))
    table = Table(
        f"A budget of ${options.kill_budget:g} over {kills} kill -9",
        ["kills", "questions that came", "charged, USD", "in the ledger, USD", "calls without an end", "overrun"],
    )
    overrun = sum(charged) > options.kill_budget
    table.rows.append(
        [
            str(kills),
            str(len(charged) - 1),
            f"{sum(charged):.4f}",
            f"{totals.usd or 0:.4f}",
            str(unanswered),
            "YES" if overrun else "never",
        ]
    )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="What a language model's recorded answers are worth.")
    parser.add_argument("--evaluations", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--task", action="append", help="such as 'sqlite 558'; repeatable [all four]")
    parser.add_argument("--input-usd", type=float, default=1.25, help="a million tokens")
    parser.add_argument("--output-usd", type=float, default=10.0)
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--kill-budget", type=float, default=5.0)
    parser.add_argument("--kill-seed", type=int, default=1)
    parser.add_argument("--no-kills", action="store_true")
    parser.add_argument("--publish", action="store_true", help="write the tables into RESULTS.rst")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        spend(Path(options.child[0]), options.child[1], float(options.child[2]), options)
        return
    began = time.monotonic()
    tables = [] if options.no_kills else [killed(options)]
    for table in tables:
        print(table, flush=True)
    tables.insert(0, structures(options))
    print(tables[0])
    if options.publish:
        about = [f":{name}: {value}" for name, value in machine()]
        about.append(f":Took: {(time.monotonic() - began) / 60:.0f} minutes")
        heading = ["Language models", "---------------", "", (__doc__ or "").strip(), ""]
        publish("llm", "\n".join([*heading, *about, "", *map(str, tables)]))


if __name__ == "__main__":
    main()
