"""
C{kernelnet doctor}: whether this machine has what hub and trainers need, and whether the hub's files are sound.

Each check is a function that yields findings: C{good}, C{bad} (something will not work; exit code 1) or C{note} (it
works, but less well, or isn't there yet), each bad one and each note with what to do.
"""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from kernelnet.cli.common import directory, jsonOption, stateOption
from kernelnet.cli.progress import Tell, progress
from kernelnet.hub.admin import control_client
from kernelnet.hub.auth import certificates
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.blobs import examination
from kernelnet.hub.storage.errors import DatabaseBusy, DatabaseError
from kernelnet.hub.storage.offline import databaseOf, isOperators, operatedAt, remembered
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.web.server import DEFAULT_PORT
from kernelnet.identity import IdentityError, StateDirectory
from kernelnet.interfaces import IExporter
from kernelnet.plugins import available
from kernelnet.untrusted import plain

__all__ = ["doctor"]

LEAST_FREE = 1 << 30
"""Bytes on the disk of the state directory below which it is worth a note."""
LEAST_DAYS = 20
"""The same for what is left of the hub's certificate."""
FAR_BEHIND = 10_000
"""Messages: some seconds of all that one database takes."""
FEW_FILES = 4096
PORT = 6000
"""A hub's, unless it is told another."""


class Finding(Struct):
    """@ivar state: C{good}, C{bad} or C{note}; C{advice}: what to do."""

    check: str
    state: str
    text: str
    advice: str = ""


@click.command()
@stateOption
@click.option("--mend", is_flag=True, help="Take back offers of blobs whose bytes are lost, while no hub runs.")
@jsonOption
def doctor(state: Path | None, mend: bool, asJson: bool) -> None:
    """
    Check compiler, sandbox, exporters, limits, disk, clock, hub, nodes, ports, certificate, owners, blobs, database.

    It may run while the hub does.  Exit code 1: something is bad.
    """
    where = directory(state)
    found = []
    console = Console(markup=False, emoji=False, highlight=False)
    for check in CHECKS:
        with progress(asJson) as tell:
            findings = [*(_mended if mend and check is _blobs else check)(where, tell)]
        found += findings
        for finding in findings if not asJson else ():
            _show(console, finding)
    bad = any(finding.state == "bad" for finding in found)
    if asJson:
        click.echo(json.dumps({"sound": not bad, "checks": msgspec.to_builtins(found)}, indent=2))
    if bad:
        raise SystemExit(1)


def _show(console: Console, finding: Finding) -> None:
    mark, style = {"good": ("ok  ", "green"), "note": ("note", "yellow"), "bad": ("BAD ", "bold red")}[finding.state]
    console.print(
        Text(f"{mark} ", style).append(f"{finding.check}: {finding.text}", "not bold default"), soft_wrap=True
    )
    if finding.advice:
        console.print(f"     {finding.advice}", soft_wrap=True)


def _compiler(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    from kernelnet.workbench.compiler import canJail, compileC, compilerVersion
    from kernelnet.workbench.errors import CompileError
    from kernelnet.workbench.file_system import workbench

    try:
        # Anew, not as it may be kept: it is the compiler that is looked at.
        compileC(workbench.baselineSource("lru"), workbench.headerPath, trusted=True)
    except CompileError as error:
        text = str(error).splitlines()[0]
        yield Finding(
            "compiler", "note", text, "trainers and `kernelnet bench` need it: pip install 'kernelnet[trainer]'"
        )
        return
    yield Finding("compiler", "good", f"{compilerVersion()} compiles a policy")
    if canJail():
        yield Finding("jail", "good", "strangers' C is compiled with no access to files and network (Landlock)")
    else:
        yield Finding(
            "jail", "note", "this kernel has no Landlock", "strangers' C is not compiled; Linux 5.13 or newer has it"
        )


def _sandbox(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    from kernelnet.workbench.errors import WorkbenchError
    from kernelnet.workbench.file_system import workbench

    try:
        from kernelnet.workbench.engine import engineVersion
        from kernelnet.workbench.sandbox import loadModule

        loadModule(workbench.baselineModule("lru"))
    except ImportError as error:
        yield Finding("sandbox", "note", str(error), "trainers need it: pip install 'kernelnet[trainer]'")
    except WorkbenchError as error:
        yield Finding("sandbox", "note", str(error), "trainers and `kernelnet bench` need it")
    else:
        yield Finding("sandbox", "good", f"{engineVersion()} translates and loads a policy")


def _exporters(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    found = {exporter.name: list(exporter.missing()) for exporter in available(IExporter)}
    here = [name for name, missing in found.items() if not missing]
    if here:
        yield Finding("exporters", "good", f"components can be exported for {', '.join(here)}")
    for name, missing in found.items():
        if missing:
            yield Finding("exporters", "note", f"{name}: {plain('; '.join(missing), 300)}", "kernelnet exporters")


def _limits(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        advice = "a hub takes about as many connections: `ulimit -Hn`, or LimitNOFILE= of its systemd unit"
        yield Finding("limits", "note", f"a process may open {hard} files", advice)
    else:
        yield Finding("limits", "good", "enough files may be opened")


def _disk(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    path = next(folder for folder in (state.path, *state.path.parents) if folder.exists())
    free, least = disk_space.freeBytes(path), _minFree(state)
    text = f"{_size(free)} are free for {state.path}"
    if free < least:
        advice = "make room there, or start the hub with a smaller --min-free; --retain bounds its log"
        yield Finding("disk", "bad", f"{text}, less than --min-free {_size(least)}: its hub takes no messages", advice)
    elif free < max(LEAST_FREE, 2 * least):
        advice = f"a hub takes no messages when less than --min-free {_size(least)} is left; --retain bounds its log"
        yield Finding("disk", "note", text, advice)
    else:
        yield Finding("disk", "good", f"{text}, and a hub needs {_size(least)}")


def _minFree(state: StateDirectory) -> int:
    """Bytes that the hub that runs wants to be free, or else one would that is told no others."""
    try:
        return int(control_client.call(state, {"command": "status"})["log"]["min_free"])
    except (control_client.ControlError, IdentityError):
        return disk_space.minFree({"min-free": disk_space.MIN_FREE})


def _size(count: int) -> str:
    return f"{count >> 30} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def _clock(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    newest = (
        max((f.stat().st_mtime for f in state.path.glob("*") if f.is_file()), default=0.0) if _isThere(state) else 0
    )
    if newest > time.time() + 60:
        text = f"files of the hub are from {datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M} UTC, which is to come"
        yield Finding("clock", "bad", text, "certificates and tokens go by the clock: set it (timedatectl)")
    else:
        yield Finding("clock", "good", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _certificate(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    if not _isThere(state) or isOperators(state):
        return
    try:
        try:
            shown = control_client.call(state, {"command": "certs show"})
        except control_client.NoHub:
            if state.ownRoot.exists():
                text = "of a PKI of yours (--cert), which a hub that runs reads"
                yield Finding("certificate", "note", text, "start the hub, and run kernelnet doctor again")
                return
            shown = certificates.offlineShow(state, datetime.now(UTC))
    except (control_client.ControlError, IdentityError) as error:
        advice = "a hub that starts without --cert makes what is missing of its own"
        yield Finding("certificate", "note", str(error), advice)
        return
    own = shown.get("source") == certificates.OWN_CA
    left = shown["days_left"]
    names, day = plain(", ".join(shown["names"])), shown["expires"][:10]
    text = f"for {names}, expired on {day}" if left < 0 else f"for {names}, {left} days left"
    renew = "kernelnet certs renew" if own else f"put a new one into {shown['source']}, then kernelnet certs renew"
    if left < 0:
        yield Finding("certificate", "bad", text, f"trainers refuse it: {renew}")
    elif left < LEAST_DAYS:
        yield Finding("certificate", "note", text, renew)
    else:
        yield Finding("certificate", "good", text)


def _hub(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    if isOperators(state):
        return  # no hub runs there: its nodes are looked at
    try:
        status = control_client.call(state, {"command": "status"})
    except control_client.NoHub:
        yield Finding("hub", "note", f"none runs in {state.path}", "twistd kernelhub starts one")
    except (control_client.ControlError, IdentityError) as error:
        advice = "its log, hub.log there or what its supervisor keeps, may say why; then start it again"
        yield Finding("hub", "bad", str(error), advice)
    else:
        yield Finding("hub", "good", f"listens on port {status['port']}, {status['here']} AIs are connected")


def _nodes(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    """Of hubs that share a database those that are away, or far behind; by the database alone."""
    try:
        url = remembered(state.path)
        found = operatedAt(url).nodes() if url is not None else []
    except DatabaseError:
        return  # which the check of the database says
    away = [plain(one.name, 64) for one in found if not one.alive]
    behind = [one.name for one in found if one.alive and one.account is not None and one.account.behind > FAR_BEHIND]
    if away:
        text = f"{len(away)} of {len(found)} are away: {', '.join(away[:5])}{', …' if len(away) > 5 else ''}"
        yield Finding(
            "nodes", "note", text, "kernelnet cluster status shows all; those that are gone for good do no harm"
        )
    elif found:
        yield Finding("nodes", "good", f"all {len(found)} that share the database are there")
    if behind:
        text = f"more than {FAR_BEHIND:,} messages behind the log: {', '.join(behind[:5])}"
        yield Finding("nodes", "note", text, "a node that stays so has too little CPU, or too many connections")


def _ports(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    if isOperators(state):
        return
    try:
        control_client.call(state, {"command": "status"})
        return  # its own ports are taken, and by whom they should be
    except (control_client.ControlError, IdentityError):
        pass
    taken = [port for port in (PORT, DEFAULT_PORT) if not _free(port)]
    if PORT in taken:
        advice = f"what listens there: `ss -ltnp 'sport = :{PORT}'`; a hub takes another one by --port"
        yield Finding("ports", "note", f"another program has port {PORT}, a hub's default", advice)
    if DEFAULT_PORT in taken:
        advice = "a hub takes any free one for its dashboard then, or the one of --dashboard"
        yield Finding("ports", "note", f"another program has port {DEFAULT_PORT}, a dashboard's default", advice)
    if not taken:
        yield Finding("ports", "good", f"{PORT} and {DEFAULT_PORT} are free for a hub and its dashboard")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def _database(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    try:
        database = databaseOf(state.path)
        if not database.exists():
            yield Finding("database", "note", f"no hub has ever run in {state.path}", "twistd kernelhub starts one")
            return
        found = database.examine(tell)
    except DatabaseBusy as error:
        advice = "wait for it, or see to its server; a hub that runs goes on by itself"
        yield Finding("database", "bad", str(error), advice)
        return
    except DatabaseError as error:
        advice = "go back to a backup (kernelnet restore FILE), or move the file away: the hub then begins anew"
        yield Finding("database", "bad", str(error), advice)
        return
    text = (
        f"{database} is sound: {found['events']} messages, {found['bytes']} bytes, "
        f"schema version {found['schema']}, log {found['log_id']}"
    )
    yield Finding("database", "good", text)


def _blobs(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    if not _isThere(state):
        return
    try:
        with databaseOf(state.path).blobs() as store:
            found = examination.examine(store, tell)
    except DatabaseError as error:
        yield Finding("blobs", "bad", str(error), "a hub that can't read them gives none of them away")
        return
    sending = f", {found.unfinished} not whole yet" if found.unfinished else ""
    if found.lost:
        some = ", ".join(f"{digest[:12]} of {'+'.join(ais) or '?'}" for digest, ais in [*found.lost.items()][:5])
        more = ", …" if len(found.lost) > 5 else ""
        text = f"{len(found.lost)} of {found.count} are offered, and their bytes are gone or spoiled: {some}{more}"
        advice = "kernelnet doctor --mend takes these offers back; then their AIs can share them again"
        yield Finding("blobs", "bad", text, advice)
    else:
        yield Finding("blobs", "good", f"{found.count} of {found.size:,} bytes, all as their digests say{sending}")


def _mended(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    """Like `_blobs`, but what it finds lost is taken back."""
    if not _isThere(state):
        return
    try:
        lock = None if remembered(state.path) else state.lock(control_client.LOCK)
        try:
            with databaseOf(state.path).blobs() as store:
                lost = examination.examine(store, tell).lost
                examination.mend(store, lost)
        finally:
            if lock is not None:
                state.unlock(lock)
    except IdentityError:
        advice = "stop it first; a hub takes back by itself what somebody asks for that is not there"
        yield Finding("blobs", "bad", "a hub runs, and nothing is mended under its hands", advice)
        return
    except DatabaseError as error:
        yield Finding("blobs", "bad", str(error), "a hub that can't read them gives none of them away")
        return
    if lost:
        yield Finding("blobs", "note", f"offers of {len(lost)} were taken back", "their AIs can share them again")
    yield from _blobs(state, tell)


def _owners(state: StateDirectory, tell: Tell) -> Iterator[Finding]:
    if not _isThere(state):
        return
    try:
        with databaseOf(state.path).reading() as reader:
            owners, ais = reader.owners.all(), _admitted(reader)
    except DatabaseError:
        return  # which the check of the database says
    without = sorted(ais - owners.keys())
    if not ais or not owners:
        yield Finding("owners", "good", "none are named: each AI's vote counts alone")
    elif without:
        some = ", ".join(without[:5]) + (", …" if len(without) > 5 else "")
        text = f"{len(without)} of {len(ais)} AIs have none, and each of these has a vote of its own: {some}"
        yield Finding("owners", "note", text, "kernelnet tokens owner ID NAME; with --owners required none gets in")
    else:
        named = {owners[aiId] for aiId in ais}
        yield Finding("owners", "good", f"AIs: {len(ais)}; owners, each with one vote: {len(named)}")


def _admitted(reader: Reader) -> set[str]:
    """Ids of trainers that have a token or join string."""
    return {token.aiId for token in reader.tokens.all() if token.kind != "viewer" and token.revokedAt is None}


def _isThere(state: StateDirectory) -> bool:
    try:
        return state.path.is_dir() and databaseOf(state.path).exists()
    except DatabaseError:
        return False  # which the check of the database says


CHECKS: tuple[Callable[[StateDirectory, Tell], Iterator[Finding]], ...] = (
    _compiler,
    _sandbox,
    _exporters,
    _limits,
    _disk,
    _clock,
    _hub,
    _nodes,
    _ports,
    _certificate,
    _owners,
    _blobs,
    _database,
)
"""In this order: what is quick comes first."""
