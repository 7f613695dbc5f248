"""
The certificate that a running hub shows: of its own CA or of the operator's PKI, renewed while connections go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from kernelnet.identity import RENEW_BEFORE, IdentityError, KeyAndChain, ReplaceableTLS, StateDirectory, writeSecret
from kernelnet.identity.certificates import describe, digestOf, makeClientCertificate, readCertificates

__all__ = [
    "FLAGS",
    "OPTIONS",
    "OWN_CA",
    "HubCertificates",
    "OwnFiles",
    "checkOptions",
    "offlineClient",
    "offlineRenew",
    "offlineShow",
    "rootDigest",
]

OPTIONS = [
    ["cert", None, None, "the hub's certificate of a PKI of yours (PEM, intermediates behind it); with --key"],
    ["key", None, None, "its private key (PEM, no password)"],
    ["ca", None, None, "the root (and intermediates) that --cert comes from; needed for join strings"],
    ["client-ca", None, None, "what client certificates must come from [the hub's own CA]"],
]
FLAGS = [["require-client-cert", None, "refuse whoever shows no client certificate"]]
"""Of ``twistd kernelhub``."""

OWN_CA = "the hub's own CA"
"""Source of a certificate that no PKI of the operator's made."""
CHECK_EVERY = 86400.0
"""Seconds between looks at how long the certificate is still good."""


def checkOptions(options: Mapping[str, Any]) -> None:
    """@raise IdentityError: options of ours don't go together."""
    given = [name for name in ("cert", "key", "ca", "client-ca", "require-client-cert") if options[name]]
    if given and (options["insecure-plaintext"] or not options["port"].isdecimal()):
        raise IdentityError(f"--{given[0]} goes with a port number as --port only")
    if bool(options["cert"]) != bool(options["key"]):
        raise IdentityError("--cert and --key go together")
    if options["ca"] and not options["cert"]:
        raise IdentityError("--ca is the root of --cert, which is missing")
    if options["client-ca"] and not options["require-client-cert"]:
        raise IdentityError("--client-ca goes with --require-client-cert")
    if options["cert"] and options["hosts"]:
        raise IdentityError("--host has no effect with --cert: the names stand in that certificate")


class OwnFiles:
    """The files of an operator's own PKI, read again at each renewal."""

    def __init__(self, certificate: Path, key: Path, ca: Path | None) -> None:
        self.certificate = certificate.absolute()
        self.key = key.absolute()
        self.ca = ca.absolute() if ca is not None else None

    @classmethod
    def fromOptions(cls, options: Mapping[str, Any]) -> OwnFiles | None:
        """Take those that `OPTIONS` name; C{None}: the hub's own CA makes its certificate."""
        if not (options["cert"] and options["key"]):
            return None
        return cls(Path(options["cert"]), Path(options["key"]), Path(options["ca"]) if options["ca"] else None)

    def read(self, now: datetime) -> KeyAndChain:
        """@raise IdentityError: they can't be used."""
        return KeyAndChain.read(self.certificate, self.key, self.ca, now)


class HubCertificates:
    """
    @ivar tls: for the listening port.

    @param names: what the hub is called besides its machine's names.
    @param own: C{None}: the state directory's CA makes the certificate.
    @param clientCA: clients must show a certificate of it; C{None}: they need none.
    @param wallClock: Unix seconds.
    @raise IdentityError: the certificate can't be used.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        state: StateDirectory,
        clock: IReactorTime,
        wallClock: Callable[[], float],
        *,
        names: Sequence[str] = (),
        own: OwnFiles | None = None,
        clientCA: Path | None = None,
    ) -> None:
        self._state = state
        self._wallClock = wallClock
        self._names = list(names)
        self._own = own
        self._clientCA = clientCA
        self._chain = self._read()
        self.tls = ReplaceableTLS(self._chain.serverOptions(clientCA))
        self._rememberRoot()
        self._job = LoopingCall(self._check)
        self._job.clock = clock

    def __repr__(self) -> str:
        return f"<HubCertificates {'own PKI' if self._own else 'own CA'} {digestOf(self._chain.chain[0])[:12]}>"

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wallClock(), UTC)

    def _read(self) -> KeyAndChain:
        return self._own.read(self._now()) if self._own is not None else KeyAndChain.ofState(self._state)

    def _rememberRoot(self) -> None:
        """Trainers of the same user, and commands while no hub runs, find in C{root.pem} what to trust."""
        root = self._chain.root
        if self._own is not None and root is not None:
            writeSecret(self._state.ownRoot, root.public_bytes(Encoding.PEM))
        else:
            self._state.ownRoot.unlink(missing_ok=True)

    def start(self) -> None:
        """Say if its end is near, and look once a day."""
        self._warnOfEnd()
        self._job.start(CHECK_EVERY, now=False)

    def stop(self) -> None:
        if self._job.running:
            self._job.stop()

    def digest(self) -> str:
        """
        SHA-256 of the root that trainers shall trust.

        @raise IdentityError: the root is not known.
        """
        root = self._chain.root
        if root is None:
            raise IdentityError("a join string names the root of the hub's certificate: start the hub with --ca FILE")
        return digestOf(root)

    def show(self) -> dict[str, Any]:
        """As `kernelnet.identity.certificates.describe`, with C{ca_digest} (or C{None}) and C{source}."""
        return _shown(self._chain, self._now(), str(self._own.certificate) if self._own else OWN_CA)

    def renew(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """
        Use a new certificate for all handshakes from now on; connections that are open go on.

        The hub's own CA makes one; with an own PKI the files are read again.

        @param names: further names for it.
        @return: as `show`.
        @raise IdentityError: it can't be made or read; the old one stays in use.
        """
        if self._own is None:
            self._state.renewHub([*self._names, *names], self._now(), force=True)
        elif names:
            raise IdentityError("--host: this hub's certificate comes from --cert, and its own CA can't change it")
        chain = self._read()
        if self._own is None and self._state.isNode and digestOf(chain.chain[0]) == digestOf(self._chain.chain[0]):
            raise IdentityError(f"{self._state.hubCertificate} is the one that is in use, and {_NODE_MAKES_NONE}")
        self._use(chain)
        self._names += [name for name in names if name not in self._names]
        return self.show()

    def _use(self, chain: KeyAndChain) -> None:
        self.tls.replace(chain.serverOptions(self._clientCA))
        self._chain = chain
        self._rememberRoot()
        self.log.info(
            "new connections get the certificate {fingerprint}…, good until {until:%Y-%m-%d}",
            fingerprint=digestOf(chain.chain[0])[:16],
            until=chain.chain[0].not_valid_after_utc,
        )

    def _check(self) -> None:
        try:
            if self._own is not None:
                chain = self._read()
                if chain != self._chain and digestOf(chain.chain[0]) != digestOf(self._chain.chain[0]):
                    self._use(chain)
            elif self._state.renewHub(self._names, self._now(), force=False):
                self._use(self._read())
            self._warnOfEnd()
        except (IdentityError, OSError) as e:
            self.log.error("the hub's certificate could not be renewed: {e}", e=e)
        except Exception:
            self.log.failure("looking at the hub's certificate failed; it goes on")

    def _warnOfEnd(self) -> None:
        until = self._chain.chain[0].not_valid_after_utc
        left = until - self._now()
        if left <= timedelta(0):
            self.log.error("the hub's certificate expired on {until:%Y-%m-%d}: trainers refuse it", until=until)
        elif left <= RENEW_BEFORE:
            self.log.warn("the hub's certificate is good for {days} more days only", days=left.days)


_NODE_MAKES_NONE = (
    "this node can make none, since the CA's key is kept elsewhere: have one signed there by kernelnet cluster "
    "add-node NAME --host … --out FOLDER, and copy hub.pem and hub.key here before"
)


def rootDigest(state: StateDirectory) -> str:
    """
    As `HubCertificates.digest`, while no hub runs.

    @raise IdentityError: there is none yet.
    """
    return digestOf(readCertificates(state.root, "a CA file")[0])


def offlineShow(state: StateDirectory, now: datetime) -> dict[str, Any]:
    """
    As `HubCertificates.show`, while no hub runs.

    @raise IdentityError: there is no certificate yet, or the hub has one of another PKI.
    """
    _refuseOwn(state)
    return _shown(KeyAndChain.ofState(state), now, OWN_CA)


def offlineRenew(state: StateDirectory, names: Sequence[str], now: datetime) -> dict[str, Any]:
    """
    As `HubCertificates.renew`, while no hub runs.

    @raise IdentityError: it can't be made.
    """
    _refuseOwn(state)
    if state.isNode:
        raise IdentityError(f"no hub runs in {state.path}, and {_NODE_MAKES_NONE}; it is read when the node starts")
    state.prepareHub(names, now)
    state.renewHub(names, now, force=True)
    return offlineShow(state, now)


def offlineClient(state: StateDirectory, aiId: str, path: Path, now: datetime) -> dict[str, Any]:
    """
    Write a client certificate of the hub's own CA, with its key, into the new file C{path}.  A hub may run meanwhile.

    @return: as `kernelnet.identity.certificates.describe`.
    @raise IdentityError: it can't be made or written.
    """
    state.open()
    return describe(makeClientCertificate(state.ca, aiId, path, now), now)


def _refuseOwn(state: StateDirectory) -> None:
    if state.ownRoot.exists():
        raise IdentityError("the hub here has its certificate from --cert: this command then works while it runs")


def _shown(chain: KeyAndChain, now: datetime, source: str) -> dict[str, Any]:
    root = chain.root
    return {
        **describe(chain.chain[0], now),
        "source": source,
        "ca_digest": digestOf(root) if root is not None else None,
    }
