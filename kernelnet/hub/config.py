"""
Values that the options of ``twistd kernelhub`` stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelnet.hub.auth.certificates import OwnFiles
from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.routing.collaboration_sessions import Limits
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.blobs import options as blob_options
from kernelnet.hub.storage.blobs.shelf import BlobBounds
from kernelnet.hub.storage.retention_policy import RetentionPolicy
from kernelnet.hub.web.server import DEFAULT_PORT, parseWhere

__all__ = ["HubConfig"]


@dataclass(frozen=True)
class HubConfig:
    """
    @ivar port: TCP port (0: any that is free), or an endpoint description.
    @ivar plaintext: whether it speaks no TLS; C{twistedTLS}: whether it writes TLS in Twisted's own way.
    @ivar hosts: further names and addresses that its own certificate shall be for.
    @ivar ownFiles: the certificate of an operator's PKI; C{None}: the hub's own CA makes one.
    @ivar requiresClientCertificate: whether whoever shows none of C{clientCA} is refused; C{None}: of the hub's own.
    @ivar dashboard: address and port of its HTTP face; C{None}: it has none.
    @ivar anyDashboardPort: whether another port will do where that one is taken.
    @ivar sessions: time that collaborations may take.
    @ivar retention: age and size up to which the log is kept.
    @ivar minFree: bytes that must stay free on its disk.
    @ivar needsOwner: whether nobody is let in who has no owner.
    @ivar node: name of this hub among those that use the database.
    @ivar blobs: how much is kept that is too large for a line.
    @ivar database: address of a PostgreSQL database; C{None}: a file of SQLite's.
    """

    port: str
    plaintext: bool
    twistedTLS: bool
    hosts: tuple[str, ...]
    ownFiles: OwnFiles | None
    requiresClientCertificate: bool
    clientCA: Path | None
    dashboard: tuple[str, int] | None
    anyDashboardPort: bool
    sessions: Limits
    bounds: Bounds
    retention: RetentionPolicy
    minFree: int
    needsOwner: bool = False
    database: str | None = None
    node: str = "hub"
    blobs: BlobBounds = field(default_factory=BlobBounds)

    @classmethod
    def fromOptions(cls, options: Mapping[str, Any]) -> HubConfig:
        """
        @raise LimitError: a limit is out of range.
        @raise kernelnet.hub.storage.disk_space.StorageError: what the hub may keep is not said right.
        @raise DashboardError: where the dashboard shall be is not said right.
        """
        bounds = Bounds.fromOptions(options)
        policy, minFree = disk_space.policy(options), disk_space.minFree(options)
        auto = options["dashboard"] == "auto"
        return cls(
            port=options["port"],
            plaintext=bool(options["insecure-plaintext"]),
            twistedTLS=bool(options["twisted-tls"]),
            hosts=tuple(options["hosts"]),
            ownFiles=OwnFiles.fromOptions(options),
            requiresClientCertificate=bool(options["require-client-cert"]),
            clientCA=Path(options["client-ca"]) if options["client-ca"] else None,
            dashboard=parseWhere(str(DEFAULT_PORT) if auto else options["dashboard"]),
            anyDashboardPort=auto,
            sessions=Limits(options["session-offered"], options["session-active"]),
            bounds=bounds,
            retention=policy,
            minFree=minFree,
            needsOwner=options["owners"] == "required",
            database=options["database"],
            node=options["node"],
            blobs=blob_options.bounds(options, minFree),
        )

    @property
    def hasOwnTLS(self) -> bool:
        """Whether the hub itself makes its port speak TLS: an endpoint description does that by its own means."""
        return self.port.isdecimal() and not self.plaintext
