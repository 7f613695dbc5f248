"""C{kernelnet certs}: the hub's certificate, and client certificates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.common import ask, directory, jsonOption, reading, stateOption, writeNew
from kernelnet.hub.auth.certificates import offlineClient
from kernelnet.hub.auth.signing import revokedList
from kernelnet.identity import IdentityError, StateDirectory, checkAiId
from kernelnet.identity.signing import Certifier

__all__ = ["certs"]


@click.group()
def certs() -> None:
    """Show and renew the hub's certificate; make client certificates; list revoked signing certificates."""


@certs.command()
@stateOption
@jsonOption
def show(state: Path | None, asJson: bool) -> None:
    """Show whom the hub's certificate is for, and how long it is good."""
    _print(ask(state, {"command": "certs show"}), asJson)


@certs.command()
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A further name or address; may be repeated.")
@stateOption
@jsonOption
def renew(hosts: tuple[str, ...], state: Path | None, asJson: bool) -> None:
    """
    Make the hub's certificate anew; a running hub uses it at once and keeps its connections.

    It is for the names that the old one had, and for each --host.  A hub with --cert reads its files again.
    """
    _print(ask(state, {"command": "certs renew", "hosts": list(hosts)}), asJson)


@certs.command()
@click.argument("ai_id")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The new file: certificate and key, for --client-cert.",
)
@stateOption
@jsonOption
def client(ai_id: str, out: Path, state: Path | None, asJson: bool) -> None:
    """Make a client certificate for AI_ID, for a hub with --require-client-cert."""
    _refuseNode(directory(state))
    try:
        found = offlineClient(directory(state), checkAiId(ai_id), out, datetime.now(UTC))
    except IdentityError as e:
        raise click.ClickException(str(e)) from None
    if asJson:
        click.echo(json.dumps({"file": str(out), **found}, indent=2))
        return
    click.echo(f"{out}: {found['subject']}, good until {found['expires']}")


@certs.command()
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file, for kernelnet verify."
)
@stateOption
@jsonOption
def revoked(out: Path, state: Path | None, asJson: bool) -> None:
    """
    Write the list of those certificates that the hub gave for signing verdicts and has revoked since.

    A hub may run meanwhile.  Give it to who checks verdicts, and a new one at least once a month.
    """
    _refuseNode(directory(state))
    with reading(state) as reader:
        serials = [one.serial for one in reader.certificates.revoked()]
        try:
            found = revokedList(reader, Certifier(directory(state).ca), datetime.now(UTC))
        except IdentityError as e:
            raise click.ClickException(str(e)) from None
    writeNew(out, found)
    if asJson:
        click.echo(json.dumps({"file": str(out), "revoked": serials}, indent=2))
        return
    click.echo(f"{out}: {len(serials)} revoked certificate{'s' * (len(serials) != 1)}")


def _refuseNode(where: StateDirectory) -> None:
    """@raise click.ClickException: it is a node's, which can sign nothing."""
    if where.isNode:
        raise click.ClickException(
            f"{where.path} is a node's, and the CA's key is kept elsewhere: give the --state of kernelnet cluster init"
        )


def _print(found: dict[str, Any], asJson: bool) -> None:
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    lines = (
        ("subject", found["subject"]),
        ("issuer", found["issuer"]),
        ("from", found["source"]),
        ("names", ", ".join(found["names"]) or "none"),
        ("expires", f"{found['expires']} ({found['days_left']} days left)"),
        ("fingerprint", f"SHA-256 {found['fingerprint']}"),
        ("CA digest", f"SHA-256 {found['ca_digest']}" if found["ca_digest"] else "not known: start the hub with --ca"),
    )
    for name, value in lines:
        click.echo(f"{name + ':':<13}{value}")
