"""C{kernelnet components}: what a hub's AIs have shared, what others found of it, and where it comes from."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path

import click
import msgspec
from rich.text import Text
from rich.tree import Tree

from kernelnet.artifacts import MAX_HYPOTHESIS, Component, Report
from kernelnet.cli.attestations import bundleOf, writeBundle
from kernelnet.cli.blob_sources import withSource
from kernelnet.cli.common import cut, directory, jsonOption, noneOf, reading, stateOption, writeNew
from kernelnet.cli.completion import aiIds, componentIds, exporterNames, workbenchNames
from kernelnet.cli.exporters import exportComponent, exportFile
from kernelnet.cli.observations import showObservations
from kernelnet.cli.policy_table import settingsText
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.components import (
    SORTS,
    STATES,
    Ancestor,
    Entry,
    Unclear,
    byOwner,
    describe,
    describeWhole,
    entries,
    entryOf,
    lineage,
    observationsOf,
    workbenchesOf,
)
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.words import taskInWords

__all__ = ["components"]


@click.group()
def components() -> None:
    """List, show and export the components that AIs have shared, whether the hub runs or not."""


@components.command("list")
@click.option("--workbench", shell_complete=workbenchNames, help="Those of one workbench only.")
@click.option("--author", shell_complete=aiIds, help="Those of one AI only.")
@click.option("--verdict", type=click.Choice(list(STATES)), help="Those of which others found this only.")
@click.option(
    "--sort", type=click.Choice(list(SORTS)), default="level", show_default=True, help="The first stand first."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@stateOption
@jsonOption
def listing(
    *,
    workbench: str | None,
    author: str | None,
    verdict: str | None,
    sort: str,
    limit: int,
    state: Path | None,
    asJson: bool,
) -> None:
    """List components: confirmed ones first, by level; a level that nobody has confirmed is marked as claimed."""
    with reading(state) as reader:
        found = entries(reader, workbench=workbench, author=author, state=verdict, sort=sort, limit=limit)
        there = [] if found else workbenchesOf(reader)
        authors = [] if found or author is None else sorted(ai.aiId for ai in reader.ais.all())
    if asJson:
        click.echo(json.dumps([describe(entry) for entry in found], indent=2))
        return
    if not found:
        if workbench is not None and there and workbench not in there:
            click.echo(noneOf("workbench", workbench, there))
        elif author is not None and there and author not in authors:
            click.echo(noneOf("author", author, authors))
        elif (verdict is not None or author is not None) and there:
            of = f" of workbench {workbench}" if workbench is not None else ""
            of += f" of {author}" if author is not None else ""
            click.echo(f"none{of} is {verdict}; without --verdict all are listed" if verdict else f"none{of}")
        else:
            click.echo("none; trainers share what passes their guard")
        return
    columns = (
        Column("component"),
        Column("author", leave=1),
        Column("workbench", least=8, leave=3),
        Column("trained on", least=12, leave=2),
        Column("level", right=True),
        Column("others"),
    )
    rows = []
    for entry in found:
        cells = (
            plain(entry.component.id),
            entry.author,
            plain(entry.component.manifest.workbench if entry.component.manifest else "-"),
            _trainedOn(entry),
            _shortLevel(entry),
            _shortly(entry),
        )
        # what is merely claimed stands back
        rows.append([Text(cell, "" if entry.isConfirmed and not entry.olderRules else "dim") for cell in cells])
    printRows(columns, rows)
    click.echo("level: as others measured it, or claimed; others: how many measured it again, + confirmed, - refuted")


@components.command()
@click.argument("component", shell_complete=componentIds)
@stateOption
@jsonOption
def show(component: str, state: Path | None, asJson: bool) -> None:
    """Show one COMPONENT (its id, or 6 or more first digits of its digest): claim, verdicts, lineage, source."""
    with reading(state) as reader:
        entry = _find(reader, component)
        ancestors = lineage(reader, entry)
        observations = observationsOf(reader, entry)
    if asJson:
        whole = {**describeWhole(entry, ancestors), "observations": observations}
        click.echo(json.dumps(whole, indent=2))
        return
    console = plainConsole()
    console.print(Text(plain(entry.component.id), "bold"), Text(f"of {entry.author}, {_verdict(entry)}"))
    for label, value in _facts(entry):
        console.print(Text(f"  {label:<12}", "dim").append(plain(value, MAX_HYPOTHESIS), "not dim"), soft_wrap=True)
    report = entry.report
    if report is not None:
        columns = (
            Column("trace", least=12),
            Column("split"),
            *(Column(title, right=True) for title in ("events", "score", "fuel")),
            Column("more", least=8, leave=1),
        )
        rows = [
            (
                *(plain(part.trace, 60), plain(split), str(score.events), str(score.score), str(score.fuel)),
                plain(", ".join(f"{name} {value}" for name, value in score.metrics.items())),
            )
            for part in [*report.parts, report]
            for split, score in part.splits.items()
        ]
        printRows(columns, rows)
    tree = Tree(Text(f"{plain(entry.component.id)}  {_level(entry)}"))
    _grow(tree, ancestors)
    console.print(tree)
    showObservations(observations)
    console.print(f"its C source: kernelnet components export {entry.digest[:12]}", soft_wrap=True)


@components.command()
@click.argument("component", shell_complete=componentIds)
@click.option(
    "--for", "target", shell_complete=exporterNames, help="Make of it what this runs; see kernelnet exporters."
)
@click.option("--attest", is_flag=True, help="Write it with its signed verdicts, for kernelnet verify; needs --out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write to this new file [default: stdout]; with --for to this new folder.",
)
@stateOption
def export(*, component: str, target: str | None, attest: bool, out: Path | None, state: Path | None) -> None:
    """
    Write a COMPONENT's C source with its manifest as a comment, or with --for what a real system runs.

    It is a stranger's program: `kernelnet bench run` compiles it in a jail, and runs it in the sandbox.  What --for
    makes is a translation of the module that was measured, which stays in its bounds; COMPONENT may be a C file then.

    With --attest the file holds the component, the verdicts that trainers have signed, and the hub's list of revoked
    certificates: kernelnet verify checks it anywhere.
    """
    if attest and (out is None or target is not None):
        raise click.UsageError("--attest writes one file, and goes without --for: give its name by --out")
    if target is not None and out is None:
        raise click.UsageError("--for writes a folder: give its name by --out")
    if target is not None and out is not None and Path(component).is_file():
        exportFile(target, Path(component), out)
        return
    if target is None and Path(component).is_file():
        raise click.UsageError(
            f"{component} is a file, which only --for makes something of: kernelnet exporters lists for what"
        )
    with reading(state) as reader:
        entry = withSource(_find(reader, component), state)
        bundle = bundleOf(reader, entry, directory(state)) if attest else None
    if bundle is not None and out is not None:
        writeBundle(bundle, out)
        return
    if target is not None and out is not None:
        exportComponent(target, entry.component, entry.digest, out)
        return
    text = exported(entry)
    if out is None and sys.stdout.isatty():
        click.echo("\n".join(plain(line, 1 << 20) for line in text.expandtabs(4).split("\n")), nl=False)
        return
    # The very bytes that it was compiled of, whatever the terminal's encoding.
    data = text.encode("utf-8", errors="surrogatepass")
    if out is None:
        sys.stdout.buffer.write(data)
        return
    writeNew(out, data)


@components.command()
@click.argument("component", shell_complete=componentIds)
@click.argument("other", required=False, shell_complete=componentIds)
@stateOption
@jsonOption
def diff(component: str, other: str | None, state: Path | None, asJson: bool) -> None:
    """Show what a COMPONENT's source changed from OTHER's [default: from its first parent that is here]."""
    with reading(state) as reader:
        mine = _find(reader, component)
        parents = [ancestor.entry for ancestor in lineage(reader, mine, 1) if ancestor.entry is not None]
        theirs = _find(reader, other) if other is not None else next(iter(parents), None)
    if theirs is None:
        raise click.ClickException(f"{component} names no parent that is here: name another component")
    theirs, mine = withSource(theirs, state), withSource(mine, state)
    before, after = (f"{e.component.implementation}{_elsewhere(e.component)}".splitlines() for e in (theirs, mine))
    names = (plain(theirs.component.id), plain(mine.component.id))
    changed = difflib.unified_diff(before, after, *names, lineterm="")
    if asJson:
        found = {"from": theirs.digest, "to": mine.digest, "diff": list(changed)}
        click.echo(json.dumps(found, indent=2))
        return
    console = plainConsole()
    for line in changed:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(plain(line.expandtabs(4), 1 << 20), style), soft_wrap=True)


def exported(entry: Entry) -> str:
    """The C file: a comment with the manifest, as people and as programs read it, then the source as it was shared."""
    component = entry.component
    lines = [f"{plain(component.id)} of {entry.author}, {_verdict(entry)}", ""]
    lines += [f"{label:<12}{plain(value, 1000)}" for label, value in _facts(entry)]
    report = entry.report
    for part in [*report.parts, report] if report is not None else []:
        settings = " ".join(f"--set {name}={value}" for name, value in part.settings.items())
        lines += ["", f"claimed on {plain(part.trace)}, sha256 {part.trace_digest}, {settings}:"]
        for split, score in part.splits.items():
            lines.append(f"    {plain(split):<12}score {score.score} of {score.events} events, {score.fuel} fuel")
    manifest = msgspec.json.encode(component.manifest).decode("utf-8") if component.manifest is not None else "{}"
    # In JSON a slash may be escaped: so nothing in it ends the comment.
    lines += ["", "manifest: " + manifest.replace("/", "\\/")]
    comment = "".join(f" * {line.replace('*/', '* /')}".rstrip(" \\") + "\n" for line in lines)
    return f"/*\n{comment} */\n{component.implementation}{_elsewhere(component)}"


def _elsewhere(component: Component) -> str:
    """Comment on where the source is that is no part of a component."""
    if not component.source_size or component.implementation or component.manifest is None:
        return ""
    digest = component.manifest.source_sha256
    return f"/* its source, {component.source_size} bytes, is the blob {digest}, which the hub has not got */\n"


def _find(reader: Reader, name: str) -> Entry:
    try:
        entry = entryOf(reader, name)
    except Unclear as error:
        raise click.ClickException(str(error)) from None
    if entry is None:
        raise click.ClickException(f"no component {name!r}: kernelnet components list shows those there are")
    return entry


def _facts(entry: Entry) -> list[tuple[str, str]]:
    component, manifest, report = entry.component, entry.component.manifest, entry.report
    hypothesis = manifest.hypothesis if manifest is not None else ""
    what = component.description if component.description != hypothesis else ""
    facts = [("digest", entry.digest), ("shared", entry.timestamp), ("what", what or component.title)]
    if hypothesis:
        facts.append(("hypothesis", f"“{hypothesis}”, in its author's words"))
    if manifest is not None:
        parameters = ", ".join(f"{value:g}" for value in manifest.parameters)
        facts += [
            ("workbench", manifest.workbench),
            ("ABI", manifest.abi),
            ("compiler", manifest.compiler),
            ("generator", f"{manifest.generator}, seed {manifest.seed}" + (f", {parameters}" if parameters else "")),
        ]
        if (origin := manifest.provenance) is not None:
            usd = "cost unknown" if origin.usd is None else f"${origin.usd:.4f}"
            told = f"{origin.model}, as its author says: {origin.tokens} tokens, {usd}; {origin.calls} calls by then"
            facts.append(("written by", told + ("" if origin.spent_usd is None else f", ${origin.spent_usd:.4f}")))
    if report is not None:
        parts = report.parts or [report]
        facts += [("kind", entry.kind or "-"), *(("trained on", _task(part)) for part in parts)]
        facts += [("engine", report.engine), ("claim", _level(entry))]
    for verdict in dict.fromkeys(entry.verdicts.values()):
        ais = [aiId for aiId, its in entry.verdicts.items() if its is verdict]
        facts += [(verdict.value, voice) for voice in byOwner(ais, entry.owners)]
    return facts


def _trainedOn(entry: Entry) -> str:
    manifest, report = entry.component.manifest, entry.report
    if manifest is None or report is None:
        return "-"
    bench = next((bench for bench in available(IWorkbench) if bench.name == manifest.workbench), None)
    return cut(taskInWords(bench, report.trace, report.settings), 80)


def _task(report: Report) -> str:
    return f"{report.trace}, {settingsText(report.settings)}" if report.settings else report.trace


def _level(entry: Entry) -> str:
    if entry.level is None:
        return "no level claimed"
    return f"level {entry.level:.4f}" + ("" if entry.isConfirmed else ", as claimed")


def _shortLevel(entry: Entry) -> str:
    if entry.level is None:
        return "-"
    older = " (older rules)" if entry.olderRules else ""
    return (f"{entry.level:.3f}" if entry.isConfirmed else f"claimed {entry.level:.3f}") + older


def _verdict(entry: Entry) -> str:
    words = [f"confirmed by {entry.confirmed}"] if entry.confirmed else []
    words += [f"refuted by {entry.refuted}"] if entry.refuted else []
    return ", ".join(words) or "unmeasured"


def _shortly(entry: Entry) -> str:
    words = [f"+{entry.confirmed}"] if entry.confirmed else []
    return " ".join(words + ([f"-{entry.refuted}"] if entry.refuted else [])) or "unmeasured"


def _grow(tree: Tree, ancestors: list[Ancestor]) -> None:
    for ancestor in ancestors:
        gain = f"  the step from it gained {ancestor.gain:+.4f}" if ancestor.gain is not None else ""
        entry = ancestor.entry
        name = (
            f"{ancestor.digest[:12]} (not here)" if entry is None else f"{plain(entry.component.id)}  {_level(entry)}"
        )
        branch = tree.add(Text(name + gain))
        if entry is not None and entry.component.manifest is not None and entry.component.manifest.hypothesis:
            branch.label = Text.assemble(name + gain, f"\n“{plain(entry.component.manifest.hypothesis, 200)}”")
        _grow(branch, ancestor.parents)
