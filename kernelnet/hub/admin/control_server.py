"""
The control socket, by which C{kernelnet} commands talk to a running hub.

One JSON object per line, over C{hub.sock} in the state directory, which only the hub's user can reach::

    -> {"command": "status"}                        <- {"ok": true, "result": {…}}
    -> {"command": "tokens issue", "ai_id": "AI_9"} <- {"ok": true, "result": {"ai_id": "AI_9", "token": "…"}}
    -> {"command": "tokens invite", "ai_id": "AI_9", "expires": 3600} <- {…, "result": {"join": "KN1.…", …}}
    -> {"command": "tokens rotate", "ai_id": "AI_9", "grace": 3600, "expires": …, "token": false}
                                                    <- {"ok": true, "result": {"delivered": true, …}}
    -> {"command": "tokens owner", "ai_id": "AI_9", "owner": "alice"} <- {…, "result": {…}}
    -> {"command": "tokens list"}                   <- {"ok": true, "result": [{…}, …]}
    -> {"command": "tokens revoke", "ai_id": "…"}   <- {"ok": true, "result": {"revoked": 1, "disconnected": true}}
    -> {"command": "backup", "file": "/…"}          <- {"ok": true, "result": {"file": "/…", "bytes": …, "events": …}}
    -> {"command": "restore", "file": "/…"}         <- {…, "result": {"events": …, "log_id": …, "former": "/…"}}
    -> {"command": "certs show"}                    <- {"ok": true, "result": {"subject": …, "expires": …, …}}
    -> {"command": "certs renew", "hosts": […]}     <- the same, of the new one
                                                    <- {"ok": false, "error": "what was wrong"}

With C{"tell": true} a backup or a restore says how far it is, in lines before the answer::

    <- {"doing": "copying", "done": 4096, "total": 9000}    (total: null where nobody knows)

`kernelnet.hub.admin.control_client` is the other side.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from kernelnet.hub.admin import online_backup
from kernelnet.hub.admin.control_client import hostsOf, presented
from kernelnet.hub.admin.status import HubStatus
from kernelnet.hub.auth import tokens
from kernelnet.hub.auth.certificates import HubCertificates
from kernelnet.hub.auth.token_commands import ControlError, checked, tokenCommand
from kernelnet.hub.connection.connections import Connections
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.errors import DatabaseError
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.identity import IdentityError
from kernelnet.message import MessageType, TrainingSync
from kernelnet.wire import WireProblem

__all__ = ["ControlFactory"]


class _ControlProtocol(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 64 * 1024
    log = Logger(namespace="kernelnet.hub")

    def __init__(self, hub: ControlFactory) -> None:
        self._hub = hub

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
        return self._hub.status.fullStatus()

    def _tokens(self, request: dict[str, Any]) -> Deferred[Any]:
        digest = self._digest() if request["command"] == "tokens invite" else ""

        def present(result: Any) -> Any:
            if isinstance(result, dict) and "owner" in result:
                self._hub.directory.owned(result["ai_id"], result["owner"])
                self._hub.tell(owned=[(result["ai_id"], result["owner"])])
            return presented(result, request, lambda: digest)

        return self._hub.log.write(tokenCommand(request)).addCallback(checked).addCallback(present)

    def _dashboard(self, request: dict[str, Any]) -> Any:
        if self._hub.link is None:
            raise ControlError("this hub has no dashboard: it was started with --dashboard off")
        return {"url": self._hub.link()}

    def _list(self, request: dict[str, Any]) -> Deferred[Any]:
        return self._hub.log.read(tokens.list_)

    def _rotate(self, request: dict[str, Any]) -> Deferred[Any]:
        def rotated(result: dict[str, Any]) -> Any:
            connection = self._hub.connections.byId.get(result["ai_id"])
            if request.get("token") is not True and connection is not None and connection.mayRenew:
                connection.send(MessageType.TRAINING_SYNC, TrainingSync(credential=result["token"]))
                result["delivered"] = True
            elif request.get("token") is not True and connection is None:
                self._hub.tell(rotated=[result["ai_id"]])
            return presented(result, request, str)

        return self._hub.log.write(tokenCommand(request)).addCallback(checked).addCallback(rotated)

    def _revoke(self, request: dict[str, Any]) -> Deferred[Any]:
        def revoked(result: dict[str, Any]) -> dict[str, Any]:
            problem = WireProblem("bad_credentials", "your token was revoked")
            return {**result, "disconnected": self._hub.connections.disconnect(result["ai_id"], problem)}

        return self._hub.log.write(tokenCommand(request)).addCallback(checked).addCallback(revoked)

    def _digest(self) -> str:
        return self._hasCertificates().digest()

    def _showCertificate(self, request: dict[str, Any]) -> Any:
        return self._hasCertificates().show()

    def _renewCertificate(self, request: dict[str, Any]) -> Any:
        return self._hasCertificates().renew(hostsOf(request))

    def _hasCertificates(self) -> HubCertificates:
        if self._hub.certificates is None:
            raise ControlError("this hub's TLS is not its own (see --port): it has no certificate to show or renew")
        return self._hub.certificates

    def _backup(self, request: dict[str, Any]) -> Any:
        backingUp = online_backup.backUp(self._hub.log.engine, self._file(request), self._teller(request))
        return Deferred.fromCoroutine(backingUp)

    def _restore(self, request: dict[str, Any]) -> Any:
        hub = self._hub
        restoring = online_backup.restore(
            self._file(request),
            log=hub.log,
            directory=hub.directory,
            connections=hub.connections,
            tell=self._teller(request),
        )
        return Deferred.fromCoroutine(restoring)

    def _teller(self, request: dict[str, Any]) -> Tell:
        """Function that takes another thread's words of how far it is to who asked."""
        if request.get("tell") is not True:
            return silent
        from twisted.internet import reactor

        def tell(what: str, done: int, total: int | None) -> None:
            line = json.dumps({"doing": what, "done": done, "total": total}).encode()
            reactor.callFromThread(self.sendLine, line)  # type: ignore[attr-defined]

        return tell

    def _file(self, request: dict[str, Any]) -> Path:
        file = request.get("file")
        if not isinstance(file, str) or not Path(file).is_absolute():
            raise ControlError("`file` must be an absolute path")
        return Path(file)

    _commands: dict[str, Callable[[_ControlProtocol, dict[str, Any]], Any]] = {
        "backup": _backup,
        "restore": _restore,
        "status": _status,
        "tokens issue": _tokens,
        "tokens invite": _tokens,
        "tokens list": _list,
        "tokens owner": _tokens,
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

    @param directory: of the AIs that are known.
    @param tell: says something to all other nodes: fields of `kernelnet.hub.storage.cluster.Told`.
    @param certificates: C{None} where the hub's TLS is not its own.
    @ivar link: makes an address that signs one browser in to the dashboard; C{None}: there is no dashboard.
    """

    noisy = False
    link: Callable[[], str] | None = None

    def __init__(
        self,
        log: EventLog,
        connections: Connections,
        directory: Directory,
        status: HubStatus,
        *,
        certificates: HubCertificates | None = None,
        tell: Callable[..., None] = lambda **what: None,
    ) -> None:
        self.log = log
        self.connections = connections
        self.directory = directory
        self.status = status
        self.certificates = certificates
        self.tell = tell

    def buildProtocol(self, addr: object) -> _ControlProtocol:
        return _ControlProtocol(self)
