"""
The control socket: how C{kernelnet} commands talk to a running hub.

One JSON object per line, over C{hub.sock} in the state directory, which only the hub's user can reach::

    -> {"command": "status"}                        <- {"ok": true, "result": {…}}
    -> {"command": "tokens issue", "ai_id": "AI_9"} <- {"ok": true, "result": {"ai_id": "AI_9", "token": "…"}}
    -> {"command": "tokens invite", "ai_id": "AI_9", "expires": 3600} <- {…, "result": {"join": "KN1.…", …}}
    -> {"command": "tokens rotate", "ai_id": "AI_9", "grace": 3600, "expires": …, "token": false}
                                                    <- {"ok": true, "result": {"delivered": true, …}}
    -> {"command": "tokens list"}                   <- {"ok": true, "result": [{…}, …]}
    -> {"command": "tokens revoke", "ai_id": "…"}   <- {"ok": true, "result": {"revoked": 1, "disconnected": true}}
    -> {"command": "backup", "file": "/…"}          <- {"ok": true, "result": {"file": "/…", "bytes": …, "events": …}}
    -> {"command": "restore", "file": "/…"}         <- {…, "result": {"events": …, "log_id": …, "former": "/…"}}
    -> {"command": "certs show"}                    <- {"ok": true, "result": {"subject": …, "expires": …, …}}
    -> {"command": "certs renew", "hosts": […]}     <- the same, of the new one
                                                    <- {"ok": false, "error": "what was wrong"}

With C{"tell": true} a backup or a restore says how far it is, in lines before the answer::

    <- {"doing": "copying", "done": 4096, "total": 9000}    (total: null where nobody knows)

`call` is the client's side.  While no hub runs, `offline` serves the commands about tokens and certificates itself.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from kernelnet.hub.admin import online_backup
from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.certificates import HubCertificates, offlineRenew, offlineShow, rootDigest
from kernelnet.hub.auth.token_commands import ControlError, checked, tokenCommand
from kernelnet.hub.storage import offline as offlineDatabase
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.identity import IdentityError, JoinString, StateDirectory
from kernelnet.message import MessageType, TrainingSync
from kernelnet.wire import WireProblem

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["ControlError", "ControlFactory", "NoHub", "call", "offline", "shortPath"]

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
    """The line that ends the conversation; C{None} if there is none."""
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
    if not state.database.exists():
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
        os.close(lock)


def _offlineTokens(state: StateDirectory, request: dict[str, Any]) -> Any:
    result = offlineDatabase.write(state.database, tokenCommand(request), time.time())
    return _presented(checked(result), request, lambda: rootDigest(state))


def _offlineCertificates(state: StateDirectory, request: dict[str, Any]) -> Any:
    now = datetime.now(UTC)
    if request["command"] == "certs show":
        return offlineShow(state, now)
    if request["command"] == "certs renew":
        return offlineRenew(state, _hosts(request), now)
    raise ControlError(f"unknown command {request['command']!r}")


def _hosts(request: dict[str, Any]) -> list[str]:
    hosts = request.get("hosts") or []
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise ControlError("`hosts` must be a list of names")
    return hosts


def _presented(result: Any, request: dict[str, Any], digest: Callable[[], str]) -> Any:
    """What the asker gets to see: a secret as a join string; a rotated token only if it was asked for."""
    if request["command"] == "tokens invite":
        join = JoinString(digest(), result.pop("secret"))
        return {**result, "join": str(join)}
    if request["command"] == "tokens rotate" and request.get("token") is not True:
        result.pop("token")
    return result


class _ControlProtocol(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 64 * 1024
    log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        hub: HubFactory,
        certificates: HubCertificates | None,
        state: StateDirectory | None,
        link: Callable[[], str] | None,
    ) -> None:
        self._hub = hub
        self._link = link
        self._certificates = certificates
        self._state = state

    def lineReceived(self, line: bytes) -> None:
        def answered(result: Any) -> dict[str, Any]:
            return {"ok": True, "result": result}

        def failed(failure: Failure) -> dict[str, Any]:
            if not failure.check(ControlError, WireProblem, IdentityError, DatabaseError):
                self.log.failure("a control command failed", failure)
            return {"ok": False, "error": failure.getErrorMessage()}

        def send(answer: dict[str, Any]) -> None:
            self.sendLine(json.dumps(answer).encode())

        maybeDeferred(self._serve, line).addCallbacks(answered, failed).addCallback(send)

    def _serve(self, line: bytes) -> Any:
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

    def _tokens(self, request: dict[str, Any]) -> Deferred[Any]:
        digest = self._digest() if request["command"] == "tokens invite" else ""

        def present(result: Any) -> Any:
            return _presented(result, request, lambda: digest)

        return self._hub.source.write(tokenCommand(request)).addCallback(checked).addCallback(present)

    def _dashboard(self, request: dict[str, Any]) -> Any:
        if self._link is None:
            raise ControlError("this hub has no dashboard: it was started with --dashboard off")
        return {"url": self._link()}

    def _list(self, request: dict[str, Any]) -> Deferred[Any]:
        return self._hub.source.read(tokens.list_)

    def _rotate(self, request: dict[str, Any]) -> Deferred[Any]:
        def rotated(result: dict[str, Any]) -> Any:
            connection = self._hub.byId.get(result["ai_id"])
            if request.get("token") is not True and connection is not None and connection.mayRenew:
                connection.send(MessageType.TRAINING_SYNC, TrainingSync(credential=result["token"]))
                result["delivered"] = True
            return _presented(result, request, str)

        return self._hub.source.write(tokenCommand(request)).addCallback(checked).addCallback(rotated)

    def _revoke(self, request: dict[str, Any]) -> Deferred[Any]:
        def revoked(result: dict[str, Any]) -> dict[str, Any]:
            problem = WireProblem("bad_credentials", "your token was revoked")
            return {**result, "disconnected": self._hub.disconnect(result["ai_id"], problem)}

        return self._hub.source.write(tokenCommand(request)).addCallback(checked).addCallback(revoked)

    def _digest(self) -> str:
        return self._hasCertificates().digest()

    def _showCertificate(self, request: dict[str, Any]) -> Any:
        return self._hasCertificates().show()

    def _renewCertificate(self, request: dict[str, Any]) -> Any:
        return self._hasCertificates().renew(_hosts(request))

    def _hasCertificates(self) -> HubCertificates:
        if self._certificates is None:
            raise ControlError("this hub's TLS is not its own (see --port): it has no certificate to show or renew")
        return self._certificates

    def _backup(self, request: dict[str, Any]) -> Any:
        return Deferred.fromCoroutine(
            online_backup.backUp(self._hub.source.engine, self._file(request), self._teller(request))
        )

    def _restore(self, request: dict[str, Any]) -> Any:
        return Deferred.fromCoroutine(online_backup.restore(self._hub, self._file(request), self._teller(request)))

    def _teller(self, request: dict[str, Any]) -> Tell:
        """What takes another thread's words of how far it is to who asked."""
        if request.get("tell") is not True:
            return silent
        from twisted.internet import reactor

        def tell(what: str, done: int, total: int | None) -> None:
            line = json.dumps({"doing": what, "done": done, "total": total}).encode()
            reactor.callFromThread(self.sendLine, line)  # type: ignore[attr-defined]

        return tell

    def _file(self, request: dict[str, Any]) -> Path:
        file = request.get("file")
        if self._state is None or not isinstance(file, str) or not Path(file).is_absolute():
            raise ControlError("`file` must be an absolute path")
        return Path(file)

    _commands: dict[str, Callable[[_ControlProtocol, dict[str, Any]], Any]] = {
        "backup": _backup,
        "restore": _restore,
        "status": _status,
        "tokens issue": _tokens,
        "tokens invite": _tokens,
        "tokens list": _list,
        "tokens revoke": _revoke,
        "tokens rotate": _rotate,
        "viewers issue": _tokens,
        "viewers revoke": _tokens,
        "dashboard": _dashboard,
        "certs show": _showCertificate,
        "certs renew": _renewCertificate,
    }


class ControlFactory(Factory):
    """
    Serves the control socket of one hub.

    @param certificates: C{None} where the hub's TLS is not its own.
    @param state: where the database is; C{None}: it can't be backed up or restored.
    @ivar link: makes an address that signs one browser in to the dashboard; C{None}: there is no dashboard.
    """

    noisy = False
    link: Callable[[], str] | None = None

    def __init__(
        self, hub: HubFactory, certificates: HubCertificates | None = None, state: StateDirectory | None = None
    ) -> None:
        self._hub = hub
        self._certificates = certificates
        self._state = state

    def buildProtocol(self, addr: object) -> _ControlProtocol:
        return _ControlProtocol(self._hub, self._certificates, self._state, self.link)
