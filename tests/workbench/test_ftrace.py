"""Scheduler events as their many printers write them: what is an event, which clock, and what was lost."""

from __future__ import annotations

import re
import time
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager.ftrace import readFtrace
from tests.workbench.test_process_manager_readers import FTRACE, Case


def switch(previous: tuple[str, int, str], following: tuple[str, int], time: str, cpu: int = 0) -> str:
    """A line of ftrace's."""
    who, pid, state = previous
    return (
        f"  {who}-{pid}  [{cpu:03}] d..2. {time}: sched_switch: prev_comm={who} prev_pid={pid} prev_prio=120"
        f" prev_state={state} ==> next_comm={following[0]} next_pid={following[1]} next_prio=120\n"
    )


IDLE = ("swapper/0", 0, "R")
PLAIN = "".join(
    switch(IDLE, ("app", 900 + at), f"{at}.010000") + switch(("app", 900 + at, "S"), ("swapper/0", 0), f"{at}.012000")
    for at in range(5)
)
EXPECTED = [(at * 1_000_000 + 10_000, 2000, f"app/{900 + at}", "app", 0) for at in range(5)]


class EventTests(Case):
    def test_texts(self) -> None:
        """A text that names an event is not the event: stacks, markers, comments."""
        noise = (
            "     app-900   [000] ..... {0}.010500: tracing_mark_write: B|900|wait for sched_switch: done\n"
            "     app-900   [000] d..5. {0}.010500: <stack trace>\n"
            " => trace_event_raw_event_sched_wakeup_template\n => sched_switch: nothing\n"
            "        ffffffff8110 sched_wakeup+0x5 ([kernel])\n\n"
        )
        lines = PLAIN.splitlines(keepends=True)
        text = "".join(lines[at] + noise.format(at // 2) if at % 2 == 0 else lines[at] for at in range(len(lines)))
        self.assertEqual(self.rows(self.read("a.txt", text)), EXPECTED)

    def test_period(self) -> None:
        """perf script prints a period, and may print no CPU."""
        perf = re.sub(r"  (\S+)-(\d+)  (\[\d+\]) d..2. (\S+) ", r"\1  \2/\2  \3 \4          1 sched:", PLAIN)
        self.assertIn("swapper/0  0/0  [000] 0.010000:          1 sched:sched_switch:", perf)
        self.assertEqual(self.rows(self.read("a.txt", perf)), EXPECTED)
        bare = perf.replace("[000] ", "")
        tasks = self.read("a.txt", bare)
        self.assertEqual((self.rows(tasks), tasks.cpus), (EXPECTED, 1))
        self.assertIn("no line names a CPU", tasks.account.doubts[0])

    def test_clocks(self) -> None:
        """Whole numbers are taken as nanoseconds, and it is said that they were."""
        ticks = re.sub(r"(\d+)\.(\d{6}):", r"\g<1>\g<2>000:", PLAIN)
        tasks = self.read("a.txt", ticks)
        self.assertEqual(self.rows(tasks), EXPECTED)
        self.assertIn("x86-tsc", tasks.account.doubts[0])
        self.assertEqual(self.read("a.txt", PLAIN).account.doubts, [])

    def test_waking(self) -> None:
        """sched_waking alone tells when a thread was woken; beside sched_wakeup it is not needed."""
        waking = FTRACE.replace("sched_wakeup:", "sched_waking:")
        self.assertEqual(self.rows(self.read("a.ftrace", waking)), self.rows(self.read("a.ftrace", FTRACE)))

    def test_lost(self) -> None:
        """Where events of a CPU were lost, what ran or waited there is left out, and a line says how many."""
        for lost in (
            "CPU:0 [LOST 12 EVENTS]\n",
            "CPU:0 [12 EVENTS DROPPED]\n",
            "perf 1 [000] 2.011000: PERF_RECORD_LOST lost 12\n",
        ):
            lines = PLAIN.splitlines(keepends=True)
            other = switch(IDLE, ("far", 50), "2.010500", cpu=1)
            ends = switch(("far", 50, "S"), ("swapper/1", 0), "2.012500", cpu=1)
            text = "".join([*lines[:5], other, lost, lines[5], ends, *lines[6:]])
            tasks = self.read("a.txt", text)
            far = (2_010_500, 2000, "far/50", "far", 0)
            self.assertEqual(self.rows(tasks), [*EXPECTED[:2], far, *EXPECTED[3:]], lost)
            (doubt,) = tasks.account.doubts
            self.assertIn("12 events were lost in 1 places; the 1 bursts", doubt)

    def test_longLines(self) -> None:
        """The longest lines there may be take no more time a character than short ones, whatever is in them."""
        often = {"PERF_RECORD_LOST": 3_000, "[1] ": 16_000, "[1] PERF_RECORD_LOST": 3_000}
        lines = ["x" + words * times for words, times in often.items()]
        lines.append("[1]" + " " * 60_000 + "PERF_RECORD_LOST")
        again = " prev_pid=1 prev_prio=1 prev_state=R ==> next_comm=x"
        switch = "bash-4 [001] 1.000001: sched_switch: prev_comm=" + again * 1_200
        began = time.process_time()
        for line in lines:
            self.assertRaises(TraceError, readFtrace, Path("x"), iter([(1, line)]))
        self.assertRaises(TraceError, readFtrace, Path("x"), iter([(1, switch)]))
        self.assertLess(time.process_time() - began, 0.5)

    def test_lostWaiting(self) -> None:
        """A thread that waited on that CPU, too; after it has slept it counts again."""
        wakes = "  x-1 [001] d.h. {}: sched_wakeup: comm=app pid=900 prio=120 target_cpu=000\n"
        text = wakes.format("0.001000") + "CPU:0 [LOST 1 EVENTS]\n" + PLAIN
        again = wakes.format("9.000000") + switch(IDLE, ("app", 900), "9.001000")
        again += switch(("app", 900, "S"), ("swapper/0", 0), "9.003000")
        found = self.rows(self.read("a.txt", text + again))
        self.assertEqual(found, [*EXPECTED[1:], (9_000_000, 2000, "app/900", "app", 0)])


class PartialTests(Case):
    """Jobs of the Standard Workload Format that were swapped out: one task each."""

    WHOLE = "1 100 0 60 1 -1 -1 1 120 -1 1 7 1 1 1 -1 -1 -1\n2 200 0 30 1 -1 -1 1 120 -1 1 7 1 1 1 -1 -1 -1\n"
    PARTS = (
        "1 100 0 20 1 -1 -1 1 120 -1 2 7 1 1 1 -1 -1 -1\n1 -1 10 40 1 -1 -1 1 120 -1 3 7 1 1 1 -1 -1 -1\n",
        "2 200 0 10 1 -1 -1 1 120 -1 2 7 1 1 1 -1 -1 -1\n2 -1 10 20 1 -1 -1 1 120 -1 4 7 1 1 1 -1 -1 -1\n",
    )

    def test_summary(self) -> None:
        expected = self.rows(self.read("a.swf", self.WHOLE))
        first, second = self.WHOLE.splitlines(keepends=True)
        for text in (
            first + self.PARTS[0] + second + self.PARTS[1],
            self.PARTS[0] + first + self.PARTS[1] + second,
            self.PARTS[0] + self.PARTS[1],
            first + self.PARTS[0] + self.PARTS[1],
        ):
            self.assertEqual(self.rows(self.read("a.swf", text)), expected, text)

    def test_forms(self) -> None:
        """More columns than there are, numbers with an exponent, comments behind."""
        text = "1 1e2 0 6e+01 1 -1 -1 1 120 -1 1 7 1 1 1 -1 -1 -1 99 x ; why\n\n; all\n"
        self.assertEqual(self.rows(self.read("a.swf", text)), [(100_000_000, 60_000_000, "7 1 1", "7", 120_000_000)])
        self.assertEqual(self.rows(self.read("a.SWF", text)), self.rows(self.read("a.swf", text)))
