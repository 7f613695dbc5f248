"""C{kernelnet report}: what a hub's AIs have come to, as a screen and as a Markdown page with pictures."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from kernelnet.cli.common import directory, jsonOption
from kernelnet.cli.hub_data import hubData
from kernelnet.cli.outcome_table import printDetails, printOutcome
from kernelnet.cli.outcomes import Outcome, outcomes
from kernelnet.cli.pictures import hasMatplotlib
from kernelnet.cli.progress import progress
from kernelnet.cli.report_page import reportPage
from kernelnet.cli.report_pictures import reportPictures
from kernelnet.cli.tables import plainConsole

__all__ = ["report", "writeReport"]

_SHOWN = {
    "levels": "each task between reference and optimum: best hand-made policy, best learned one, its interval",
    "progress": "the best confirmed level of each task over time",
}


@click.command()
@click.argument("source", required=False)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page; its pictures stand beside it [default: report.md in the state directory, or here].",
)
@click.option(
    "--trace",
    "traces",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A trace that components were made for and that doesn't ship; may be repeated.",
)
@click.option("--as-told", is_flag=True, help="Measure nothing here: believe two confirmers of hand-made policies.")
@click.option(
    "--token-file",
    type=click.File("r"),
    help="A viewer's token, where SOURCE is an address [default: $KERNELNET_TOKEN].",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The hub's certificate authority, where SOURCE is an https address.",
)
@click.option("--details", is_flag=True, help="Print every component and collaboration, too.")
@jsonOption
def report(
    *,
    source: str | None,
    out: Path | None,
    traces: Sequence[Path],
    as_told: bool,
    token_file: Any,
    ca: Path | None,
    details: bool,
    asJson: bool,
) -> None:
    """
    Write a report.md, with pictures, of what the AIs of a hub have come to.

    SOURCE is a state directory, whether its hub runs or not, or the address of a hub's dashboard [default: this user's
    hub].
    """
    if out is not None and not asJson:
        _checkWritable(out)
    token = os.environ.get("KERNELNET_TOKEN", "") if token_file is None else token_file.read(4096).strip()
    with hubData(source, token, ca) as data, progress(asJson) as tell:
        found = outcomes(
            data,
            traces=[trace.absolute() for trace in traces],
            measure=not as_told,
            tell=lambda done, total: tell("measuring", done, total),
        )
        completed = data.completed()
    if asJson:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    console = plainConsole()
    printOutcome(console, found)
    if details:
        printDetails(console, found, completed)
    isStored = not data.name.startswith(("http://", "https://"))
    path = out or (directory(Path(source) if source else None).path if isStored else Path()) / "report.md"
    written = writeReport(path, found, completed, source=f"the hub {data.name}")
    console.print(f"written: {', '.join(map(str, written))}", soft_wrap=True)
    if not hasMatplotlib():
        console.print("without pictures: pip install 'kernelnet[plot]' brings matplotlib", soft_wrap=True)


def _checkWritable(path: Path) -> None:
    """
    Before minutes of measuring; nothing is made or changed.

    @raise click.ClickException: it can't be written.
    """
    if not path.parent.is_dir():
        raise click.ClickException(f"can't write {path}: {path.parent} is no folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.ClickException(f"can't write {path}: {os.strerror(errno.EACCES)}")


def writeReport(
    path: Path,
    found: Sequence[Outcome],
    completed: Sequence[dict[str, Any]],
    *,
    source: str,
    first: float | None = None,
) -> list[Path]:
    """
    Write the page, and its pictures beside it if matplotlib is here.

    @param first: see `kernelnet.cli.verdict.verdict`.
    @return: what was written.
    @raise click.ClickException: it can't be written.
    """
    pictures = reportPictures(found) if hasMatplotlib() else {}
    names = {_SHOWN[what]: f"{path.stem}-{what}.svg" for what in pictures}
    made = f"made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by kernelnet report"
    page = reportPage(found, completed, source=source, made=made, first=first, pictures=names)
    written = [path]
    try:
        path.write_text(page, encoding="utf-8")
        for name, data in zip(names.values(), pictures.values(), strict=True):
            written.append(path.with_name(name))
            written[-1].write_bytes(data)
    except OSError as error:
        raise click.ClickException(f"can't write {written[-1]}: {error.strerror}") from None
    return written
