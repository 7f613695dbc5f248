"""``twistd kernelhub``: its options, and how they become a service."""

from __future__ import annotations

import os
import re
import socket
from ipaddress import ip_address
from pathlib import Path

from kernelnet import interrupt, log_format
from kernelnet.daemon import (
    ServiceOptions,
    collectRarely,
    endIfInterrupted,
    forgetLostPidFile,
    placeFiles,
    refuse,
    refuseSecond,
    steadyTime,
    takeTurns,
    withNumbers,
)
from kernelnet.hub.admin.control_client import LOCK, ControlError
from kernelnet.hub.auth import certificates
from kernelnet.hub.config import HubConfig
from kernelnet.hub.connection import limits
from kernelnet.hub.connection.limits import LimitError
from kernelnet.hub.service import HubService
from kernelnet.hub.storage import disk_space
from kernelnet.hub.storage.blobs import options as blob_options
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.web.server import DashboardError
from kernelnet.identity import IdentityError, StateDirectory, defaultState

__all__ = ["Options", "makeService"]


class Options(ServiceOptions):
    """
    Options of ``twistd kernelhub``.

    @ivar config: what they mean, once they are parsed.
    """

    config: HubConfig

    service = "kernelhub"
    synopsis = "[options]"
    longdesc = "The hub that kernelnet trainers connect to.  A fresh state directory gets all that is needed."
    optParameters = withNumbers(
        "kernelhub",
        [
            ["port", "p", "6000", "TCP port (TLS; 0: any that is free), or an endpoint description such as ssl:6000:…"],
            ["state", "s", None, "state directory (default: $XDG_DATA_HOME/kernelnet)"],
            ["session-offered", None, 600.0, "seconds that a collaboration may wait for a partner", float],
            ["session-active", None, 1800.0, "seconds that a collaboration may take", float],
            [
                "dashboard",
                None,
                "auto",
                "its port on this machine, ADDRESS:PORT (TLS) or off (auto: 6080, or any that is free)",
            ],
            [
                "owners",
                None,
                "optional",
                "optional, or required: nobody is let in without one (kernelnet tokens owner)",
            ],
            ["database", None, None, "postgresql://USER@HOST/NAME (default: an SQLite file in the state directory)"],
            ["node", None, None, "name of this hub among those that use one --database (default: the host's name)"],
            *certificates.OPTIONS,
            *disk_space.OPTIONS,
            *blob_options.OPTIONS,
            *limits.OPTIONS,
            *log_format.OPTIONS,
        ],
    )
    optFlags = [
        ["insecure-plaintext", None, "no TLS; on a loopback address only"],
        ["twisted-tls", None, "write TLS in Twisted's own way, which is slower"],
        *certificates.FLAGS,
    ]

    def __init__(self) -> None:
        endIfInterrupted()
        super().__init__()
        self["hosts"] = []

    def opt_host(self, name: str) -> None:
        """a further name or address that the hub's certificate shall be for (repeatable)"""
        self["hosts"].append(name)

    def postOptions(self) -> None:
        self["state"] = Path(self["state"]) if self["state"] else defaultState()
        for name in ("session-offered", "session-active"):
            if not 0 < self[name] < 1e9:
                refuse("kernelhub", f"--{name} must be a number of seconds above 0, not {self[name]:g}")
        if self["owners"] not in ("optional", "required"):
            refuse("kernelhub", f"--owners must be optional or required, not {self['owners']!r}")
        if self["node"] is None:
            self["node"] = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64].lstrip(".-_") or "hub"
        elif self["database"] is None:
            refuse("kernelhub", "--node names one of several hubs on a --database postgresql://…; give that, too")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self["node"]):
            refuse("kernelhub", f"--node must be up to 64 letters, digits and ._-, not {self['node']!r}")
        try:
            self.config = HubConfig.fromOptions(self)
        except (LimitError, disk_space.StorageError, DashboardError) as e:
            refuse("kernelhub", e)
        port = self["port"]
        if re.fullmatch(r"[0-9]+", port, re.ASCII):
            if int(port) > 65535:
                refuse("kernelhub", f"--port must be 0 to 65535, not {port}")
        elif ":" not in port:
            refuse("kernelhub", f"--port must be a number or an endpoint description such as tcp:6000, not {port!r}")
        elif self["insecure-plaintext"]:
            if not _isLoopback(port):
                refuse(
                    "kernelhub",
                    "--insecure-plaintext is for loopback only: give a number, or "
                    "tcp:PORT:interface=127.0.0.1 or unix:PATH",
                )
        elif not port.startswith(("ssl:", "tls:")):
            refuse("kernelhub", f"--port {port}: without --insecure-plaintext it must be a TLS endpoint (ssl:, tls:)")
        try:
            certificates.checkOptions(self)
        except IdentityError as e:
            refuse("kernelhub", e)
        state = StateDirectory(self["state"])
        try:
            state.open()
        except IdentityError as e:
            refuse("kernelhub", e)
        refuseSecond("kernelhub", "a hub", state, LOCK, state.path / "hub.pid")
        _refuseTakenPort(port, "127.0.0.1" if self["insecure-plaintext"] else "")
        if self.config.dashboard is not None and not self.config.anyDashboardPort:
            address, dashboardPort = self.config.dashboard
            _refuseTakenPort(str(dashboardPort), address)
        placeFiles(self, self["state"], "hub")
        log_format.chooseFormat("kernelhub", self)


def _refuseTakenPort(port: str, address: str) -> None:
    """A daemon could say it in its log only, after the command that started it has ended well."""
    if not port.isdecimal():
        return
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, int(port)))
        except OSError as e:
            refuse("kernelhub", f"can't listen on port {port}: {e.strerror}")


def _isLoopback(description: str) -> bool:
    if description.startswith("unix:"):
        return True
    match = re.search(r":interface=((?:[^:\\]|\\.)*)(?::|$)", description)
    if not description.startswith(("tcp:", "tcp6:")) or match is None:
        return False
    try:
        return ip_address(match[1].replace("\\", "")).is_loopback
    except ValueError:
        return False


def makeService(options: Options) -> HubService:
    """
    Make the hub's service; what can be wrong with options, state directory or database ends the process here.

    The database is opened, and its schema brought up to date, before anything listens.
    """
    from twisted.internet import reactor

    # Whatever it makes later, SQLite's files and sockets too, is for this user alone.
    os.umask(0o077)
    steadyTime(reactor)
    forgetLostPidFile(options, reactor)
    collectRarely()
    takeTurns()
    state = StateDirectory(options["state"])
    try:
        state.open()
        service = HubService(reactor, state, options.config)
    except (IdentityError, DatabaseError, ControlError, DashboardError) as e:
        refuse("kernelhub", e)
    except (OSError, ValueError) as e:
        refuse("kernelhub", f"can't start with --port {options['port']}: {e}")
    interrupt.throughReactor(reactor)
    return service
