"""`TrainerConfig`: where a trainer finds the hub, and as whom."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from kernelnet.identity import JoinString, StateDirectory
from kernelnet.trainer.connection.addresses import Address

__all__ = ["TrainerConfig"]


class TrainerConfig(Struct):
    """
    Where a trainer finds the hub, and as whom.

    @ivar hubs: where the hub may be; they are tried in turn.
    @ivar tokenFile: C{None}: the credential that enrolling gave, else the hub's join token in the state directory.
    @ivar token: instead of a file, from the Python API.
    @ivar join: instead of a token.
    @ivar caFile: C{None}: the CA from joining, else the state directory's.
    @ivar clientCertificate: to show to a hub that asks for one; C{clientKey}: its key, C{None}: in the same file.
    @ivar minutes: end after so long; C{None}: never.
    @ivar sharedTraces: files that may leave this machine; no other does.
    @ivar privateTraces: files that may not, whoever asks for it later.
    @ivar fetchTraces: bytes of peers' traces that are fetched and kept; 0: none is.
    @ivar fetchOwners: of whose AIs; empty: of anybody's.
    """

    aiId: str
    state: StateDirectory
    specialization: str = "general"
    capabilities: tuple[str, ...] = ()
    hubs: tuple[Address, ...] = (Address("localhost", 6000),)
    tokenFile: Path | None = None
    token: str | None = None
    join: JoinString | None = None
    caFile: Path | None = None
    clientCertificate: Path | None = None
    clientKey: Path | None = None
    minutes: float | None = None
    sharedTraces: tuple[Path, ...] = ()
    privateTraces: tuple[Path, ...] = ()
    fetchTraces: int = 0
    fetchOwners: tuple[str, ...] = ()
