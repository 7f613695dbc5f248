"""
The client's side of the control socket (`kernelnet.hub.admin.control_server`), for commands.

`call` asks the hub that runs; while none runs, `offline` serves the commands about tokens and certificates itself.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernelnet.hub.auth.certificates import offlineRenew, offlineShow, rootDigest
from kernelnet.hub.auth.token_commands import ControlError, checked, tokenCommand
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.hub.storage.offline import databaseOf
from kernelnet.identity import IdentityError, JoinString, StateDirectory

__all__ = ["LOCK", "ControlError", "NoHub", "call", "hostsOf", "offline", "presented", "shortPath"]

LOCK = "hub.lock"
"""The lock file that a hub holds in its state directory."""

_MAX_PATH = 100
"""A socket's path has about 107 bytes, and the lock that stands beside it needs five of them."""


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


def call(state: StateDirectory, request: dict[str, Any], timeout: float = 30.0, tell: Tell = silent) -> Any:
    """
    Ask the hub that runs in C{state}.  Blocks.

    @param request: as in the table above.
    @param timeout: seconds to wait for each line of the answer.
    @param tell: is told how far the hub is, if the request asks for that.
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
                answer = _answer(answers, tell)
    except OSError as e:
        raise ControlError(f"can't talk to the hub in {state.path}: {e.strerror or e}") from None
    finally:
        if fd is not None:
            os.close(fd)
    if answer is None:
        raise ControlError(f"the hub in {state.path} ended before it answered")
    if not answer["ok"]:
        raise ControlError(answer["error"])
    return answer["result"]


def _answer(lines: Iterable[bytes], tell: Tell) -> Any:
    """Line that ends the conversation; C{None} if there is none."""
    for line in lines:
        try:
            answer = json.loads(line)
        except ValueError:
            return None
        if "ok" in answer:
            return answer
        tell(answer["doing"], answer["done"], answer["total"])
    return None


def offline(state: StateDirectory, request: dict[str, Any]) -> Any:
    """
    Serve a command about tokens or certificates while no hub runs, under the hub's lock.

    @return: as `call` would.
    @raise ControlError: another process holds the lock, the database can't be used, or the command is wrong.
    """
    name = str(request.get("command"))
    serve = _offlineCertificates if name.startswith("certs ") else _offlineTokens
    try:
        there = databaseOf(state.path).exists()
    except DatabaseError as e:
        raise ControlError(str(e)) from None
    if not there:
        # A mistyped path must not become a new hub, whose tokens no other would know.
        raise NoHub(f"no hub has ever run in {state.path}: start one with twistd kernelhub, or give its --state")
    try:
        state.open()
        lock = state.lock(LOCK)
    except IdentityError as e:
        raise ControlError(str(e)) from None
    try:
        return serve(state, request)
    except (DatabaseError, IdentityError) as e:
        raise ControlError(str(e)) from None
    finally:
        state.unlock(lock)


def _offlineTokens(state: StateDirectory, request: dict[str, Any]) -> Any:
    result = databaseOf(state.path).write(tokenCommand(request), time.time())
    return presented(checked(result), request, lambda: rootDigest(state))


def _offlineCertificates(state: StateDirectory, request: dict[str, Any]) -> Any:
    now = datetime.now(UTC)
    if request["command"] == "certs show":
        return offlineShow(state, now)
    if request["command"] == "certs renew":
        return offlineRenew(state, hostsOf(request), now)
    raise ControlError(f"unknown command {request['command']!r}")


def hostsOf(request: dict[str, Any]) -> list[str]:
    """
    Names that a certificate shall be for besides the machine's own.

    @raise ControlError: they are none.
    """
    hosts = request.get("hosts") or []
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise ControlError("`hosts` must be a list of names")
    return hosts


def presented(result: Any, request: dict[str, Any], digest: Callable[[], str]) -> Any:
    """Result as the asker gets to see it: a secret as a join string; a rotated token only if it was asked for."""
    if request["command"] == "tokens invite":
        join = JoinString(digest(), result.pop("secret"))
        return {**result, "join": str(join)}
    if request["command"] == "tokens rotate" and request.get("token") is not True:
        result.pop("token")
    return result
