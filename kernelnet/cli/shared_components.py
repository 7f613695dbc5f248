"""Components that others shared, for a recommendation: of a hub, of a trainer's database, or in C files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from kernelnet.artifacts import Candidate, Carrier, Component, Manifest
from kernelnet.cli.arguments import Mistake, compiled, readComponent
from kernelnet.cli.common import directory
from kernelnet.cli.hub_data import HubData, Listed, hubData
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.interfaces import IWorkbench
from kernelnet.trainer.storage.database import StoreError
from kernelnet.trainer.storage.offline import confirmedComponents

__all__ = ["MOST", "sharedFrom"]

MOST = 20
"""Maximum number that is taken from one source: a recommendation tries a few."""

_UNKNOWN = "0" * 64


def sharedFrom(
    sources: tuple[str, ...], bench: IWorkbench, digests: set[str], *, token: str = "", authority: Path | None = None
) -> list[Carrier]:
    """
    Worker thread.  Confirmed components for a workbench, the most promising first, each with whose it is.

    @param sources: addresses of dashboards, state directories of hubs or trainers, databases of trainers, C files and
        folders of these; none: this user's hub, if there ever was one.
    @param digests: of the traces that it is for: what was found on these comes first.
    @raise click.ClickException: a source is none of these; one line.
    """
    if not sources:
        if not _isHub(directory(None).path):
            return []
        with hubData(None) as data:
            return list(_ofHub(data, bench, digests))
    found: list[Carrier] = []
    for source in sources:
        path = Path(source)
        if source.startswith(("http://", "https://")) or _isHub(path):
            with hubData(source, token, authority) as data:
                found += _ofHub(data, bench, digests)
        elif (path / "trainer.db").is_file() or path.suffix == ".db":
            found += _ofTrainer(path if path.suffix == ".db" else path / "trainer.db", bench)
        elif path.is_dir():
            found += [_ofFile(file, bench) for file in sorted(path.glob("*.c"))[:MOST]]
        elif path.is_file():
            found.append(_ofFile(path, bench))
        else:
            raise Mistake(
                f"--from {source}: no such file; it takes a dashboard's address, a state directory of a hub or a"
                " trainer, a C file, or a folder of these"
            )
    return found


def _isHub(path: Path) -> bool:
    """
    Whether it is a state directory of a hub, whose database may be a server's.

    @raise click.ClickException: it is, of a database for which something is not installed.
    """
    try:
        return path.is_dir() and databaseOf(path).exists()
    except DatabaseError as error:
        raise click.ClickException(str(error)) from None


def _ofHub(data: HubData, bench: IWorkbench, digests: set[str]) -> Iterator[Carrier]:
    """Of those that others than their author's owner confirmed; what was found on these very traces first."""
    voices: dict[str, int] = {}
    listed: list[Listed] = []
    for one in data.components():
        if one.workbench != bench.name or one.older_rules:
            continue
        own = _owner(one, one.author)
        confirmed, refuted = ({_owner(one, who) for who in one.who(what)} - {own} for what in ("confirmed", "refuted"))
        voices[one.digest] = len(confirmed)
        if len(confirmed) > len(refuted):
            listed.append(one)
    listed.sort(key=lambda one: (one.trace_digest not in digests, -voices[one.digest]))
    taken: dict[str, int] = {}
    for one in listed:
        owner = _owner(one, one.author)
        taken[owner] = taken.get(owner, 0) + 1
        # Whoever has much to offer is asked for a few.
        if taken[owner] > MOST // 4 or sum(taken.values()) > 4 * MOST:
            continue
        whole = data.whole(one.digest)
        # A source that is a blob is of no use to whoever would go on from it.
        if whole is not None and whole.component.digest == one.digest and not whole.component.source_size:
            yield Carrier(whole.component, owner)


def _owner(one: Listed, aiId: str) -> str:
    owner = one.owners.get(aiId)
    return aiId if owner is None else f"owner {owner}"


def _ofTrainer(path: Path, bench: IWorkbench) -> list[Carrier]:
    try:
        every = confirmedComponents(path)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    ours = [(who, one) for who, one in every if one.manifest is not None and one.manifest.workbench == bench.name]
    return [Carrier(component, author) for author, component in ours[: 4 * MOST] if not component.source_size]


def _ofFile(path: Path, bench: IWorkbench) -> Carrier:
    """A C file as a component without a claim; each is its own owner: whoever names it wants it tried."""
    source = readComponent(path)
    wasm = compiled(bench, path, source)
    candidate = Candidate(source)
    manifest = Manifest(_UNKNOWN, _UNKNOWN, bench.abiOf(wasm).identifier, bench.name)
    component = Component(
        id=path.name[:256] or "file",
        implementation=candidate.source,
        wasm=wasm,
        manifest=manifest,
        name=path.name[:256],
    )
    return Carrier(component, str(path))
