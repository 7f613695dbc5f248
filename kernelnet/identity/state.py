"""The state directory: which file is where, and that nobody else gets in."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path

from kernelnet.artifacts import AI_ID
from kernelnet.identity import certificates
from kernelnet.identity.certificates import CertificateFiles
from kernelnet.identity.errors import IdentityError
from kernelnet.identity.secret import newToken, readToken, writeSecret
from kernelnet.message import HUB_ID

__all__ = ["FilesInPlace", "StateDirectory", "checkAiId", "checkOwner", "defaultState"]


def defaultState() -> Path:
    """C{$XDG_DATA_HOME/kernelnet}, or what the XDG base directory specification says in its absence."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "share") / "kernelnet"


def checkAiId(value: str) -> str:
    """
    C{value} if it may be an ai_id.

    @raise IdentityError: it may not; the text says what may.
    """
    if not AI_ID.fullmatch(value):
        raise IdentityError(
            f"bad ai_id {value[:80]!r}: 1 to 64 letters, digits, '_', '.' or '-', starting with a letter or digit"
        )
    if value == HUB_ID:
        raise IdentityError(f"the ai_id {HUB_ID!r} is reserved for the hub")
    return value


def checkOwner(value: str) -> str:
    """
    C{value} if an owner may be called so.

    @raise IdentityError: none may; the text says what may.
    """
    if not AI_ID.fullmatch(value):
        raise IdentityError(
            f"bad owner {value[:80]!r}: 1 to 64 letters, digits, '_', '.' or '-', starting with a letter or digit"
        )
    return value


class StateDirectory:
    """
    The folder of one hub, and of the trainers of the same user.

    @ivar path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def __repr__(self) -> str:
        return f"<StateDirectory {self.path}>"

    caCertificate = property(lambda self: self.path / "ca.pem")
    caKey = property(lambda self: self.path / "ca.key")
    hubCertificate = property(lambda self: self.path / "hub.pem")
    hubKey = property(lambda self: self.path / "hub.key")
    joinToken = property(lambda self: self.path / "join.token")
    database = property(lambda self: self.path / "hub_data.db")
    controlSocket = property(lambda self: self.path / "hub.sock")
    ownRoot = property(lambda self: self.path / "root.pem")

    @property
    def ca(self) -> CertificateFiles:
        """The hub's own certificate authority."""
        return CertificateFiles(self.caCertificate, self.caKey)

    @property
    def hub(self) -> CertificateFiles:
        """The hub's certificate, which its own authority has signed."""
        return CertificateFiles(self.hubCertificate, self.hubKey)

    @property
    def root(self) -> Path:
        """Root that trainers of the same user verify the hub with: its own CA, or that of the operator's PKI."""
        own: Path = self.ownRoot
        ca: Path = self.caCertificate
        return own if own.exists() else ca

    @property
    def isNode(self) -> bool:
        """Whether it is that of a node: the authority's key stays with the operator."""
        return self.caCertificate.exists() and not self.caKey.exists()

    def open(self) -> None:
        """
        Make the directory if it is missing, its parents as private, and check that it is.

        @raise IdentityError: it is not a directory, not ours, or others can get in.
        """
        try:
            for path in reversed([self.path, *takewhile(lambda parent: not parent.exists(), self.path.parents)]):
                path.mkdir(mode=0o700, exist_ok=True)  # parents=True would make them for all
            status = self.path.stat()
        except (FileExistsError, NotADirectoryError):
            raise IdentityError(f"can't use the state directory {self.path}: it is not a directory") from None
        except OSError as e:
            raise IdentityError(f"can't use the state directory {self.path}: {e.strerror}") from None
        if status.st_uid != os.geteuid():
            raise IdentityError(f"the state directory {self.path} belongs to another user (uid {status.st_uid})")
        if stat.S_IMODE(status.st_mode) == 0o700:
            return
        if not any(self.path.iterdir()):
            self.path.chmod(0o700)
        elif self.caKey.exists() or self.database.exists() or (self.path / "trainers").exists():
            raise IdentityError(
                f"the state directory {self.path} holds secrets but has mode {stat.S_IMODE(status.st_mode):04o}; "
                f"it must be 0700: chmod 700 {self.path}"
            )
        else:
            # Never advise to close what may be somebody's /etc.
            raise IdentityError(f"{self.path} is no state directory of kernelnet's: give a new or an empty one")

    def lock(self, name: str) -> int:
        """
        Take the lock file C{name} for the life of this process, or until L{unlock} gets the returned descriptor.

        @raise IdentityError: another process has it.
        """
        try:
            fd = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise IdentityError(f"can't use {self.path / name}: {e.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise IdentityError(f"another process is using {self.path} (it holds {name})") from None
        return fd

    @staticmethod
    def unlock(fd: int) -> None:
        """Give back what L{lock} took, also while a child between its fork and its exec still has the descriptor."""
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    def trainer(self, aiId: str) -> Path:
        """The own folder of the trainer C{aiId}, made if it is missing."""
        path: Path = self.path / "trainers" / checkAiId(aiId)
        path.parent.mkdir(mode=0o700, exist_ok=True)  # parents=True would make it for all
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def prepareHub(self, names: Sequence[str], now: datetime, certificate: bool = True, join: bool = True) -> list[str]:
        """
        Make what a hub needs and is not there yet: the CA, a hub certificate for C{names}, the join token.

        @param names: host names and addresses besides localhost and the machine's own.
        @param certificate: whether a hub certificate is needed; the operator may have one of his own.
        @param join: whether a join token is needed; nodes may know its hash by their database.
        @return: what was made, for the log.
        @raise IdentityError: a file that is there can't be used.
        """
        made = []
        if not self.caCertificate.exists():
            certificates.makeCA(self.ca, now)
            made.append("certificate authority")
        if certificate and self.renewHub(names, now, force=False):
            made.append("hub certificate")
        if join and not self.joinToken.exists():
            writeSecret(self.joinToken, newToken().encode("ascii") + b"\n")
            made.append("join token")
        return made

    def renewHub(self, names: Sequence[str], now: datetime, force: bool) -> bool:
        """
        Make the hub certificate again: if it is not good for C{names} or for long any more, or in any case.

        @param names: as for `prepareHub`; names that it has stay.
        @return: whether it was made.
        @raise IdentityError: the CA can't be used, or a name is none.
        """
        if self.isNode:
            self._checkNode(names, now)
            return False
        wanted = [*certificates.ownNames(), *names]
        if not force and certificates.stillGood(self.hub, self.caCertificate, wanted, now):
            return False
        certificates.makeHubCertificate(self.hub, self.ca, wanted, now)
        return True

    def _checkNode(self, names: Sequence[str], now: datetime) -> None:
        """@raise IdentityError: the operator has to sign another certificate."""
        if not certificates.stillGood(self.hub, self.caCertificate, names, now, timedelta(0)):
            raise IdentityError(
                f"the certificate in {self.path} is missing, has expired, is not of ca.pem there or is not for all "
                "names, and the CA's key is kept elsewhere: have it signed there by kernelnet cluster add-node NAME "
                "--host …, and copy hub.pem and hub.key here"
            )

    def readJoinToken(self) -> str:
        """@raise IdentityError: there is none, so no hub has been started here yet."""
        return readToken(self.joinToken)


class FilesInPlace:
    """
    Files and folders that a process has open, and whether they are still what their paths lead to.

    What is written to a file that was removed is lost, though every write succeeds.

    @param paths: they are there now.
    """

    def __init__(self, *paths: Path) -> None:
        self._found = {path: _place(path) for path in paths}

    def watch(self, path: Path) -> None:
        """Look at C{path}, too, if there is something."""
        if (found := _place(path)) is not None:
            self._found[path] = found

    def lost(self) -> Path | None:
        """The first path that leads elsewhere by now, or nowhere; C{None}: none does."""
        return next((path for path, found in self._found.items() if _place(path) != found), None)


def _place(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
