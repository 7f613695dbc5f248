"""C{kernelnet bench inspect}: how trace files are read: what is taken for what, left out, or doubtful."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernelnet.cli.arguments import Mistake, findWorkbench, incomplete
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import workbenchNames
from kernelnet.cli.progress import progress
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import TraceError

__all__ = ["inspect"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--workbench",
    "only",
    default=None,
    shell_complete=workbenchNames,
    help="For which workbench it is read [default: for each that can].",
)
@jsonOption
def inspect(*, files: tuple[Path, ...], only: str | None, asJson: bool) -> None:
    """Show how trace files are read: format, columns, what was counted, left out or is doubtful, and the first rows."""
    benches = [findWorkbench(only)] if only else [b for b in available(IWorkbench) if not incomplete(b)]
    for path in files:
        if not path.is_file():
            raise Mistake(f"{path}: {'not a file' if path.exists() else 'No such file'}; it should be a trace file")
    found: list[dict[str, Any]] = []
    unread: list[str] = []
    console = Console(highlight=False)
    for path in files:
        accounts, refused = _accounts(path, benches, quiet=asJson)
        for name, account in accounts.items():
            found.append(_asJson(path, name, account))
            if not asJson:
                _show(console, path, name, account)
        if not accounts:
            unread.append(plain(path.name))
            found.append({"file": plain(str(path), 1000), "refused": refused})
            if not asJson:
                console.print(Text(f"{plain(str(path), 1000)}: no workbench reads it", "bold"), soft_wrap=True)
                for name, reason in refused.items():
                    console.print(Text(f"  {name}: {reason}"), soft_wrap=True)
    if asJson:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    if unread:
        raise click.ClickException(f"no workbench reads {', '.join(unread)}")


def _accounts(path: Path, benches: list[IWorkbench], *, quiet: bool) -> tuple[dict[str, Account], dict[str, str]]:
    """By workbench: the account of one that reads the file, and why others don't."""
    accounts, refused = {}, {}
    with progress(quiet) as tell:
        for bench in benches:
            tell(f"reading {path.name} for {bench.name}", 0, None)
            try:
                accounts[bench.name] = bench.inspect(path)
            except TraceError as error:
                where = f"line {error.line}: " if error.line is not None else ""
                refused[bench.name] = plain(f"{where}{error.wrong}; {error.right}", 1000)
    return accounts, refused


def _asJson(path: Path, workbench: str, account: Account) -> dict[str, Any]:
    return {
        "file": plain(str(path), 1000),
        "workbench": workbench,
        "format": account.format,
        "columns": {plain(name, 100): meaning for name, meaning in account.columns.items()},
        "figures": {name: value if isinstance(value, int) else plain(value) for name, value in account.figures.items()},
        "skipped": dict(account.skipped),
        "doubts": [plain(doubt, 1000) for doubt in account.doubts],
        "first": [{"row": plain(row, 200), "understood": plain(what, 200)} for row, what in account.first],
    }


def _show(console: Console, path: Path, workbench: str, account: Account) -> None:
    told = _asJson(path, workbench, account)
    console.print(Text(f"{told['file']}: for {workbench}", "bold"), soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("format", Text(told["format"] or "the workbench does not say"))
    for name, value in told["figures"].items():
        table.add_row(name, Text(f"{value:,}".replace(",", " ") if isinstance(value, int) else value))
    for reason, count in told["skipped"].items():
        table.add_row("left out", Text(f"{count} {reason}"))
    for doubt in told["doubts"]:
        table.add_row(Text("doubt", "bold yellow"), Text(doubt))
    console.print(table)
    if told["columns"]:
        _print(console, ("column", "taken for"), list(told["columns"].items()))
    if told["first"]:
        _print(console, ("first rows", "understood as"), [(each["row"], each["understood"]) for each in told["first"]])


def _print(console: Console, names: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
