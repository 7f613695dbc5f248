"""C{kernelnet tokens}: join strings and tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from kernelnet.cli.common import Duration, ask, jsonOption, stateOption, when
from kernelnet.cli.completion import aiIds
from kernelnet.cli.tables import Column, printRows
from kernelnet.identity import IdentityError, checkAiId

__all__ = ["tokens"]


def _checked(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checkAiId(value)
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
@roleOption
@stateOption
@jsonOption
def issue(*, ai_id: str, asToken: bool, expires: float | None, role: str, state: Path | None, asJson: bool) -> None:
    """
    Print a join string by which AI_ID can enrol from another machine, once.

    With --role viewer: a token by which a program called AI_ID can read the status API, and nothing else.

    On the other machine: twistd kerneltrainer --id AI_ID --hub HOST:PORT --join-file FILE.  An earlier join string for
    it stops working; tokens that it has go on working.
    """
    command = "viewers issue" if role == "viewer" else "tokens issue" if asToken else "tokens invite"
    found = ask(state, {"command": command, "ai_id": ai_id, "expires": expires})
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
        rows.append((token["ai_id"], token["kind"], made, expires, used, revoked, token["fingerprint"]))
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
