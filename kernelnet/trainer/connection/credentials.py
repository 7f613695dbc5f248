"""
Credentials that a trainer proves itself with, and the CA that it verifies the hub with.

In its own folder it keeps C{credential} (its own token), C{credential.from} (SHA-256 of the token or join string that
the user gave and that C{credential} came from: it is not used again) and C{ca.pem} (the CA from joining).
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from kernelnet.identity import IdentityError, clientTLS, readToken, tokenHash, writeSecret
from kernelnet.identity.certificates import digestOf, readCertificates
from kernelnet.trainer.connection.config import TrainerConfig

__all__ = ["Credentials"]


class Credentials:
    """
    @ivar path: the file with its own token.

    @param folder: the trainer's own.
    """

    def __init__(self, config: TrainerConfig, folder: Path) -> None:
        self._config = config
        self.path = folder / "credential"
        self._origin = folder / "credential.from"
        self._root = folder / "ca.pem"

    def __repr__(self) -> str:
        return f"<Credentials of {self._config.aiId}>"

    @property
    def joining(self) -> bool:
        """Whether it comes with a join token or join string, and so has no token of its own yet."""
        config = self._config
        if config.join is not None:
            return not self._isReplaced(config.join.secret)
        return config.token is None and config.tokenFile is None and not self.path.exists()

    def token(self) -> str:
        """
        Token to show to the hub: what the user gave, or what the hub gave in place of it; else the join token.

        @raise IdentityError: there is none, or it can't be read.
        """
        given = self._given()
        if given is not None and not self._isReplaced(given):
            return given
        return readToken(self.path if self.path.exists() else self._config.state.joinToken)

    def keep(self, token: str) -> None:
        """
        Use C{token}, which the hub has just sent, from now on.

        @raise OSError: it could not be written.
        @raise IdentityError: what it came from can't be read any more.
        """
        given = self._given()
        writeSecret(self.path, token.encode("ascii") + b"\n")
        if given is None:
            self._origin.unlink(missing_ok=True)
        else:
            writeSecret(self._origin, tokenHash(given).encode("ascii") + b"\n")

    def tls(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        Make what verifies the hub at C{host}.

        @raise IdentityError: a file of it can't be used.
        """
        config = self._config
        digest = config.join.digest if config.join is not None and config.caFile is not None else None
        key = config.clientKey or config.clientCertificate
        mine = (config.clientCertificate, key) if config.clientCertificate is not None and key is not None else None
        return clientTLS(host, self._caFile(), mine, digest)

    def wantedRoot(self) -> str | None:
        """Digest of the CA that must be found before the hub can be verified; C{None}: it is here."""
        join = self._config.join
        if join is None or self._config.caFile is not None:
            return None
        try:
            have = digestOf(readCertificates(self._root, "a CA file")[0])
        except IdentityError:
            return join.digest
        return None if have == join.digest or self._isReplaced(join.secret) else join.digest

    def keepRoot(self, pem: bytes) -> None:
        """@raise OSError: it could not be written."""
        writeSecret(self._root, pem)

    def mayAppear(self) -> bool:
        """Whether what is missing is made by a hub's first start in the state directory."""
        state, config = self._config.state, self._config
        return (config.caFile is None and not self._caFile().exists()) or (
            config.join is None
            and config.token is None
            and config.tokenFile is None
            and not self.path.exists()
            and not state.joinToken.exists()
        )

    def refusal(self, message: str) -> str:
        """Line for the user when the hub said C{message} to what we showed."""
        if self._config.join is None or not self.joining:
            return (
                f"the hub refused our credentials: {message}; were they revoked, `kernelnet tokens issue "
                f"{self._config.aiId}` on the hub's machine prints a join string that makes new ones (--join-file)"
            )
        return (
            f"the hub refused the join string: it is for another id than {self._config.aiId}, has expired or was used; "
            f"on the hub's machine, `kernelnet tokens issue {self._config.aiId}` prints another"
        )

    def _given(self) -> str | None:
        if self._config.join is not None:
            return self._config.join.secret
        if self._config.token is not None:
            return self._config.token
        return readToken(self._config.tokenFile) if self._config.tokenFile is not None else None

    def _isReplaced(self, given: str) -> bool:
        """Whether the hub has given us a token of our own in place of it."""
        try:
            return self.path.exists() and self._origin.read_text("ascii").strip() == tokenHash(given)
        except (OSError, UnicodeDecodeError):
            return False

    def _caFile(self) -> Path:
        if self._config.caFile is not None:
            return self._config.caFile
        return self._root if self._root.exists() else self._config.state.root
