"""
All benchmarks of the hub, and ``RESULTS.rst`` with the machine, versions and ratios.

Sections of it that other benchmarks wrote stay.  What this machine lacks (mosquitto, nats-server, a C compiler) is
left out or said.
"""

from __future__ import annotations

from pathlib import Path

import accept
import connections
import fanout
import logsize
from harness import machine, parser, startable
from results import RESULTS, compose, sections


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--output", type=Path, default=RESULTS, help="where the tables go")
    chosen = options.parse_args()
    lines = [
        "Results",
        "=======",
        "",
        "Written by ``make bench``: medians, with the least and the most of all runs.",
        "",
    ]
    if chosen.quick:
        lines += ["A quick run: two runs of each.", ""]
    before = machine()
    tables = [table for part in (fanout, accept, connections, logsize) for table in part.measure(chosen.quick)]
    lines += [f":{name}: {value}" for name, value in [*before, ("Load at the end", dict(machine())["Load"])]]
    if "jetstream-synced" not in startable():
        lines += ["", "There is no nats-server ≥ 2.10 here, which is what ``sync_interval: always`` needs."]
    lines += ["", *(str(table) for table in tables)]
    chosen.output.write_text(compose("\n".join(lines), sections(chosen.output)), "utf-8")
    print(f"{chosen.output} is written")


if __name__ == "__main__":
    main()
