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
    rows = [
        (aiId, plain(ai["specialization"]), str(ai["protocol"]), ai["since"])
        for aiId, ai in sorted(found["ais"].items())
    ]
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
    lines.insert(1, f"blobs: {blobs['count']}, {blobs['bytes']:,} bytes")
    return Group(heading(title), fitted(_COLUMNS, rows, console.width), *map(Text, lines))
