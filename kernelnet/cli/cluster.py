"""C{kernelnet cluster}: several hubs on one database, for their operator."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.common import directory, jsonOption, stateOption, when
from kernelnet.cli.tables import Column, printRows
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import operatedAt, remember, remembered
from kernelnet.hub.storage.operation import NodeRow, Operated, SharedIdentity
from kernelnet.identity import IdentityError, JoinString, StateDirectory, tokenHash, writeSecret
from kernelnet.identity.certificates import digestOf, makeHubCertificate, readCertificates
from kernelnet.untrusted import plain

__all__ = ["cluster"]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of each node besides those that the operator gives."""

_COLUMNS = (
    Column("node"),
    Column("state"),
    Column("address", least=8, leave=2),
    Column("since", leave=3),
    Column("version", leave=4),
    Column("AIs", right=True),
    Column("connections", right=True, leave=1),
    Column("messages/s", right=True, leave=1),
    Column("head", right=True, leave=1),
    Column("behind", right=True, leave=1),
)


@click.group()
def cluster() -> None:
    """Prepare, look at and drain several hubs (nodes) that share one PostgreSQL database."""


@contextmanager
def _oneLine() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, IdentityError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"can't use {error.filename}: {error.strerror}") from None


def _operated(database: str | None, state: StateDirectory) -> Operated:
    """The database that is given, or that a folder (the operator's, or a node's) remembers."""
    url = database or remembered(state.path)
    if url is None:
        raise click.ClickException(
            f"{state.path} knows of no database that hubs share: give --database postgresql://…, or the "
            "--state of kernelnet cluster init or of a node"
        )
    return operatedAt(url)


databaseOption = click.option(
    "--database", metavar="URL", help="postgresql://… [default: the one that --state remembers]."
)


@cluster.command()
@click.option("--database", required=True, metavar="URL", help="postgresql://…, without a password.")
@stateOption
@jsonOption
def init(database: str, state: Path | None, asJson: bool) -> None:
    """
    Make the operator's CA and the join token, and prepare the database for nodes.

    Both stay in --state, which no node needs: the database gets the CA's certificate and the token's hash alone.
    Doing it again changes nothing.
    """
    where = directory(state)
    with _oneLine():
        operated = operatedAt(database)
        where.open()
        if where.isNode:
            raise click.ClickException(
                f"{where.path} is a node's: its CA's key is elsewhere; give the operator's --state"
            )
        where.prepareHub([], datetime.now(UTC), certificate=False)
        token = where.readJoinToken()
        operated.establish(SharedIdentity(tokenHash(token), where.caCertificate.read_text("utf-8")))
        remember(where.path, database)
        join = str(JoinString(digestOf(readCertificates(where.caCertificate, "a CA file")[0]), token))
    if asJson:
        click.echo(json.dumps({"database": str(operated), "state": str(where.path), "join": join}, indent=2))
        return
    click.echo(f"{operated} is ready for nodes; their CA is in {where.path}: keep its ca.key here, and a copy safe")
    click.echo(f"trainers join by (a secret): {join}")
    click.echo("next, for each node: kernelnet cluster add-node NAME --host NAME.OR.ADDRESS")


@cluster.command("add-node")
@click.argument("name")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A name or address that trainers reach it by, a balancer's too; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="The new folder [default: NAME, here].",
)
@stateOption
@jsonOption
def addNode(name: str, hosts: tuple[str, ...], out: Path | None, state: Path | None, asJson: bool) -> None:
    """
    Sign a certificate for the node NAME, and write the folder that it starts from.

    In the folder are the node's certificate and key, and the CA's certificate; neither the CA's key nor the join
    token.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise click.ClickException(f"a node's name is up to 64 letters, digits and ._-, not {plain(name, 80)!r}")
    where, folder = directory(state), StateDirectory(out or Path(name))
    with _oneLine():
        url = remembered(where.path)
        if url is None or not where.caKey.exists():
            raise click.ClickException(
                f"{where.path} has no CA for nodes: give the --state of kernelnet cluster init, or do that first"
            )
        if folder.path.exists():
            raise click.ClickException(f"{folder.path} is there already: give another --out")
        folder.open()
        try:
            makeHubCertificate(folder.hub, where.ca, [*LOOPBACK, *hosts], datetime.now(UTC))
            writeSecret(folder.caCertificate, where.caCertificate.read_bytes())
            remember(folder.path, url)
        except BaseException:
            for file in folder.path.iterdir():
                file.unlink()
            folder.path.rmdir()
            raise
    command = f"twistd kernelhub --database '{url}' --node {name} --state FOLDER"
    if asJson:
        click.echo(json.dumps({"node": name, "folder": str(folder.path), "start": command}, indent=2))
        return
    click.echo(f"{folder.path} has all that {name} needs, and a secret (hub.key): copy it there, mode 0700, and start")
    click.echo(f"  {command}")


@cluster.command()
@databaseOption
@stateOption
@jsonOption
def status(database: str | None, state: Path | None, asJson: bool) -> None:
    """Show all nodes, as the database knows them; it works while nodes are away."""
    with _oneLine():
        operated = _operated(database, directory(state))
        found = operated.nodes()
    if asJson:
        click.echo(json.dumps([_presented(one) for one in found], indent=2))
        return
    if not found:
        click.echo(f"no node has used {operated} yet")
        return
    rows = []
    for one in found:
        said = one.account
        rows.append(
            (
                one.name,
                one.state,
                plain(one.address, 80),
                when(one.started),
                plain(one.version, 20),
                str(one.ais),
                str(said.connections) if said and one.alive else "-",
                f"{said.messages_per_second:g}" if said and one.alive else "-",
                str(said.log.position) if said else "-",
                str(said.behind) if said and one.alive else "-",
            )
        )
    printRows(_COLUMNS, rows, f"nodes on {operated}")


@cluster.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="Have it take AIs again.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    help="Seconds to wait until all have left.",
)
@databaseOption
@stateOption
def drain(name: str, undo: bool, wait: float, database: str | None, state: Path | None) -> None:
    """
    Have the node NAME send its AIs to others, and take nobody.

    What they sent is committed and acknowledged before.  It stays so, also over a restart, until --undo.
    """
    with _oneLine():
        operated = _operated(database, directory(state))
        alive = operated.drain(name, not undo)
        if undo:
            click.echo(f"{name} takes AIs again" if alive else f"{name} will take AIs when it runs again")
            return
        if not alive:
            click.echo(f"{name} does not run; it will take nobody when it does")
            return
        until = time.monotonic() + wait
        while (left := sum(one.ais for one in operated.nodes() if one.name == name)) and time.monotonic() < until:
            time.sleep(0.2)
    if left:
        raise click.ClickException(f"{name} is told, and {left} AIs are still there after {wait:g} s")
    click.echo(f"{name} has no AIs any more, and takes nobody: stop it, or kernelnet cluster drain {name} --undo")


def _presented(one: NodeRow) -> dict[str, Any]:
    said = one.account
    told: dict[str, Any] = {}
    if said is not None:
        told = {"connections": said.connections, "messages_per_second": said.messages_per_second}
        told |= {"head": said.log.position, "behind": said.behind}
    return {
        "node": one.name,
        "alive": one.alive,
        "draining": one.draining,
        "address": one.address,
        "lease_until": one.leaseUntil,
        "started": one.started,
        "version": one.version,
        "ais": one.ais,
        **told,
    }
