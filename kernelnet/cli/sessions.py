"""C{kernelnet sessions}: what a hub's database tells of collaborations; and how their transcripts read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernelnet.cli.common import jsonOption, limitOption, reading, stateOption
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.hub.views import sessions as views
from kernelnet.untrusted import MAX_NOTE, plain

__all__ = ["completedRows", "completedTables", "sessions"]

Session = dict[str, Any]
Step = dict[str, Any]


@click.group(invoke_without_command=True)
@click.option("--show", "which", type=click.Choice(views.SESSION_STATES), help="Those in one state only.")
@limitOption
@stateOption
@jsonOption
@click.pass_context
def sessions(context: click.Context, which: str | None, limit: int, state: Path | None, asJson: bool) -> None:
    """List collaboration sessions, what changed last first; `show ID`: one in full, with its steps."""
    if context.invoked_subcommand is not None:
        return
    with reading(state) as reader:
        found = views.sessions(reader, which, limit)
        others = found or views.sessions(reader, None, 1)
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    if found:
        printRows(_COLUMNS, [*map(_row, found)])
    elif others:
        click.echo(f"none that is {which}; without --show all are listed")
    else:
        click.echo("none; two trainers that are connected begin one within seconds")


@sessions.command()
@click.argument("id_", metavar="ID")
@stateOption
@jsonOption
def show(id_: str, state: Path | None, asJson: bool) -> None:
    """Show one session: what was asked for and given, and its transcript; the beginning of its id is enough."""
    with reading(state) as reader:
        found = views.session(reader, id_)
    if len(found) != 1:
        wrong = "several sessions have ids that begin with" if found else "there is no session"
        raise click.ClickException(f"{wrong} {plain(id_, 64)!r}: `kernelnet sessions` lists them")
    (session,) = found
    if asJson:
        click.echo(json.dumps(session, indent=2))
        return
    _print(plainConsole(), session)


_COLUMNS = (
    Column("session"),
    Column("state"),
    Column("type", least=8, leave=2),
    Column("asks"),
    Column("partner"),
    Column("came to", leave=1),
    Column("changed", leave=3),
)


def _row(session: Session) -> tuple[str, ...]:
    partner = session["partner"] or (f"any of {len(session['invited'])}" if session["invited"] else "-")
    return (
        session["id"],
        session["state"],
        session["type"].replace("_", " "),
        session["initiator"],
        partner,
        plain(session["component"] or "-"),
        session["changed"][:19].replace("T", " "),
    )


def _print(console: Console, session: Session) -> None:
    partner = session["partner"] or f"any of {', '.join(session['invited'])}"
    title = f"{session['state']}: {session['type'].replace('_', ' ')}, {session['initiator']} with {partner}"
    console.print(Text(title, "bold"), soft_wrap=True)
    console.print(f"  {session['id']}, begun {session['created']}, changed {session['changed']}", soft_wrap=True)
    if session["description"]:
        console.print(f"  {session['initiator']} asks for: {plain(session['description'], 1000)}", soft_wrap=True)
    for line in _given(session["invitation"]):
        console.print(f"  {line}", soft_wrap=True)
    task = ""
    for number, step in enumerate(session["transcript"], 1):
        console.print(f"  {number}. {told(step, task)}", soft_wrap=True)
        task = step.get("task", task)
        for hint in step.get("hints", ()):
            console.print(f"     {_hintText(hint)}", soft_wrap=True)
    if session["component"]:
        console.print(f"  came to {plain(session['component'])}", soft_wrap=True)


def _given(invitation: dict[str, Any]) -> list[str]:
    """Lines on what the partner was told and given; all of it is the initiator's text."""
    told = invitation.get("requirements", {})
    lines = []
    for pattern in _list(told.get("patterns")):
        kind, confidence = plain(str(pattern.get("type")), 40), plain(str(pattern.get("confidence")), 40)
        data = plain(json.dumps(pattern.get("data"), ensure_ascii=False), 200)
        lines.append(f"pattern: {kind}, {confidence}, {data}")
    return lines + [f"gives: {_hintText(hint)}" for hint in _list(told.get("hints"))]


def _list(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)][:16] if isinstance(value, list) else []


def _hintText(hint: dict[str, Any]) -> str:
    by, bench = plain(str(hint.get("by")), 64), plain(str(hint.get("workbench")), 64)
    return f"{by}'s {plain(str(hint.get('component')), 10)} of {bench}: {plain(str(hint.get('expression')), 200)}"


def told(step: Step, task: str = "") -> str:
    """A step of a transcript in one line.  @param task: what the step before was about."""
    if step["what"] == "decline":
        return f"{step['by']} declined: {plain(step.get('note', ''))}"
    if step["what"] == "note":
        return f"{step['by']} writes: “{plain(step.get('note', ''), MAX_NOTE)}”"
    words = f"{step['by']}: {plain(step['what'])}" + (f" for {plain(step['objective'])}" if "objective" in step else "")
    if step.get("parents"):
        words += f" from {', '.join(digest[:10] for digest in step['parents'][:4])}"
    if step.get("hints"):
        givers = ", ".join(dict.fromkeys(plain(hint["by"], 64) for hint in step["hints"]))
        words += f" with {len(step['hints'])} of {givers}'s expressions"
    if step.get("component"):
        words += f" -> {plain(step['component'])}"
    if step.get("score") is not None or step.get("level") is not None:
        words += f", score {step['score']}" if step.get("score") is not None else ""
        words += f", {step['fuel']} fuel" if "fuel" in step else ""
        words += f", level {step['level']:.3f}" if isinstance(step.get("level"), float) else ""
        words += f", on {plain(step['task'])}" if step.get("task", task) != task else ""
    elif not step.get("component"):
        words += " -> nothing to measure" if step["what"] == "measure" else " -> nothing passed the guard"
    words += f", {plain(step['verdict'])}" if step.get("verdict") else ""
    words += f"; {plain(step['note'])}" if step.get("note") else ""
    return words + (f" ({step['seconds']} s)" if "seconds" in step else "")


# --- those that were completed ---------------------------------------------------------------------------------


def completedTables(found: Sequence[Session]) -> list[Table]:
    """
    One for each type: what came of it, level or fuel before and after as the transcript tells, and who did what.

    Not scores: each component's is measured on variants of the trace of its own.
    """
    tables = []
    for kind in sorted({session["type"] for session in found}):
        what, where = ("fuel", "validation") if kind == "performance_optimization" else ("level", "held-out")
        title = f"completed sessions: {kind.replace('_', ' ')} ({what} on {where}, as the transcripts tell)"
        table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("component", no_wrap=True)
        table.add_column("before", justify="right", no_wrap=True)
        table.add_column("after", justify="right", no_wrap=True)
        table.add_column("who did what")
        for session in sorted(found, key=lambda session: str(session["created"])):
            for row in _sent(session, what) if session["type"] == kind else ():
                table.add_row(*map(Text, row))
        tables.append(table)
    return tables


def completedRows(found: Sequence[Session]) -> list[tuple[str, str, str, str, str]]:
    """The same as rows: of what type, what came of it, before, after, and who did what."""
    rows = []
    for session in sorted(found, key=lambda session: (session["type"], str(session["created"]))):
        what = "fuel" if session["type"] == "performance_optimization" else "level"
        for component, before, after, did in _sent(session, what):
            kind = f"{session['type'].replace('_', ' ')}, {what}"
            rows.append((kind, component, before, after, did))
    return rows


def _sent(session: Session, what: str) -> Iterator[tuple[str, str, str, str]]:
    """A row for what the partner sent, and one for what the initiator added to it."""
    steps: Sequence[Step] = session["transcript"]
    asker, partner = session["initiator"], session["partner"]
    for by in (partner, asker):
        at = next((at for at, step in enumerate(steps) if step["what"] == "send" and step["by"] == by), None)
        if at is None:
            continue
        # Each tells its own steps, and they begin with what was there before, whosever that was.
        begins = max((i for i, step in enumerate(steps[:at]) if step["what"] == "start"), default=at)
        start, sent = steps[begins], steps[at]
        mine = [step for step in steps[begins:at] if step["by"] == by]
        did = f"{by} for {asker}" if by == partner else f"{by}, of it"
        did += f", on {plain(sent.get('task', ''), 100)}: {_work(mine)}"
        if start is not sent:
            whose = plain(start["component"]) if start.get("component") else plain(start.get("note", ""))
            did += f"; before: {whose}"
        hints = ", ".join(_hintText(hint) for hint in sent.get("hints", ()))
        did += f"; descends from {hints}" if hints else ""
        did += f"; {plain(sent['note'])}" if sent.get("note") else ""
        before = _number(start, what) if start is not sent else "?"
        yield plain(sent.get("component") or "-"), before, _number(sent, what), did


def _number(step: Step, what: str) -> str:
    value = step.get(what)
    return f"{value:.3f}" if isinstance(value, float) else str(value) if isinstance(value, int) else "?"


def _work(steps: Sequence[Step]) -> str:
    did = [f"{step['what']} {step.get('seconds', 0):.0f} s" for step in steps if step["what"] in ("build", "improve")]
    confirmed = sum(step["what"] == "measure" and step.get("verdict") == "confirmed" for step in steps)
    return f"{', '.join(did)}, {confirmed} confirmed"
