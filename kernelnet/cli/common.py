"""Parts that the commands have in common: which hub is meant, how it is asked, and spans of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from kernelnet.duration import parseDuration
from kernelnet.hub.admin import control_client
from kernelnet.hub.storage.errors import DatabaseError, DatabaseTooNew
from kernelnet.hub.storage.offline import databaseOf, isOperators
from kernelnet.hub.storage.transaction import Reader
from kernelnet.identity import IdentityError, StateDirectory, defaultState
from kernelnet.untrusted import plain

__all__ = [
    "Duration",
    "ask",
    "cut",
    "directory",
    "jsonOption",
    "limitOption",
    "noneOf",
    "reading",
    "stateOption",
    "when",
]

_OF_NODES = {
    "status": "kernelnet cluster status shows all nodes; or give the --state of one",
    "dashboard": "give the --state of a node",
    "certs show": "give the --state of a node",
    "certs renew": "kernelnet cluster add-node NAME --host … --out FOLDER signs a node's certificate",
}
"""Commands about a hub, and what the operator of several does instead."""

F = TypeVar("F", bound=Callable[..., Any])


def jsonOption(function: F) -> F:
    """``--json``, which every command that prints data takes; as C{asJson}."""
    decorated: F = click.option("--json", "asJson", is_flag=True, help="Print JSON.")(function)
    return decorated


def limitOption(function: F) -> F:
    """``--limit``, which commands take that list what may be much."""
    decorated: F = click.option(
        "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many."
    )(function)
    return decorated


def stateOption(function: F) -> F:
    """``--state DIR``, which every command that concerns a hub takes."""
    decorated: F = click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="State directory of the hub [default: $XDG_DATA_HOME/kernelnet].",
    )(function)
    return decorated


def directory(state: Path | None) -> StateDirectory:
    return StateDirectory(state or defaultState())


def ask(state: Path | None, request: dict[str, Any]) -> Any:
    """
    Ask the hub of a state directory, or, where that makes sense while none runs, its database.

    @raise click.ClickException: it can't be done; one line.
    """
    where = directory(state)
    try:
        try:
            return control_client.call(where, request)
        except control_client.NoHub:
            _refuseOperators(where, request["command"])
            if request["command"] in ("status", "dashboard"):
                raise
            return control_client.offline(where, request)
    except (IdentityError, control_client.ControlError) as e:
        raise click.ClickException(str(e)) from None


def _refuseOperators(where: StateDirectory, command: str) -> None:
    """@raise click.ClickException: no hub runs there by its nature, and the command is about one."""
    advice = _OF_NODES.get(command)
    if advice is not None and isOperators(where):
        raise click.ClickException(f"{where.path} is that of the nodes' operator, and no hub runs in it: {advice}")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """C{30d}, C{12h}, C{15m} on the command line; seconds in the program."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parseDuration(value)
        except ValueError as e:
            self.fail(str(e), param, ctx)


def when(seconds: float | None) -> str:
    """Unix seconds for a table; C{-} for never."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def cut(text: str, limit: int) -> str:
    """A stranger's words for a table, in one line; where some are left out one sees that."""
    return plain(text) if len(text) <= min(limit, 80) else plain(text, min(limit, 80) - 1) + "…"


def noneOf(what: str, wanted: str, names: Sequence[str]) -> str:
    """The words where a filter left nothing of what is there; C{names}: what it could have been."""
    shown = [cut(name, 40) for name in names[:20]] + (["…"] if len(names) > 20 else [])
    return f"none of {what} {plain(wanted, 64)!r}; there are: {', '.join(shown)}"


def writeNew(path: Path, data: bytes) -> None:
    """
    Write a new file.

    @raise click.ClickException: it is there already, or can't be written.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already: give another --out") from None
    except OSError as error:
        raise click.ClickException(f"can't write {path}: {error.strerror}") from None


@contextmanager
def reading(state: Path | None) -> Iterator[Reader]:
    """
    Reader of the hub's database, whether the hub runs or not.

    @raise click.ClickException: there is none, it can't be read, or it is of a newer kernelnet, whose tables may mean
        something else.
    """
    path = directory(state).path
    try:
        database = databaseOf(path)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from None
    if not database.exists():
        raise click.ClickException(f"no hub has ever run in {path}: give its --state")
    try:
        with database.reading() as reader:
            yield reader
    except DatabaseTooNew as error:
        raise click.ClickException(str(error)) from None
    except (DatabaseError, msgspec.MsgspecError) as error:
        raise click.ClickException(f"can't read {database}: {error}; kernelnet doctor checks it") from None
