"""Secrets: made, hashed, written and read so that nobody else gets them; and the join string."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from kernelnet.identity.errors import IdentityError

__all__ = ["JoinString", "isToken", "newToken", "readToken", "tokenHash", "writeSecret"]


def newToken() -> str:
    """A new secret of 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def isToken(text: str) -> bool:
    """Whether C{text} can be shown as a token, and be read again from a file: 1 to 1,024 visible ASCII characters."""
    return re.fullmatch(r"[!-~]{1,1024}", text, re.ASCII) is not None


def tokenHash(token: str) -> str:
    """
    SHA-256 (hex) of a token: all that a database may hold of it.

    A fast hash is right here: tokens are 256 random bits, not passwords that could be guessed.
    """
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def writeSecret(path: Path, data: bytes) -> None:
    """Write C{data} so that it is never readable by others and never half there: 0600, then renamed into place."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        scratch.rename(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def readToken(path: Path, what: str = "token") -> str:
    """
    A token, or a join string, from a file.

    @param what: which of them, for people.

    @raise IdentityError: it is missing, unreadable, readable by others, or empty.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = path.read_text("ascii").strip()
    except UnicodeDecodeError:
        raise IdentityError(f"{path} is not a {what} file: it must hold one line of ASCII") from None
    except OSError as e:
        raise IdentityError(f"can't read the {what} file {path}: {e.strerror}") from None
    if mode & 0o077:
        raise IdentityError(f"the {what} file {path} can be read by others (mode {mode:04o}): chmod 600 {path}")
    if not token or "\n" in token:
        raise IdentityError(f"{path} is not a {what} file: it must hold one line")
    return token


@dataclass(frozen=True)
class JoinString:
    """
    All that a trainer on another machine needs to enrol: C{KN1.<SHA-256 of the CA certificate's DER>.<secret>}.

    @ivar digest: in hex; the trainer trusts the certificate with this digest, and no other.
    @ivar secret: enrols one id, once.  It is in no repr.
    """

    digest: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"KN1.{self.digest}.{self.secret}"

    @classmethod
    def parse(cls, text: str) -> JoinString:
        """@raise IdentityError: it is none; the text doesn't repeat it, since it may hold a secret."""
        match = re.fullmatch(r"KN1\.([0-9a-fA-F]{64})\.([A-Za-z0-9_-]{43})", text.strip(), re.ASCII)
        if match is None:
            raise IdentityError(
                "bad join string: it must be KN1.…, all of the line that `kernelnet tokens issue` printed"
            )
        return cls(match[1].lower(), match[2])
