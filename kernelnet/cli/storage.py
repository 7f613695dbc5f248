"""C{kernelnet backup} and C{restore}: the hub's database, whether the hub runs or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.common import directory, stateOption
from kernelnet.hub import backup as copies
from kernelnet.hub import control
from kernelnet.hub.database import DatabaseError
from kernelnet.identity import IdentityError, StateDirectory

__all__ = ["backup", "restore"]

LONG = 86400.0
"""Seconds that a hub may take for a copy."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@stateOption
def backup(file: Path, state: Path | None) -> None:
    """Copy the hub's database to FILE, while the hub runs or not; FILE must not be there yet."""
    where, file = directory(state), file.absolute()
    try:
        try:
            made = control.call(where, {"command": "backup", "file": str(file)}, LONG)
        except control.NoHub:
            made = copies.backUp(where.database, file)
    except (control.ControlError, DatabaseError, IdentityError) as e:
        raise click.ClickException(str(e)) from None
    click.echo(f"{made['file']}: {made['bytes']} bytes, {made['events']} messages, checked")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@stateOption
def restore(file: Path, state: Path | None) -> None:
    """
    Go back to the backup FILE, while the hub runs or not.

    The log gets a new identity, so trainers that had read further learn anew; tokens stay those of today.
    """
    where, file = directory(state), file.absolute()
    try:
        try:
            made = control.call(where, {"command": "restore", "file": str(file)}, LONG)
        except control.NoHub:
            made = _restoreOffline(where, file)
    except (control.ControlError, DatabaseError, IdentityError) as e:
        raise click.ClickException(str(e)) from None
    click.echo(f"restored {file} as log {made['log_id']}")
    if made["former"]:
        click.echo(f"what was there before is kept as {made['former']}")


def _restoreOffline(state: StateDirectory, file: Path) -> dict[str, Any]:
    state.open()
    lock = state.lock(control.LOCK)
    try:
        with copies.prepared(state, file) as scratch:
            former = copies.putInPlace(scratch, state)
        return {"log_id": copies.examine(state.database)["log_id"], "former": str(former) if former else None}
    finally:
        os.close(lock)
