"""C{kernelnet mcp}: an AI agent as a trainer, by the Model Context Protocol."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from kernelnet.artifacts import SPECIALIZATIONS
from kernelnet.cli.common import directory
from kernelnet.identity import IdentityError, JoinString, checkAiId, readToken
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import PluginError, find
from kernelnet.trainer.connection.addresses import parseAddress

__all__ = ["mcp"]

_NEEDED = ("mcp", "wasmtime", "ziglang", "numpy")

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--local", is_flag=True, help="Without a hub: all but sharing works.")
@click.option("--id", "aiId", default="agent", show_default=True, help="The agent's ai_id.")
@click.option("--hub", "hubs", multiple=True, help="host:port of the hub [localhost:6000]; repeated: tried in turn.")
@click.option(
    "--specialization",
    type=click.Choice(SPECIALIZATIONS),
    default="general",
    show_default=True,
    help="What the agent works on.",
)
@click.option("--workbench", "workbenches", multiple=True, help="A workbench to work on; may be repeated.")
@click.option("--trace", "traces", multiple=True, type=_file, help="A trace instead of those that ship; repeatable.")
@click.option("--join-file", type=_file, default=None, help="File with a join string (mode 0600).")
@click.option("--token-file", type=_file, default=None, help="File with this id's token at the hub (mode 0600).")
@click.option("--ca", type=_file, default=None, help="Certificate of the CA that the hub's must come from.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="State directory [default: $XDG_DATA_HOME/kernelnet].",
)
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Serve HTTP on this port of loopback, with a token of its own, instead of standard input and output.",
)
@click.option("--skill", is_flag=True, help="Print the skill (SKILL.md) for clients that take one, and end.")
def mcp(  # noqa: PLR0917
    local: bool,
    aiId: str,
    hubs: tuple[str, ...],
    specialization: str,
    workbenches: tuple[str, ...],
    traces: tuple[Path, ...],
    join_file: Path | None,
    token_file: Path | None,
    ca: Path | None,
    state: Path | None,
    port: int | None,
    skill: bool,
) -> None:
    """Serve an AI agent (Claude Code, Codex, Cursor, …), which then is a trainer, by the Model Context Protocol."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{', '.join(missing)} missing: pip install 'kernelnet[mcp]'")
    from kernelnet.mcp.guidance import skillText
    from kernelnet.mcp.process import AgentProcess, AgentSettings

    if skill:
        click.echo(skillText(), nl=False)
        return
    if local and (hubs or join_file or token_file):
        raise click.UsageError("--local is without a hub: --hub, --join-file and --token-file make no sense with it")
    try:
        for name in workbenches:
            find(IWorkbench, name, "workbench")
        settings = AgentSettings(
            aiId=checkAiId(aiId),
            state=directory(state),
            hubs=() if local else tuple(parseAddress(hub) for hub in hubs or ("localhost:6000",)),
            specialization=specialization,
            workbenches=workbenches,
            traces=tuple(path.absolute() for path in traces),
            join=JoinString.parse(readToken(join_file, "join")) if join_file is not None else None,
            tokenFile=token_file,
            caFile=ca,
            port=port,
        )
        process = AgentProcess(settings)
    except (IdentityError, PluginError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(process.run())
