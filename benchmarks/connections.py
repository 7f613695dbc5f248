"""
Connections: memory of an idle one, handshakes per CPU second with and without resumption, a reconnect storm.

An idle connection of kernelnet's is authenticated, has said hello, and got the knowledge base.
"""

from __future__ import annotations

from harness import Result, Table, figure, interleaved, load, parser, running, startable

CONNECTIONS = 1000


def idle(runs: int) -> Table:
    def run(name: str) -> Result:
        with running(name) as server:
            return load(server, "--subs", CONNECTIONS, "--pubs", 0, "--settle", 2, "--hold", 1)

    names = [name for name in startable() if name != "jetstream-synced"]
    table = Table(
        f"{CONNECTIONS:,} idle TLS connections; {runs} runs",
        ["server", "KB each", "CPU ms to connect one"],
        remarks=["Goal: at most 25 KB."],
    )
    for name, found in interleaved(names, runs, run).items():
        table.rows.append([name, figure(found, "kb_per_conn", 1), figure(found, "hub_ms_per_conn")])
    return table


def handshakes(count: int, runs: int) -> Table:
    def run(name: str) -> Result:
        server, _, how = name.partition(" ")
        with running(server) as started:
            return load(started, "--storm", count, "--storm-conc", 32, *(("--resume",) if how == "resumed" else ()))

    names = ["kernelnet full", "kernelnet resumed"]
    if "mosquitto" in startable():
        names += ["mosquitto full", "mosquitto resumed"]
    table = Table(
        f"TLS handshakes; {runs} runs",
        ["server", "CPU ms each", "per CPU second", "really resumed"],
        remarks=["ECDSA P-256, TLS 1.3.  NATS speaks before TLS, so this load generator does not storm it."],
    )
    for name, found in interleaved(names, runs, run).items():
        for result in found:
            result["per_cpu_s"] = 1000 / float(result["hub_ms_per_hs"])
        resumed = sum(result["resumed"] for result in found) / sum(result["handshakes"] for result in found)
        table.rows.append([name, figure(found, "hub_ms_per_hs", 3), figure(found, "per_cpu_s", 0), f"{resumed:.0%}"])
    return table


def storm(runs: int) -> Table:
    def run(name: str) -> Result:
        with running(name) as server:
            load(server, "--subs", CONNECTIONS, "--pubs", 0, "--settle", 0.5, "--hold", 0.1)
            # All of them have gone at once, and come back at once.
            return load(server, "--subs", CONNECTIONS, "--pubs", 0, "--settle", 0, "--hold", 0.1)

    names = [name for name in startable() if name != "jetstream-synced"]
    table = Table(
        f"Reconnect storm of {CONNECTIONS:,}; {runs} runs",
        ["server", "seconds until all are served", "CPU ms each"],
        remarks=["kernelnet: until each has been authenticated and has its first page of the knowledge base."],
    )
    for name, found in interleaved(names, runs, run).items():
        table.rows.append([name, figure(found, "ready_s"), figure(found, "hub_ms_per_conn")])
    return table


def measure(quick: bool) -> list[Table]:
    runs = 2 if quick else 5
    return [idle(runs), handshakes(1000 if quick else 3000, runs), storm(runs)]


if __name__ == "__main__":
    for table in measure(parser(__doc__).parse_args().quick):
        print(table)
