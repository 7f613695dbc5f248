"""C{kernelnet backup} and C{restore}: the hub's database, whether the hub runs or not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.common import directory, jsonOption, stateOption
from kernelnet.cli.progress import Tell, progress
from kernelnet.hub.admin import control_client
from kernelnet.hub.storage.blobs.examination import Blobs, counted
from kernelnet.hub.storage.blobs.files import FOLDER
from kernelnet.hub.storage.blobs.store import copyBlobs
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import Database, databaseAt, databaseOf, remembered
from kernelnet.hub.storage.sqlite.backup import contentOf, look
from kernelnet.identity import IdentityError, StateDirectory

__all__ = ["backup", "migrate", "restore"]

LONG = 86400.0
"""Seconds that a hub may take for a copy."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@stateOption
@jsonOption
def backup(file: Path, state: Path | None, asJson: bool) -> None:
    """Copy the hub's database to FILE, while the hub runs or not; FILE must not be there yet."""
    where, file = directory(state), file.absolute()
    made = _done("backup", where, file, asJson, lambda tell: databaseOf(where.path).backUp(file, tell))
    blobs = _blobs(where)
    if asJson:
        click.echo(json.dumps({**made, "blobs_left_out": blobs.count, "blob_bytes_left_out": blobs.size}, indent=2))
        return
    click.echo(f"{made['file']}: {made['bytes']} bytes, {made['events']} messages, checked")
    if blobs.count:
        how = "pg_dump copies them" if remembered(where.path) else f"copy the folder {where.path / FOLDER}"
        click.echo(
            f"it holds none of the {blobs.count} blobs, such as shared traces ({blobs.size:,} bytes): {how}, or let "
            "those who shared them do so again"
        )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@stateOption
@jsonOption
def restore(file: Path, state: Path | None, asJson: bool) -> None:
    """
    Go back to the backup FILE, while the hub runs or not.

    The log gets a new identity, so trainers that had read further learn anew; tokens stay those of today.
    """
    where, file = directory(state), file.absolute()
    made = _done("restore", where, file, asJson, lambda tell: _restoreOffline(where, file, tell))
    if asJson:
        click.echo(json.dumps(made, indent=2))
        return
    click.echo(f"restored {file} as log {made['log_id']}")
    if made["former"]:
        click.echo(f"what was there before is kept as {made['former']}")


@click.command()
@click.option("--from", "source", required=True, metavar="DATABASE", help="a hub's file, or postgresql://…")
@click.option("--to", "target", required=True, metavar="DATABASE", help="the same; nothing may be there yet")
@jsonOption
def migrate(source: str, target: str, asJson: bool) -> None:
    """
    Move a hub's database from an SQLite file to a PostgreSQL server, or back.

    No hub may run on it.  Log, tokens and positions stay what they are, so trainers go on; blobs are copied, too.  What
    was begun and not ended leaves nothing: begin anew.
    """
    try:
        with progress(asJson) as tell, tempfile.TemporaryDirectory(prefix="kernelnet-migrate-") as scratch:
            first, second = Path(scratch, "from.db"), Path(scratch, "to.db")
            old, new = databaseAt(source, Path(scratch)), databaseAt(target, Path(scratch))
            with _alone(source, old), _alone(target, new):
                made = old.backUp(first, tell)
                new.take(first, tell)
                new.backUp(second, tell)
                with old.blobs() as left, new.blobs() as right:
                    tell("copying blobs", 0, None)
                    blobs = copyBlobs(left, right)
            before, after = contentOf(first), contentOf(second)
        if differing := [table for table in before if before[table] != after.get(table)]:
            raise click.ClickException(f"{new} differs from {old} in {', '.join(differing)}: don't use it")
    except (DatabaseError, IdentityError) as e:
        raise click.ClickException(str(e)) from None
    rows = sum(count for count, _ in before.values())
    if asJson:
        click.echo(
            json.dumps(
                {"from": str(old), "to": str(new), "events": made["events"], "rows": rows, "blobs": blobs}, indent=2
            )
        )
        return
    click.echo(
        f"{old} -> {new}: {made['events']} messages, {rows} rows in {len(before)} tables, the same on both sides"
        + (f"; {blobs} blobs" if blobs else "")
    )


@contextmanager
def _alone(where: str, database: Database) -> Iterator[None]:
    """A time in which no hub runs on it: what that acknowledged meanwhile would be missing."""
    state = StateDirectory(Path(where).absolute().parent)
    with ExitStack() as stack:
        if "://" not in where and (state.path / control_client.LOCK).exists():
            stack.callback(state.unlock, state.lock(control_client.LOCK))
        stack.enter_context(database.alone())
        yield


def _blobs(state: StateDirectory) -> Blobs:
    try:
        with databaseOf(state.path).blobs() as store:
            return counted(store)
    except DatabaseError as e:
        raise click.ClickException(f"the backup is made; what else there is can't be counted: {e}") from None


def _done(
    command: str, state: StateDirectory, file: Path, quiet: bool, offline: Callable[[Tell], dict[str, Any]]
) -> Any:
    """By the hub that runs there, or by C{offline}."""
    try:
        with progress(quiet) as tell:
            try:
                return control_client.call(state, {"command": command, "file": str(file), "tell": True}, LONG, tell)
            except control_client.NoHub:
                return offline(tell)
    except (control_client.ControlError, DatabaseError, IdentityError) as e:
        raise click.ClickException(str(e)) from None


def _restoreOffline(state: StateDirectory, file: Path, tell: Tell) -> dict[str, Any]:
    look(file)  # a mistyped name must not leave the beginnings of a hub behind
    state.open()
    lock = state.lock(control_client.LOCK)
    try:
        return databaseOf(state.path).restore(file, tell)
    finally:
        state.unlock(lock)
