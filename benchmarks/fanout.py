"""
Durable fan-out: one publisher, N subscribers, beside mosquitto (QoS 1, persistence) and JetStream (file storage).

Closed loop with a window of 256 messages: the server's CPU seconds for a million deliveries.  At a fixed rate: the
same, and how long acks take.  A message is one for kernelnet and JetStream only when it is stored and acknowledged;
JetStream's subscribers are plain NATS ones, which cost it less than consumers would.
"""

from __future__ import annotations

from harness import Result, Table, figure, interleaved, load, middle, parser, running, startable

WINDOW = 256
GOALS = {"jetstream": 1.8, "jetstream-synced": 15.0, "mosquitto": 22.0}
"""Deliveries per CPU second against each, at N = 100."""


def closedLoop(subscribers: int, deliveries: int, runs: int) -> Table:
    def run(name: str) -> Result:
        # mosquitto needs so much longer that a third must do
        messages = max(deliveries // subscribers // (3 if name == "mosquitto" else 1), 2 * WINDOW)
        with running(name) as server:
            return load(
                server,
                *("--subs", subscribers, "--pubs", 1, "--window", WINDOW, "--ack"),
                *("--msgs", messages, "--warmup", max(messages // 5, WINDOW)),
            )

    results = interleaved(startable(), runs, run)
    table = Table(
        f"Fan-out to {subscribers}, window {WINDOW}; {runs} runs",
        ["server", "CPU-s / M deliveries", "deliveries/s", "kernelnet is better by", "goal"],
    )
    ours = middle(results["kernelnet"], "hub_cpu_s_per_M")
    for name, found in results.items():
        ratio = f"{middle(found, 'hub_cpu_s_per_M') / ours:.2f} ×" if name != "kernelnet" else ""
        goal = f"{GOALS[name]:g} ×" if subscribers == 100 and name in GOALS else ""
        table.rows.append([name, figure(found, "hub_cpu_s_per_M"), figure(found, "deliv_s", 0), ratio, goal])
    return table


def fixedRate(subscribers: int, rate: int, seconds: float, runs: int, goal: str) -> Table:
    def run(name: str) -> Result:
        with running(name) as server:
            return load(
                server,
                *("--subs", subscribers, "--pubs", 1, "--mode", "open", "--rate", rate, "--ack"),
                *("--msgs", int(rate * seconds), "--warmup", rate),
                seconds=60,
            )

    # at 100,000 deliveries a second mosquitto falls behind for good
    names = [name for name in startable() if name != "mosquitto" or subscribers * rate < 50_000]
    results = interleaved(names, runs, run)
    table = Table(
        f"Fan-out to {subscribers} at {rate:,} messages/s; {runs} runs",
        ["server", "CPU µs / delivery", "ack p50, ms", "ack p99, ms", "delivery p99, ms"],
    )
    for name, found in results.items():
        keys = ("ack_p50_ms", "ack_p99_ms", "lat_p99_ms")
        table.rows.append([name, figure(found, "hub_cpu_s_per_M"), *(figure(found, key, 1) for key in keys)])
    table.remarks.append(f"Goal: {goal}.")
    return table


def measure(quick: bool) -> list[Table]:
    runs = 2 if quick else 5
    deliveries = 200_000 if quick else 500_000
    return [
        *(closedLoop(n, deliveries if n > 10 else deliveries // 4, runs) for n in (10, 100, 500)),
        fixedRate(100, 1000, 2 if quick else 5, runs, "at most 3.5 µs a delivery, ack p99 at most 10 ms"),
        fixedRate(100, 100, 3 if quick else 6, runs, "ack p50 at most two fsyncs of the machine"),
    ]


if __name__ == "__main__":
    for table in measure(parser(__doc__).parse_args().quick):
        print(table)
