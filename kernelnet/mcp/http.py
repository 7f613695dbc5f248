"""
The server over HTTP, for agents that can't start a process: on loopback alone, for who has the token.

The token is the agent's own, never the hub's; it is made with the first start, and stands in a file that its user
alone can read.  Requests that name another host, or come from a page of another origin, are refused: else any web page
could speak to it (DNS rebinding).
"""

from __future__ import annotations

import contextlib
import hmac
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

from kernelnet.identity import IdentityError, newToken, readToken, writeSecret
from kernelnet.identity.secret import tokenHash

__all__ = ["Tokens", "authSettings", "listening", "serve", "tokenIn"]

MAX_BODY = 1 << 20
"""Bytes of a request: a source has at most 64 KiB."""

MAX_SESSIONS = 32

_HOST = "127.0.0.1"


class Tokens:
    """Lets in who has the one token; see the SDK's C{TokenVerifier}."""

    def __init__(self, token: str) -> None:
        self._hash = tokenHash(token)

    async def verify_token(self, token: str) -> AccessToken | None:
        """@return: C{None}: it is another."""
        if not hmac.compare_digest(self._hash, tokenHash(token)):
            return None
        return AccessToken(token=token, client_id="agent", scopes=[])


def tokenIn(path: Path) -> str:
    """
    The token in a file, which is made where it is missing.

    @raise IdentityError: others can read it, or it is none.
    """
    if not path.exists():
        writeSecret(path, f"{newToken()}\n".encode("ascii"))
    return readToken(path)


def listening(port: int) -> socket.socket:
    """
    A socket on loopback.

    @param port: 0: any that is free.
    @raise IdentityError: it is taken.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((_HOST, port))
        found.listen(64)  # from now on who is told of it may come, though it is served a little later
    except OSError as error:
        found.close()
        raise IdentityError(f"can't listen on {_HOST}:{port}: {error.strerror}; choose another --http port") from None
    return found


def authSettings(port: int) -> AuthSettings:
    """Bearer tokens, whose issuer nobody need ask."""
    return AuthSettings(
        issuer_url=AnyHttpUrl(f"http://{_HOST}:{port}"), resource_server_url=None, validate_token_resource=False
    )


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(server: MCPServer[Any], bound: socket.socket) -> None:
    """Serve until it is cancelled."""
    port = bound.getsockname()[1]
    names = [f"{host}:{port}" for host in (_HOST, "localhost")]
    app = server.streamable_http_app(
        max_request_body_size=MAX_BODY,
        max_sessions=MAX_SESSIONS,
        transport_security=TransportSecuritySettings(
            allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]
        ),
        host=_HOST,
    )
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=1, limit_concurrency=64, server_header=False
    )
    await _Server(config).serve(sockets=[bound])
