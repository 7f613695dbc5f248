"""
The commands.

Exit codes: 0 done; 1 it failed, with one line on stderr; 2 the command line is wrong; 3 a search found nothing that
passes the guard; 130 Ctrl-C.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.attestations import verify
from kernelnet.cli.bench import bench
from kernelnet.cli.certs import certs
from kernelnet.cli.cluster import cluster
from kernelnet.cli.common import ask, jsonOption, stateOption
from kernelnet.cli.components import components
from kernelnet.cli.deploy import deploy
from kernelnet.cli.doctor import doctor
from kernelnet.cli.exporters import exporters
from kernelnet.cli.generators import generators
from kernelnet.cli.language_models import llm
from kernelnet.cli.listings import ais, leaderboard, patterns
from kernelnet.cli.mcp import mcp
from kernelnet.cli.recommend import recommend
from kernelnet.cli.record import record
from kernelnet.cli.report import report
from kernelnet.cli.sessions import sessions
from kernelnet.cli.status import status
from kernelnet.cli.storage import backup, migrate, restore
from kernelnet.cli.tokens import tokens
from kernelnet.cli.traces import traces
from kernelnet.cli.workbenches import workbenches
from kernelnet.interrupt import INTERRUPTED, asUsual

__all__ = ["main"]


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Of a file that has a name it is told where that is written; what comes here without one is standard output."""


class _Commands(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()  # here, where one can still say that it failed
        except OSError as error:
            if error.filename is not None or error.errno not in (errno.EPIPE, *_FULL):
                raise
            # What is left of it would fail once more when the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
            if error.errno != errno.EPIPE:  # a reader that has seen enough is told nothing
                click.echo(f"Error: can't write to standard output: {error.strerror}", err=True)
            raise SystemExit(1) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            asUsual()
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Click itself would say "Aborted!", and end with 1 as if something had failed.
            click.echo("stopped", err=True)
            raise SystemExit(INTERRUPTED) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("kernelnet"), prog_name="kernelnet")
def main() -> None:
    """Trainers that build parts of an operating system together, and believe no claim unmeasured."""


@main.command()
@click.option(
    "--minutes",
    type=click.FloatRange(0.2, 1440),
    default=None,
    help="How long to train [default: 2, and until each field has a confirmed component, 5 at most].",
)
@click.option(
    "--trace",
    "traces",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A trace to learn from instead of those that ship; may be repeated.",
)
@click.option("--trainers", type=click.IntRange(1, 32), default=3, show_default=True, help="How many trainers.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Keep database, logs and report in this folder [default: a new temporary one].",
)
@click.option("--details", is_flag=True, help="Print every component and collaboration, too.")
@click.option("--agent", is_flag=True, help="Have an agent by script among them, which uses kernelnet mcp.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 4),
    default=1,
    show_default=True,
    help="How many hubs; several share a PostgreSQL server that is started for them, and one is killed in the middle.",
)
def demo(  # noqa: PLR0917
    minutes: float | None,
    traces: tuple[Path, ...],
    trainers: int,
    keep: Path | None,
    details: bool,
    agent: bool,
    nodes: int,
) -> None:
    """Run a hub and trainers on this machine, over TLS, and show what they find."""
    from kernelnet.cli.demo import Demo, DemoError

    try:
        code = Demo(minutes, [t.absolute() for t in traces], trainers, keep, details, agent=agent, nodes=nodes).run()
    except DemoError as e:
        raise click.ClickException(str(e)) from None
    raise SystemExit(code)


@main.command()
@stateOption
@jsonOption
def dashboard(state: Path | None, asJson: bool) -> None:
    """Print an address that signs one browser in to a running hub's dashboard, once, within ten minutes."""
    found = ask(state, {"command": "dashboard"})
    click.echo(json.dumps(found, indent=2) if asJson else found["url"])


main.add_command(status)
main.add_command(generators)
main.add_command(llm)
main.add_command(workbenches)
main.add_command(exporters)
main.add_command(bench)
main.add_command(record)
main.add_command(components)
main.add_command(verify)
main.add_command(deploy)
main.add_command(mcp)
main.add_command(ais)
main.add_command(patterns)
main.add_command(sessions)
main.add_command(leaderboard)
main.add_command(report)
main.add_command(recommend)
main.add_command(traces)
main.add_command(backup)
main.add_command(restore)
main.add_command(migrate)
main.add_command(doctor)
main.add_command(tokens)
main.add_command(certs)
main.add_command(cluster)
