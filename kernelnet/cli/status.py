"""C{kernelnet status}: who is connected to a running hub, and what it holds."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from kernelnet.cli.common import ask, jsonOption, stateOption
from kernelnet.cli.tables import Column, fitted, heading, plainConsole
from kernelnet.untrusted import plain

__all__ = ["status"]

_COLUMNS = (
    Column("AI"),
    Column("specialization", least=8, leave=1),
    Column("protocol", leave=2),
    Column("since", leave=3),
)
_NODE = Column("node", leave=4)
_NODES = (
    Column("node"),
    Column("state"),
    Column("AIs", right=True),
    Column("connections", right=True, leave=2),
    Column("messages/s", right=True, leave=1),
    Column("log position", right=True, leave=3),
    Column("behind", right=True, leave=1),
    Column("version", leave=4),
)


@click.command()
@stateOption
@jsonOption
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
def status(state: Path | None, asJson: bool, watch: bool) -> None:
    """Show who is connected to a running hub, and what it holds."""
    found = ask(state, {"command": "status"})
    if asJson:
        click.echo(json.dumps(found, indent=2, sort_keys=True))
        return
    console = plainConsole()
    if watch and not console.is_terminal:
        raise click.UsageError("--watch needs a terminal: without one, call it again and again")
    if not watch:
        console.print(_drawn(found, console))
        return
    with Live(_drawn(found, console), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(1.0)
            live.update(_drawn(ask(state, {"command": "status"}), console), refresh=True)


def _drawn(found: dict[str, Any], console: Console) -> Group:
    several = len(found.get("nodes", ())) > 1
    rows = [
        (
            aiId,
            plain(ai["specialization"]),
            "-" if ai["protocol"] is None else str(ai["protocol"]),
            ai["since"],
            *([plain(ai["node"], 64)] if several else []),
        )
        for aiId, ai in sorted(found["ais"].items())
    ]
    columns = (*_COLUMNS, _NODE) if several else _COLUMNS
    title = f"hub at port {found['port']}, log position {found['log']['position']}"
    lines = [
        f"{what}: " + (", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none")
        for what, counts in (
            ("stored", found["stored"]),
            ("sessions", found["sessions"]),
            ("messages", found["messages"]),
            ("limits", found.get("limits", {})),
        )
    ]
    blobs = found.get("blobs", {"count": 0, "bytes": 0})  # of a hub of an earlier version
    told = f"{blobs['count']}, {blobs['bytes']:,} bytes" if blobs is not None else "what keeps them says nothing"
    lines.insert(1, f"blobs: {told}")
    parts: list[Any] = [heading(title), fitted(columns, rows, console.width), *map(Text, lines)]
    if several:
        total = found["total"]
        if len(rows) < total["ais"]:
            parts.insert(2, Text(f"and {total['ais'] - len(rows)} more"))
        parts += [
            heading(
                f"{total['nodes']} of {len(found['nodes'])} nodes are there: {total['ais']} AIs, "
                f"{total['connections']} connections, {total['messages_per_second']:g} messages/s"
            ),
            fitted(_NODES, [_node(one) for one in found["nodes"]], console.width),
        ]
    return Group(*parts)


def _node(one: dict[str, Any]) -> tuple[str, ...]:
    keys = ("ais", "connections", "messages_per_second", "position", "behind")
    numbers = ("-" if one[key] is None else f"{one[key]:,}" for key in keys)
    return plain(one["node"], 64), one["state"], *numbers, plain(one["version"], 20)
