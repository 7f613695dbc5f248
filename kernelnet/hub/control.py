"""
The control socket: how C{kernelnet} commands talk to a running hub.

One JSON object per line, over C{hub.sock} in the state directory, which only the hub's user can reach::

    -> {"command": "status"}                        <- {"ok": true, "result": {…}}
    -> {"command": "tokens issue", "ai_id": "AI_9"} <- {"ok": true, "result": {"ai_id": "AI_9", "token": "…"}}
    -> {"command": "tokens list"}                   <- {"ok": true, "result": [{…}, …]}
    -> {"command": "tokens revoke", "ai_id": "…"}   <- {"ok": true, "result": {"revoked": 1, "disconnected": true}}
                                                    <- {"ok": false, "error": "what was wrong"}

`call` is the client's side.  While no hub runs, `offline` serves the token commands from the database itself.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from kernelnet.hub import tokens
from kernelnet.hub.commit import Transaction
from kernelnet.hub.database import DatabaseError, connect, prepare
from kernelnet.identity import IdentityError, StateDirectory, checkAiId
from kernelnet.wire import WireProblem

if TYPE_CHECKING:
    from kernelnet.hub.factory import HubFactory

__all__ = ["ControlError", "ControlFactory", "NoHub", "call", "offline", "shortPath"]

LOCK = "hub.lock"
"""The lock file that a hub holds in its state directory."""

_MAX_PATH = 100
"""A socket's path has about 107 bytes, and the lock that stands beside it needs five of them."""


class ControlError(Exception):
    """The hub refused a command; the text is its answer."""


class NoHub(ControlError):
    """No hub runs in this state directory."""


def shortPath(path: Path) -> tuple[str, int | None]:
    """
    C{path} in a form that fits a socket address.

    @return: the form, and a descriptor that must stay open for as long as it is used (or C{None}).
    @raise ControlError: there is none on this system.
    """
    if len(os.fsencode(path)) <= _MAX_PATH:
        return str(path), None
    if not Path("/proc/self/fd").is_dir():
        raise ControlError(f"the path {path} is too long for a socket: use a shorter state directory")
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{fd}/{path.name}", fd


def call(state: StateDirectory, request: dict[str, Any], timeout: float = 30.0) -> Any:
    """
    Ask the hub that runs in C{state}.  Blocks.

    @param request: as in the table above.
    @param timeout: seconds to wait for the answer.
    @return: the answer's C{result}.
    @raise NoHub: none runs there.
    @raise ControlError: it refused, or did not answer.
    """
    path, fd = shortPath(state.controlSocket)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            try:
                connection.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                raise NoHub(f"no hub is running in {state.path}: start one with twistd kernelhub") from None
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
    except OSError as e:
        raise ControlError(f"can't talk to the hub in {state.path}: {e.strerror or e}") from None
    finally:
        if fd is not None:
            os.close(fd)
    try:
        answer = json.loads(line)
    except ValueError:
        raise ControlError(f"the hub in {state.path} ended before it answered") from None
    if not answer["ok"]:
        raise ControlError(answer["error"])
    return answer["result"]


def offline(state: StateDirectory, request: dict[str, Any]) -> Any:
    """
    Serve a token command while no hub runs: the database is opened under the hub's lock.

    @return: as `call` would.
    @raise ControlError: another process holds the lock, the database can't be used, or the command is wrong.
    """
    command = _tokenCommand(request)
    try:
        state.open()
        lock = state.lock(LOCK)
    except IdentityError as e:
        raise ControlError(str(e)) from None
    try:
        prepare(state.database)
        with closing(connect(state.database)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            result = command(Transaction(connection, time.time()))
            connection.execute("COMMIT")
            return _checked(result)
    except DatabaseError as e:
        raise ControlError(str(e)) from None
    finally:
        os.close(lock)


def _tokenCommand(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    """
    What a token command does within a transaction.

    @raise ControlError: the command is wrong.
    """
    command = request.get("command")
    if command == "tokens list":
        return lambda transaction: tokens.list_(transaction.connection)
    if command not in ("tokens issue", "tokens revoke"):
        raise ControlError(f"unknown command {command!r}")
    try:
        aiId = checkAiId(str(request.get("ai_id", "")))
    except IdentityError as e:
        raise ControlError(str(e)) from None
    if command == "tokens issue":
        return lambda transaction: {"ai_id": aiId, "token": tokens.issue(transaction, aiId)}
    return lambda transaction: {"ai_id": aiId, "revoked": tokens.revoke(transaction, aiId), "disconnected": False}


def _checked(result: Any) -> Any:
    """@raise ControlError: there was nothing to revoke."""
    if isinstance(result, dict) and result.get("revoked") == 0:
        raise ControlError(f"{result['ai_id']} has no token that could be revoked")
    return result


class _ControlProtocol(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 64 * 1024
    log = Logger(namespace="kernelnet.hub")

    def __init__(self, hub: HubFactory) -> None:
        self._hub = hub

    def lineReceived(self, line: bytes) -> None:
        def answered(result: Any) -> dict[str, Any]:
            return {"ok": True, "result": result}

        def failed(failure: Failure) -> dict[str, Any]:
            if not failure.check(ControlError, WireProblem):
                self.log.failure("a control command failed", failure)
            return {"ok": False, "error": failure.getErrorMessage()}

        def send(answer: dict[str, Any]) -> None:
            self.sendLine(json.dumps(answer).encode())

        maybeDeferred(self._serve, line).addCallbacks(answered, failed).addCallback(send)

    def _serve(self, line: bytes) -> Deferred[Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            raise ControlError("a command is one JSON object in a line")
        serve = self._commands.get(str(request.get("command")))
        if serve is None:
            raise ControlError(f"unknown command {request.get('command')!r}")
        return serve(self, request)

    def _status(self, request: dict[str, Any]) -> Deferred[Any]:
        return self._hub.get_hub_status()

    def _issue(self, request: dict[str, Any]) -> Deferred[Any]:
        def issued(result: dict[str, Any]) -> dict[str, Any]:
            self._hub.registry.enrolled.add(result["ai_id"])
            return result

        return self._hub.source.write(_tokenCommand(request)).addCallback(issued)

    def _list(self, request: dict[str, Any]) -> Deferred[Any]:
        return self._hub.source.read(tokens.list_)

    def _revoke(self, request: dict[str, Any]) -> Deferred[Any]:
        def revoked(result: dict[str, Any]) -> dict[str, Any]:
            problem = WireProblem("bad_credentials", "your token was revoked")
            return {**result, "disconnected": self._hub.disconnect(result["ai_id"], problem)}

        return self._hub.source.write(_tokenCommand(request)).addCallback(_checked).addCallback(revoked)

    _commands: dict[str, Callable[[_ControlProtocol, dict[str, Any]], Deferred[Any]]] = {
        "status": _status,
        "tokens issue": _issue,
        "tokens list": _list,
        "tokens revoke": _revoke,
    }


class ControlFactory(Factory):
    """Serves the control socket of one hub."""

    noisy = False

    def __init__(self, hub: HubFactory) -> None:
        self._hub = hub

    def buildProtocol(self, addr: object) -> _ControlProtocol:
        return _ControlProtocol(self._hub)
