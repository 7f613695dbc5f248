"""C{kernelnet traces}: traces that peers may have."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import msgspec

from kernelnet.cli.arguments import incomplete
from kernelnet.cli.common import jsonOption
from kernelnet.cli.observations import trainerFolder
from kernelnet.cli.progress import progress
from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.trainer.storage.share_requests import ShareRequest, ShareRequests
from kernelnet.trainer.storage.spool import SpoolFull
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import TraceError

__all__ = ["traces"]

LOOK_EVERY = 0.2
"""Seconds between two looks at what became of it."""


@click.group()
def traces() -> None:
    """Traces that peers may have, to measure claims on them again."""


@traces.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "aiId", required=True, metavar="AI", help="The trainer of this user that offers it.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="State directory of the trainer [default: $XDG_DATA_HOME/kernelnet].",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86400),
    default=60.0,
    show_default=True,
    help="Seconds to wait until the hub has it; the trainer goes on with it after that.",
)
@jsonOption
def share(*, file: Path, aiId: str, state: Path | None, wait: float, asJson: bool) -> None:
    """
    Have a trainer of this user offer the trace FILE: whoever has a token for its hub can then read it.

    The trainer sends it while it is connected, and goes on after a restart of either side; one that doesn't run does so
    at its next start.
    """
    folder = trainerFolder(aiId, state, "--id")
    file = file.absolute()
    _checkTrace(file)
    requests = ShareRequests(folder)
    try:
        request = requests.put(ShareRequest(str(file)))
    except SpoolFull as error:
        raise click.ClickException(str(error)) from None
    except (OSError, UnicodeError) as error:
        raise click.ClickException(f"can't leave it for the trainer: {error}") from None
    runs = _runs(folder)
    until = time.monotonic() + (wait if runs else 0.0)
    with progress(asJson) as tell:
        tell(f"waiting for {aiId}", 0, None)
        while (outcome := requests.outcome(request)) is None and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
    if outcome is not None and not outcome.isShared:
        raise click.ClickException(f"{file.name} is not shared: {plain(outcome.words, 400)}")
    if asJson:
        told = msgspec.to_builtins(outcome) if outcome is not None else {"isShared": False, "words": ""}
        click.echo(json.dumps({"file": str(file), "ai_id": aiId, "runs": runs, **told}, indent=2))
    elif outcome is not None:
        click.echo(f"{aiId} shares {file.name}: {plain(outcome.words, 400)}")
    elif runs:
        click.echo(f"the hub has not got all of it yet: {aiId} goes on, and its log says when it is done")
    else:
        click.echo(f"{aiId} does not run now: it shares {file.name} when it does")


def _checkTrace(file: Path) -> None:
    """@raise click.ClickException: no workbench reads it."""
    names = []
    for bench in available(IWorkbench):
        if incomplete(bench):
            continue
        names.append(bench.name)
        try:
            bench.inspect(file)
        except TraceError:
            continue
        return
    raise click.ClickException(
        f"{file} is no trace: none of {', '.join(names)} reads it; kernelnet bench inspect says what is wrong"
    )


def _runs(folder: Path) -> bool:
    """Whether the trainer of a folder does."""
    state = StateDirectory(folder.parent.parent)
    try:
        state.unlock(state.lock(f"trainers/{folder.name}/lock"))
    except IdentityError:
        return True
    return False
