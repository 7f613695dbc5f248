"""C{kernelnet bench run}."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from kernelnet.cli import bench as benching
from kernelnet.cli.policy_comparison import Policy, Score, Standing, standing
from kernelnet.cli.policy_table import printStanding
from kernelnet.learning import acceptance, intervals
from kernelnet.learning.intervals import levelInterval
from kernelnet.learning.submission import submit
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from tests.cli.support import CliTestCase
from tests.workbench.support import HEADER

RUN = ("bench", "run", "file_system")
POLICY = """
#include "kn_file_system.h"
void kn_init(u32 capacity) {}
void kn_hit(u32 slot) {}
u32 kn_victim(u64 key) { BODY }
void kn_insert(u32 slot, u64 key) {}
"""


OPENING = '__attribute__((import_module("system"), import_name("open"))) unsigned asked(void);\n'


VARIANTS = 2 * workbench.variants
"""Of a short trace."""


class RunTests(CliTestCase):
    def json(self, *arguments: Any) -> list[Any]:
        found: list[Any] = json.loads(self.succeed(*RUN, "--json", *arguments))
        return found

    def test_numbers(self) -> None:
        """A C file gets the numbers that the workbench measures, beside every hand-made policy and the optimum."""
        component = self.baseline("arc")
        [found] = self.json("--trace", self.trace, "--component", component, "--set", "capacity=32")
        scenario = workbench.scenario(self.trace, {"capacity": 32}).forModule(compileC(component.read_text(), HEADER))
        self.assertEqual((found["trace"], found["settings"]), ("small", {"capacity": 32}))
        self.assertEqual((found["variants"], found["drawn_by"]), (VARIANTS, "my-arc.c"))
        self.assertEqual(found["trace_digest"], scenario.traceDigest)
        policies = {policy["name"]: policy for policy in found["policies"]}
        self.assertEqual(set(policies), {*workbench.baselineNames, "belady", "my-arc.c"})
        for name, report in scenario.baselines().items():
            for split, score in report.splits.items():
                shown = policies[name]["splits"][split]
                self.assertEqual((shown["score"], shown["fuel"]), (score.score, score.fuel))
                self.assertAlmostEqual(shown["level"], scenario.developmentLevel(report, split), 5)
        mine = policies["my-arc.c"]
        self.assertEqual((mine["kind"], mine["abi"]), ("component", "file_system/full/2"))
        self.assertEqual(mine["file"], str(component))
        self.assertEqual(mine["splits"], policies["arc"]["splits"])
        self.assertEqual(len(mine["variant_levels"]), VARIANTS)
        self.assertEqual(policies["arc"]["variant_levels"], [])
        optimum = {split: score["score"] for split, score in policies["belady"]["splits"].items()}
        self.assertEqual(optimum, scenario.optimum())
        baselines = [p for p in found["policies"] if p["kind"] == "baseline"]
        for key, split in (("chosen_on_train", "train"), ("best_in_hindsight", "held_out")):
            best = min(baselines, key=lambda p: p["splits"][split]["score"])
            self.assertEqual(found[key], best["name"])
        for policy in baselines:
            held = policy["splits"]["held_out"]
            wanted = levelInterval(scenario, workbench.baselineModule(policy["name"]))
            assert wanted is not None
            self.assertEqual((held["level_low"], held["level_high"]), tuple(round(each, 6) for each in wanted))
            self.assertLessEqual(held["level_low"], held["level"])
            self.assertGreater(policy["ns_per_event"], 0)
            self.assertEqual(policy["bytes_per_slot"], round(policy["memory_bytes"] / 32, 1))

    def test_example(self) -> None:
        """C{examples/lru.c} has the miss ratios of the built-in LRU, as numbers and in the table."""
        example = Path(__file__).parents[2] / "examples" / "lru.c"
        arguments = ("--component", example, "--trace", self.trace, "--capacity", "10%", "--capacity", "50")
        for found in self.json(*arguments):
            splits = {p["name"]: [s["score"] for s in p["splits"].values()] for p in found["policies"]}
            self.assertEqual(splits["lru.c"], splits["lru"])
        rows = [line.split() for line in self.succeed(*RUN, *arguments).splitlines() if line.startswith(" lru")]
        self.assertEqual([row[0] for row in rows], ["lru", "lru.c"] * 2)
        for builtIn, mine in (rows[:2], rows[2:]):
            self.assertEqual(mine[2:10], builtIn[2:10])

    def test_table(self) -> None:
        """The table has a row for each policy, best on held-out first, with its score on each part."""
        text = self.succeed(*RUN, "--trace", self.trace, "--component", self.baseline("sieve"), "--capacity", "32")
        rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
        alone = workbench.scenario(self.trace, {"capacity": 32})
        scenario = alone.forModule(compileC(workbench.baselineSource("sieve"), HEADER))
        for name, report in scenario.baselines().items():
            for split in ("train", "validation", "held_out"):
                self.assertIn(str(report.splits[split].score), rows[name])
        order = [name for name in rows if name in (*workbench.baselineNames, "belady", "my-sieve.c")]
        scores = {name: report.splits["held_out"].score for name, report in scenario.baselines().items()}
        scores |= {"belady": 0, "my-sieve.c": scores["sieve"]}
        self.assertEqual([scores[name] for name in order], sorted(scores.values()))
        self.assertIn("misses, lower is better", text)
        where = f"file_system on {VARIANTS} variants of small, drawn by my-sieve.c, as its claim is measured"
        self.assertIn(f"{where}: capacity 32", text)
        self.assertRegex(text, r"my-sieve.c: by variant, its held-out level is [\d.]+ to [\d.]+, [\d.]+ apart")
        self.assertIn("\nuse ", text)
        self.assertNotIn("by hand", text)

    def test_asItIs(self) -> None:
        """Without a component the trace is measured as it is; which policy to use stands below."""
        text = self.succeed(*RUN, "--trace", self.trace, "--capacity", "32")
        self.assertIn("file_system on small as it is: capacity 32", text)
        scenario = workbench.scenario(self.trace, {"capacity": 32})
        best = min(scenario.baselines(), key=lambda name: scenario.baseline(name).splits["validation"].score)
        self.assertIn(f"\nuse {best} (hand-made, the best on validation): ", text)

    def test_claim(self) -> None:
        """A published component's source has the score of its claim, to the unit."""
        source = workbench.baselineSource("s3fifo")
        scenario = workbench.scenario(self.trace, {"capacity": 32})
        claimed = submit(scenario, source, trusted=True).report.splits
        component = self.write("x.c", source)
        [found] = self.json("--trace", self.trace, "--component", component, "--capacity", "32")
        [mine] = [p for p in found["policies"] if p["kind"] == "component"]
        for split, score in claimed.items():
            self.assertEqual((mine["splits"][split]["score"], mine["splits"][split]["fuel"]), (score.score, score.fuel))

    def test_several(self) -> None:
        """Each component has a table of its own: on others' variants its scores would say nothing."""
        first, second = self.baseline("lru"), self.baseline("sieve")
        arguments_ = ("--trace", self.trace, "--component", first, "--component", second, "--capacity", "32")
        found = self.json(*arguments_)
        self.assertEqual([table["drawn_by"] for table in found], ["my-lru.c", "my-sieve.c"])

    def test_verdict(self) -> None:
        """A component is what to use where the guard would take it: what may be better by luck is not."""
        self.patch(FileSystemWorkbench, "baselineNames", ("fifo", "lru"))
        arguments_ = ("--trace", self.trace, "--component", self.baseline("arc"), "--capacity", "32")
        self.assertIn("use my-arc.c (learned): ", self.json(*arguments_)[0]["verdict"])
        self.patch(acceptance, "isFarBehind", lambda *_: False)
        self.patch(acceptance, "isBeaten", lambda *_: False)
        self.assertRegex(self.json(*arguments_)[0]["verdict"], r"^use (fifo|lru) \(hand-made, ")

    def test_oneWindow(self) -> None:
        """Where there is one window only a level has no interval."""
        self.patch(intervals, "WINDOWS", 1)
        [found] = self.json("--trace", self.trace, "--capacity", "32")
        self.assertEqual({p["splits"]["held_out"]["level_low"] for p in found["policies"]}, {None})
        self.assertIn(" ± –", self.succeed(*RUN, "--trace", self.trace, "--capacity", "32"))

    def test_everyTask(self) -> None:
        """Each trace with each capacity is a table of its own; a share is one of the trace's distinct blocks."""
        second = self.write("second.txt", "".join(f"{n % 50}\n" for n in range(400)))
        found = self.json("--trace", self.trace, "--trace", second, "--capacity", "20%", "--capacity", "17")
        distinct = workbench.scenario(self.trace).machine.trace.distinct
        tasks = [(task["trace"], task["settings"]["capacity"]) for task in found]
        self.assertEqual(tasks, [("small", round(distinct * 0.2)), ("small", 17), ("second", 10), ("second", 17)])

    def test_shipped(self) -> None:
        """Without any option the shipped traces are measured with the settings that a trainer trains with."""
        found = self.json()
        tasks = [(task["trace"], task["settings"]) for task in found]
        wanted = [(path.name.split(".")[0], task) for path in workbench.traces() for task in workbench.tasks(path)]
        self.assertEqual(tasks, wanted)

    def test_progress(self) -> None:
        """All measurements of all tasks are counted: of each the components, the hand-made policies, the optimum."""
        told: list[tuple[Any, ...]] = []

        @contextlib.contextmanager
        def progress(quiet: bool = False) -> Iterator[Any]:
            yield lambda *what: told.append(what)

        self.patch(benching, "progress", progress)
        capacities = ("--capacity", "20", "--capacity", "40")
        self.succeed(*RUN, "--trace", self.trace, *capacities, "--component", self.baseline("arc"))
        total = 2 * (1 + VARIANTS * (len(workbench.baselineNames) + 1))
        self.assertEqual([*dict.fromkeys(told)], [("measuring", at, total) for at in range(total + 1)])

    def test_comments(self) -> None:
        """A comment before the source, such as a manifest, changes nothing."""
        plain = self.baseline("lru")
        told = self.write("told.c", '/* kernelnet manifest\n{"a": [1]}\n*/\n' + workbench.baselineSource("lru"))
        found = self.json("--trace", self.trace, "--component", plain, "--component", told)
        mine, its = (p["splits"] for each in found for p in each["policies"] if p["kind"] == "component")
        self.assertEqual(mine, its)


class MistakeTests(CliTestCase):
    """Each mistake gets one line that says what is wrong, and exit code 2 (the command line) or 1."""

    def component(self, code: int, words: str, text: str | bytes) -> str:
        path = self.write("mine.c", text)
        return self.refused(code, words, *RUN, "--trace", self.trace, "--component", path)

    def test_unknownWorkbench(self) -> None:
        """A workbench that there isn't: those that there are."""
        said = self.refused(2, "unknown workbench 'filesystem'; there are: ", "bench", "run", "filesystem")
        self.assertIn("file_system", said)

    def test_traces(self) -> None:
        """A trace that isn't there, is a folder, or belongs to something else."""
        swf = self.write("jobs.swf", "; Version: 2\n1 0 0 10 1 -1 -1 1 10 -1 1 1 1 1 1 -1 -1 -1\n")
        bad = self.write("bad.txt", "1\n2\nthree\n")
        self.refused(2, "nowhere.txt: No such file", *RUN, "--trace", "nowhere.txt")
        self.refused(2, "not a file", *RUN, "--trace", self.folder)
        said = self.refused(1, "no trace format has names like 'jobs.swf'", *RUN, "--trace", swf)
        self.assertIn(f"(file_system reads {workbench.formats})", said)
        self.refused(1, "bad.txt:3: 'three' is not a block id", *RUN, "--trace", bad)

    def test_compiler(self) -> None:
        """What does not compile: the compiler's message, about the user's file and line."""
        said = self.component(1, "mine.c:1:28: error: ", "int kn_init(void) { return foo; }")
        self.assertIn("foo", said)
        said = self.component(1, "kn_other.h", '#include "kn_other.h"\n')
        self.assertIn("kn_file_system.h; is this for another workbench?", said)

    def test_notC(self) -> None:
        """What is no C file, or can't be read."""
        self.component(1, "WebAssembly", b"\0asm\1\0\0\0")
        self.component(1, "not a text file", b"\x7fELF\0\0")
        self.component(1, "it is empty", "\n")
        self.component(1, "more than 1 MiB", "/" * ((1 << 20) + 1))
        self.refused(2, "nowhere.c: No such file", *RUN, "--component", "nowhere.c")
        self.refused(2, "Is a directory", *RUN, "--component", self.folder)

    def test_wrongAbi(self) -> None:
        """A component without the workbench's functions: which ones its ABIs want."""
        said = self.component(
            1, "the module exports no", '#include "kn.h"\nKN_EXPORT("other") int other(void) { return 1; }'
        )
        self.assertIn("file_system/full/2 has kn_init, kn_hit, kn_victim, kn_insert", said)

    def test_wrongSignature(self) -> None:
        """Functions of the right names and the wrong types: what they are, what they should be, and what is missing."""
        head = '#include "kn.h"\nKN_EXPORT("kn_hit") void kn_hit(u32 slot, u32 now) {}\n'
        said = self.component(1, "its export kn_hit is not a function (i32) -> (), but (i32, i32) -> ()", head)
        self.assertIn("exports no kn_init, kn_victim, kn_insert", said)
        said = self.component(1, "as kn_file_system.h declares them: include it", "void kn_init(int capacity) {}")
        self.assertIn("exports no kn_init, kn_hit, kn_victim, kn_insert", said)
        rank = '#include "kn.h"\nKN_EXPORT("kn_rank") f64 kn_rank(f64 age) { return age; }\n'
        self.assertNotIn("exports no", self.component(1, "-> (f64), but (f64) -> (f64)", rank))

    def test_failing(self) -> None:
        """A component that fails when it runs: the kind of failure and the cause, once each, in one line."""
        for body, words in (
            (
                "for (volatile int i = 0;; i++) {}",
                "module DIGEST… used up its fuel, N units for N events: it loops forever, or is far too slow",
            ),
            ("return *(volatile u32 *)0xfffffff0u;", "it crashes: out of bounds memory access"),
            ("return 1u << 30;", "kn_victim named a slot that does not exist at request 95"),
            ("__builtin_trap();", "it crashes: wasm `unreachable` instruction executed"),
            ("return asked();", "the module imports system.open; nothing may be imported"),
        ):
            said = self.component(1, "mine.c fails on the trace small: ", OPENING + POLICY.replace("BODY", body))
            found = re.sub(r"(?<=module )[0-9a-f]{12}", "DIGEST", said.partition("small: ")[2])
            found = re.sub(r"\d+(?= units| events)", "N", found)
            self.assertEqual(found, words + "\n")

    def test_narrow(self) -> None:
        """In a terminal of 50 columns there are fewer columns; no policy's name is cut."""
        screen = io.StringIO()
        found = standing(workbench.scenario(self.trace, {"capacity": 32}))
        printStanding(found, Console(file=screen, width=50, force_terminal=True, color_system=None))
        self.assertLessEqual(max(map(len, screen.getvalue().splitlines()[1:])), 50)
        for policy in found.policies:
            self.assertRegex(screen.getvalue(), rf"(?m)^ *{policy.name} .*\d *$")

    def test_notes(self) -> None:
        """In one of 80 the notes and intervals stay, on one line each; the title is as wide as the terminal."""
        screen = io.StringIO()
        found = standing(workbench.scenario(self.trace, {"capacity": 32}))
        printStanding(found, Console(file=screen, width=80, force_terminal=True, color_system=None))
        title, *lines = screen.getvalue().splitlines()
        self.assertIn("file_system on small as it is: capacity 32; events: train", title)
        self.assertLessEqual(max(map(len, lines)), 80)
        best = next(line for line in lines if line.split()[:1] == [found.best_in_hindsight])
        self.assertIn("best in hindsight", best)
        self.assertIn("reference", screen.getvalue())

    def test_askingForFiles(self) -> None:
        """A component that would open a file, by C's library or its compiler's: one line says that it has none."""
        opens = "void *fopen(const char *, const char *);\n" + POLICY.replace("BODY", 'return !fopen("/etc", "r");')
        for source, words in (
            (opens, "mine.c calls fopen, which isn't there: a component has no files"),
            ("#include <stdio.h>\n" + opens, "mine.c, line 1, includes stdio.h, which isn't there: a component has no"),
            ('\n#include "/etc/passwd"\n', "mine.c, line 2, includes /etc/passwd, which isn't there: a component has"),
        ):
            self.assertEqual(len(self.component(1, words, source).splitlines()), 1)

    def test_settings(self) -> None:
        """Settings that aren't any, or out of range."""
        for code, words, *arguments in (
            (2, "capacity is 0; it should be 1 to", "--capacity", "0"),
            (2, "200% is more than all of the trace's blocks", "--capacity", "200%"),
            (2, "a cache needs more than nothing", "--capacity", "0%"),
            (2, "it should be blocks, like 1000, or a share, like 10%", "--capacity", "much"),
            (2, "it should be blocks, like 1000, or a share, like 10%", "--capacity", "-5"),
            (2, "capacity is 999999; it should be 1 to", "--set", "capacity=999999"),
            (2, "capacity is 99999999999; it should be 1 to", "--capacity", "99999999999"),
            (2, "NAME=N", "--set", "capacity"),
            (2, "NAME=N", "--set", "capacity=1.5"),
            (2, "given twice", "--set", "capacity=5", "--set", "capacity=6"),
            (2, "either", "--set", "capacity=5", "--capacity", "6"),
            (2, "no setting 'speed'; it has capacity", "--set", "speed=1"),
        ):
            self.refused(code, words, *RUN, "--trace", self.trace, *arguments)

    def test_baseOnly(self) -> None:
        """Without the trainer's extra one line says what to install."""
        for missing in ("numpy", "wasmtime", "ziglang"):
            code = (
                f"import sys; sys.modules[{missing!r}] = None\n"
                f"from kernelnet.cli import main; main({[*RUN, '--trace', str(self.trace)]!r})"
            )
            # Nor has such a user any modules from another time.
            environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}
            command = [sys.executable, "-c", code]
            ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran.stderr)
            self.assertEqual(len(ran.stderr.splitlines()), 1, ran.stderr)
            self.assertIn("pip install 'kernelnet[trainer]'", ran.stderr)


class TableTests(CliTestCase):
    def test_widths(self) -> None:
        """In a narrow terminal the table leaves columns out rather than cutting numbers off."""

        def score(number: int, level: float) -> dict[str, Score]:
            return {s: Score(999_999, number, level, 12_345, {"p99": 7}) for s in ("train", "validation", "held_out")}

        policies = [
            Policy("best", "optimum", {s: Score(999_999, 1, 1.0) for s in ("train", "validation", "held_out")}),
            Policy("[red]mine\x1b.c", "component", score(765_432, 0.25), "mine.c", "bench/full/1", "bench/full/1"),
            Policy("lru", "baseline", score(876_543, 0.0), note="reference, best on train"),
        ]
        names = ("lru", "best", "lru", "lru")
        found = Standing("bench", "", "t", "", {"a": 1}, "", "misses", "miss ratio", *names, policies)
        for width in (80, 100, 130, 200):
            console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
            printStanding(found, console)
            assert isinstance(console.file, io.StringIO)
            text = console.file.getvalue()
            self.assertNotIn("…", text)
            for word in ("765432", "876543", "0.250", "[red]mine?.c"):
                self.assertIn(word, text)
        self.assertIn("p99", text)
