"""
Accepting: messages that are stored and acknowledged, with 1, 10 and 100 publishers × 16 in flight.

Nobody gets them meanwhile: with kernelnet they are for an AI that is away, with mosquitto (QoS 1, persistence) for a
persistent session that is away, with JetStream (file storage) for no consumer.  Only kernelnet and
``jetstream-synced`` have a message on the disk when they acknowledge it.
"""

from __future__ import annotations

from harness import AWAY, Result, Table, figure, interleaved, load, middle, parser, running, startable

IN_FLIGHT = 16
GOALS = {"jetstream": "at least 0.6 ×", "jetstream-synced": "at least 12 ×"}


def accepting(publishers: int, messages: int, runs: int) -> Table:
    def run(name: str) -> Result:
        with running(name) as server:
            return load(
                server,
                *("--subs", 0, "--pubs", publishers, "--window", IN_FLIGHT, "--no-fanout", "--ack"),
                *("--msgs", messages, "--warmup", messages // 10),
                *(("--target", AWAY) if name == "kernelnet" else ()),
            )

    results = interleaved(startable(), runs, run)
    table = Table(
        f"Accepting from {publishers} × {IN_FLIGHT} in flight; {runs} runs",
        ["server", "acks/s", "CPU µs / message", "ack p50, ms", "ack p99, ms", "kernelnet, acks/s", "goal"],
    )
    ours = middle(results["kernelnet"], "acks_s")
    for name, found in results.items():
        ratio = f"{ours / middle(found, 'acks_s'):.2f} ×" if name != "kernelnet" else ""
        goal = GOALS.get(name, "") if publishers == 100 else ""
        figures = [figure(found, "acks_s", 0), figure(found, "hub_cpu_s_per_M", 1)]
        table.rows.append([name, *figures, figure(found, "ack_p50_ms"), figure(found, "ack_p99_ms"), ratio, goal])
    return table


def measure(quick: bool) -> list[Table]:
    runs = 2 if quick else 5
    scale = 1 if quick else 2
    return [accepting(n, messages * scale, runs) for n, messages in ((1, 2_000), (10, 10_000), (100, 30_000))]


if __name__ == "__main__":
    for table in measure(parser(__doc__).parse_args().quick):
        print(table)
