"""C{kernelnet tokens}: join strings and tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from kernelnet.cli.common import Duration, ask, jsonOption, stateOption, when
from kernelnet.cli.completion import aiIds
from kernelnet.cli.tables import Column, printRows
from kernelnet.identity import IdentityError, checkAiId, checkOwner

__all__ = ["tokens"]


def _checked(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checkAiId(value)
    except IdentityError as e:
        raise click.BadParameter(str(e), context, parameter) from None


def _owner(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else checkOwner(value)
    except IdentityError as e:
        raise click.BadParameter(str(e), context, parameter) from None


roleOption = click.option(
    "--role",
    type=click.Choice(["trainer", "viewer"]),
    default="trainer",
    show_default=True,
    help="Whether it is for a trainer, or for a program that reads the status API.",
)


@click.group()
def tokens() -> None:
    """Issue, rotate, list and revoke what AIs prove themselves with."""


@tokens.command()
@click.argument("ai_id", callback=_checked)
@click.option("--token", "asToken", is_flag=True, help="Print an own token itself, such as for a version 1 client.")
@click.option("--expires", type=Duration(), help="How long it works [default: a join string 24h, a token for good].")
@click.option("--owner", callback=_owner, help="Whose AI_ID is: votes are counted by owner [default: as before].")
@roleOption
@stateOption
@jsonOption
def issue(
    *,
    ai_id: str,
    asToken: bool,
    expires: float | None,
    owner: str | None,
    role: str,
    state: Path | None,
    asJson: bool,
) -> None:
    """
    Print a join string by which AI_ID can enrol from another machine, once.

    With --role viewer: a token by which a program called AI_ID can read the status API, and nothing else.

    On the other machine: twistd kerneltrainer --id AI_ID --hub HOST:PORT --join-file FILE.  An earlier join string for
    it stops working; tokens that it has go on working.
    """
    command = "viewers issue" if role == "viewer" else "tokens issue" if asToken else "tokens invite"
    if owner is not None and role == "viewer":
        raise click.UsageError("--owner is for trainers: a viewer has no vote")
    found = ask(state, {"command": command, "ai_id": ai_id, "expires": expires, "owner": owner})
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(found["join" if command == "tokens invite" else "token"])


@tokens.command()
@click.argument("ai_id", callback=_checked, shell_complete=aiIds)
@click.option("--grace", type=Duration(), default="1h", show_default=True, help="How long the old token still works.")
@click.option("--expires", type=Duration(), help="How long the new token works [default: for good].")
@click.option("--token", "asToken", is_flag=True, help="Print the new token instead of sending it to the trainer.")
@stateOption
@jsonOption
def rotate(*, ai_id: str, grace: float, expires: float | None, asToken: bool, state: Path | None, asJson: bool) -> None:
    """
    Give AI_ID a new token, and end the old one after a grace period.

    A version 2 trainer gets it over its connection, or when it connects within the grace period.
    """
    request = {"command": "tokens rotate", "ai_id": ai_id, "grace": grace, "expires": expires, "token": asToken}
    found = ask(state, request)
    until = when(found["old_until"])
    if asJson:
        click.echo(json.dumps(found, indent=2))
    elif asToken:
        click.echo(found["token"])
    elif found["delivered"]:
        click.echo(f"{ai_id} was sent its new token; the old one works until {until} UTC")
    else:
        click.echo(f"{ai_id} is not connected: it gets its new token when it connects before {until} UTC")


@tokens.command()
@click.argument("ai_id", callback=_checked, shell_complete=aiIds)
@click.argument("name", required=False, callback=_owner)
@click.option("--none", "remove", is_flag=True, help="Take its owner away: it speaks for itself alone again.")
@stateOption
@jsonOption
def owner(*, ai_id: str, name: str | None, remove: bool, state: Path | None, asJson: bool) -> None:
    """
    Say that AI_ID belongs to the owner NAME, by whom its votes are counted.

    What it has said so far is counted anew.  All AIs of an owner have one vote together, and none on what one of them
    shared.
    """
    if (name is None) != remove:
        raise click.UsageError("give either the owner's NAME or --none")
    found = ask(state, {"command": "tokens owner", "ai_id": ai_id, "owner": name})
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{ai_id} belongs to {name}" if name is not None else f"{ai_id} has no owner: it counts alone")


@tokens.command("list")
@stateOption
@jsonOption
def list_(state: Path | None, asJson: bool) -> None:
    """List whose tokens there are; the tokens themselves are stored nowhere."""
    found = ask(state, {"command": "tokens list"})
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    columns = (
        Column("AI"),
        Column("owner"),
        Column("kind"),
        Column("made", leave=3),
        Column("expires", leave=1),
        Column("first used", leave=4),
        Column("revoked", leave=2),
        Column("fingerprint", leave=5),
    )
    rows = []
    now = time.time()
    for token in found:
        end = token["expires_at"]
        expires = when(end) + (" (over)" if end is not None and end <= now else "")
        made, used, revoked = (when(token[name]) for name in ("created_at", "used_at", "revoked_at"))
        times = made, expires, used, revoked
        rows.append((token["ai_id"], token["owner"] or "-", token["kind"], *times, token["fingerprint"]))
    printRows(columns, rows)


@tokens.command()
@click.argument("ai_id", shell_complete=aiIds)
@roleOption
@stateOption
@jsonOption
def revoke(ai_id: str, role: str, state: Path | None, asJson: bool) -> None:
    """Make AI_ID's tokens and join strings worthless, and cut its connection; or a viewer's tokens."""
    command = "viewers revoke" if role == "viewer" else "tokens revoke"
    found = ask(state, {"command": command, "ai_id": ai_id})
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"revoked the token of {ai_id}")
