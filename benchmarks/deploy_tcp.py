"""
A learned congestion control in the Linux kernel, beside the kernel's own and exported hand-made ones, on three links.

C{bench train} searches on other links than those that are measured.  Each policy has one connection over the same
seconds of the same link, in turns, with the kernel's own TCP at both ends; the score is the bench's, of what the link
saw.  Beside each stands the bench's own number for these seconds.  Runs in which the link itself came late are made
again once; what then still was late is told.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness import Table, machine
from results import publish

from kernelnet.deploy.bpf_tcp.link import Link, Passage, built, lost
from kernelnet.deploy.bpf_tcp.measurement import Bench, deployed
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench

KERNELS = ("reno", "cubic", "bbr")
GOAL_RENO = 5.0
"""Per cent by which exported Reno may differ from Linux's."""

GOAL_LINKS = 2
"""Of three links: on so many the learned one is to be better than each of the kernel's own."""

OTHERS = Path(__file__).resolve().parents[2] / "shared" / "traces" / "network_stack"


@dataclass
class Measured:
    """@ivar simulated: by the bench; C{None}: it has none of it."""

    name: str
    simulated: float | None
    passages: list[Passage] = field(default_factory=list)

    def scores(self, base: int) -> list[float]:
        return [lost(passage.seconds, base) for passage in self.passages]


def learned(links: list[Path], seconds: int, out: Path) -> bytes:
    """What a search on these links gives."""
    traces = [each for path in links for each in ("--trace", str(path))]
    command = ["bench", "train", "network_stack", *traces, "--seed", "1", "--seconds", str(seconds), "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "kernelnet", *command], check=False)
    if done.returncode:
        sys.exit(f"the search ended with exit code {done.returncode}")
    return compileC(out.read_text("utf-8"), workbench.headerPath, trusted=True)


@dataclass
class OnLink:
    """@ivar reno: per cent from Linux's Reno to the exported one; C{gain}: from the kernel's best to the learned."""

    table: Table
    reno: float
    gain: float


def onLink(bench: Bench, modules: dict[str, bytes], names: dict[str, str], program: Path, runs: int) -> OnLink:
    """One link; @param names: by which the kernel has each module."""
    base = bench.settings["rtt_ms"]
    link = Link(program, bench.link, base, bench.settings["queue_packets"])
    rows = {name: Measured(f"Linux {name}", bench.simulated(workbench.baselineModule(name))) for name in KERNELS}
    rows |= {names[name]: Measured(f"exported {name}", bench.simulated(wasm)) for name, wasm in modules.items()}
    late = 0
    for _ in range(runs):
        for control, row in rows.items():
            passage = link.run(control)
            if passage.spoiled():
                passage = link.run(control)
            late += passage.spoiled() is not None
            row.passages.append(passage)
            score = lost(passage.seconds, base)
            why = passage.spoiled() or "counts"
            print(f"{bench.name} {row.name}: {score:.0f}, {passage.shareLate:.2%} late; {why}", flush=True)
    table = Table(
        f"{bench.name}: {bench.seconds} s of held-out, RTT {base} ms, queue of {link.queue}; {runs} runs",
        ["policy", "millibits lost a second", "simulated", "difference", "utilisation", "mean RTT, ms"],
    )
    for row in rows.values():
        scores = row.scores(base)
        median = statistics.median(scores)
        seconds = [second for passage in row.passages for second in passage.seconds[1:]]
        taken = sum(each.taken for each in seconds)
        simulated = row.simulated or 0.0
        table.rows.append(
            [
                row.name,
                f"{median:,.0f} ({min(scores):,.0f}–{max(scores):,.0f})",
                f"{simulated:,.0f}",
                f"{100 * (median - simulated) / simulated:+.1f} %" if simulated else "",
                f"{100 * taken / sum(each.offered for each in seconds):.1f} %",
                f"{sum(each.delay for each in seconds) / max(1, taken):.1f}",
            ]
        )
    medians = {row.name: statistics.median(row.scores(base)) for row in rows.values()}
    difference = 100 * (medians["exported reno"] / medians["Linux reno"] - 1)
    rival = min(KERNELS, key=lambda name: medians[f"Linux {name}"])
    gain = 100 * (medians["exported learned"] / medians[f"Linux {rival}"] - 1)
    table.remarks.append(
        f"Exported Reno beside Linux's: {difference:+.1f} %; learned beside {rival}, the best of the kernel's own here:"
        f" {gain:+.1f} %. Runs in which the link was late twice: {late} of {runs * len(rows)}."
    )
    print(table, flush=True)
    return OnLink(table, difference, gain)


def main() -> None:
    parser = argparse.ArgumentParser(description="Congestion controls in the kernel; needs root.")
    parser.add_argument("--traces", type=Path, default=OTHERS, help="a folder of mahimahi traces, besides our own")
    parser.add_argument("--train", nargs="*", default=["household", "ATT-LTE-driving.up", "Verizon-LTE-short.up"])
    parser.add_argument("--links", nargs="*", default=["tunnel", "ATT-LTE-driving.down", "Verizon-LTE-short.down"])
    parser.add_argument("--seconds", type=int, default=60, help="for the search")
    parser.add_argument("--span", type=int, default=30, help="seconds of a link that each runs")
    parser.add_argument("--runs", type=int, default=5, help="of each policy")
    parser.add_argument(
        "--at-once", type=int, default=1, help="links that run at the same time, each in namespaces of its own"
    )
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    options = parser.parse_args()
    traces = [*workbench.traces(), *(sorted(options.traces.iterdir()) if options.traces.is_dir() else [])]
    paths = {path.name.removesuffix(path.suffix): path for path in traces}
    if lacking := [name for name in (*options.train, *options.links) if name not in paths]:
        sys.exit(f"there is no link {lacking[0]}; there are {', '.join(sorted(paths))}")
    with tempfile.TemporaryDirectory(prefix="kernelnet-bench-") as folder, built() as program:
        modules = {name: workbench.baselineModule(name) for name in ("reno", "copa")}
        modules["learned"] = learned(
            [paths[name] for name in options.train], options.seconds, Path(folder, "learned.c")
        )
        print(Path(folder, "learned.c").read_text("utf-8"), flush=True)
        with deployed(workbench, list(modules.values())) as own:
            names = dict(zip(modules, own, strict=True))
            benches = [Bench(workbench, paths[name], {}, options.span) for name in options.links]
            with ThreadPoolExecutor(options.at_once) as pool:
                found = list(pool.map(lambda bench: onLink(bench, modules, names, program, options.runs), benches))
    better = sum(each.gain < 0 for each in found)
    near = sum(abs(each.reno) <= GOAL_RENO for each in found)
    heading = "A learned congestion control in the Linux kernel"
    facts = {**dict(machine()), "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    said = ", ".join(f"{facts[name]}" for name in ("Date", "CPU", "System") if name in facts)
    reached = {True: "reached", False: "missed"}
    about = f"""\
Exported Reno within {GOAL_RENO:.0f} % of Linux's: on {near} of {len(found)} links ({reached[near == len(found)]}).
Learned better than each of the kernel's own, on links that it was not trained on: on {better} of {len(found)};
the goal is {GOAL_LINKS} ({reached[better >= GOAL_LINKS]}).

``deploy_tcp.py --publish``, {said}, load {facts.get("Load", "?")},
{options.at_once} at a time of the links. Trained for {options.seconds} s on
{", ".join(options.train)}. Medians, with the least and the most of all runs; the first second, in which a
connection begins, isn't counted, nor is it in the simulator.
"""
    text = "\n".join([heading, "-" * len(heading), "", about, *(str(each.table) for each in found)])
    print(text)
    if options.publish:
        publish("deploy_tcp", text)


if __name__ == "__main__":
    main()
