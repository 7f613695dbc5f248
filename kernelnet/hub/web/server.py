"""
Where the dashboard listens, and what every answer has in common.

``--dashboard`` takes a port (of the loopback interface), ``ADDRESS:PORT``, or ``off``.  On an address that others can
reach it speaks TLS with the hub's certificate, and does not start without one.
"""

from __future__ import annotations

import re
from importlib.resources import files
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IOpenSSLServerConnectionCreator, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from kernelnet.hub.connection.limits import Bounds
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.web import metrics
from kernelnet.hub.web.api import BadRequest, NotFound, Sources, answerTo
from kernelnet.hub.web.connection_limits import LimitingFactory, proved
from kernelnet.hub.web.error_pages import isBrowser, page
from kernelnet.hub.web.event_stream import PAGE, EventStreams
from kernelnet.hub.web.readiness import Readiness
from kernelnet.hub.web.response_cache import ResponseCache, maxAge
from kernelnet.hub.web.signin import NotAllowed, SignIn, TooManyFailures

__all__ = ["DEFAULT_PORT", "Dashboard", "DashboardError", "checkWhere", "endpointAt", "parseWhere"]

DEFAULT_PORT = 6080
MAX_URI = 4096

_HEADERS = (
    (
        b"Content-Security-Policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        b" base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cache-Control", b"no-store"),
)
_TYPES = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "yaml": b"application/yaml; charset=utf-8",
    "txt": b"text/plain; charset=utf-8",
}


class DashboardError(Exception):
    """It can't listen as asked; the text says why and what would be right."""


def parseWhere(text: str) -> tuple[str, int] | None:
    """
    Read what ``--dashboard`` says.

    @return: address and port; C{None}: not at all.
    @raise DashboardError: it says something else.
    """
    if text == "off":
        return None
    match = re.fullmatch(r"(?:\[?([^\]]+?)\]?:)?([0-9]{1,5})", text, re.ASCII)
    if match is None or int(match[2]) > 65535:
        raise DashboardError(f"--dashboard takes a port, ADDRESS:PORT or off, not {text!r}")
    try:
        address = ip_address(match[1] or "127.0.0.1")
    except ValueError:
        raise DashboardError(f"--dashboard {text}: the address must be a number such as 0.0.0.0 or [::1]") from None
    return str(address), int(match[2])


def checkWhere(where: tuple[str, int] | None, hasCertificate: bool) -> None:
    """@raise DashboardError: others can reach it, and there is no certificate to speak TLS with."""
    if where is not None and not hasCertificate and not ip_address(where[0]).is_loopback:
        raise DashboardError(
            f"--dashboard {where[0]}:{where[1]}: others can reach this address, and this hub has no certificate of "
            "its own to speak TLS with; give a port alone, and put a proxy before it"
        )


def endpointAt(
    reactor: Any, where: tuple[str, int], tls: IOpenSSLServerConnectionCreator | None
) -> IStreamServerEndpoint:
    """The place where a hub's HTTP face listens; with TLS where others can reach it (see `checkWhere`)."""
    address, port = where
    if tls is not None and not ip_address(address).is_loopback:
        return SSL4ServerEndpoint(reactor, port, tls, interface=address)
    kind = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
    return kind(reactor, port, interface=address)


class Dashboard:
    """
    The HTTP face of one hub.

    @ivar url: where it is, once it listens; C{site}: what answers there; C{limited}: the same, with its limits.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(
        self,
        sources: Sources,
        bounds: Bounds,
        reactor: Any,
        where: tuple[str, int],
        tls: IOpenSSLServerConnectionCreator | None = None,
    ) -> None:
        """
        @param bounds: limits of the hub, here on failed authentications.
        @param where: address and port, 0 for any that is free.
        @param tls: how to speak TLS; needed where others can reach the address, see `checkWhere`.
        """
        self.sources = sources
        self._reactor = reactor
        self._address, self._wanted = where
        checkWhere(where, tls is not None)
        self._tls = None if ip_address(self._address).is_loopback else tls
        self._port: IListeningPort | None = None
        clock = sources.clock
        self.signIn = SignIn(sources.log, bounds, clock.seconds, sources.wallClock)
        self.streams = EventStreams(sources.log, clock, sources.received)
        self.readiness = Readiness(sources.log, sources.connections, sources.silence)
        self._responses = ResponseCache(clock.seconds)
        self.url = ""
        self.site = Site(_Root(self), requestFactory=_Request, reactor=clock)
        self.limited = LimitingFactory(self.site)
        self.site.noisy = False
        # Access to it is not worth a line each; what fails is logged.
        self.site.log = lambda request: None  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<Dashboard {self.url or 'not listening'}>"

    @property
    def cookie(self) -> bytes:
        """A session's name: browsers send a host's cookies to all of its ports, and there may be a hub on each."""
        return b"kernelnet_session_%d" % (urlsplit(self.url).port or 0)

    @property
    def isSecure(self) -> bool:
        return self._tls is not None

    def start(self) -> Deferred[None]:
        """Fires when it listens; fails with L{CannotListenError}."""
        endpoint = endpointAt(self._reactor, (self._address, self._wanted), self._tls)

        def listening(port: IListeningPort) -> None:
            self._port = port
            host: Any = port.getHost()
            shown = f"[{host.host}]" if ":" in host.host else host.host
            self.url = f"{'https' if self._tls is not None else 'http'}://{shown}:{host.port}/"
            self.sources.traffic.start()

        result: Deferred[None] = endpoint.listen(self.limited).addCallback(listening)
        return result

    def link(self) -> str:
        """An address that signs one browser in, once."""
        return f"{self.url}signin?link={self.signIn.link()}"

    def stop(self) -> Deferred[None]:
        """Fires when it no longer listens; streams end at once."""
        self.streams.stop()
        self.sources.traffic.stop()
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening).addCallback(lambda _: None)

    # --- answers

    def serve(self, request: Request) -> object:
        for name, value in _HEADERS:
            request.setHeader(name, value)
        path = request.path.decode("ascii", "replace")
        if len(request.uri) > MAX_URI:
            return self._refuse(request, 414, "the address is too long")
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"Allow", b"GET, HEAD")
            return self._refuse(request, 405, "only GET is answered")
        if path == "/livez":
            return self._text(request, 200, b"alive\n")
        if path == "/readyz" and self._session(request) is None and _bearer(request) is None:  # such as a balancer
            return self._ready(request, words=False)
        if path == "/signin":
            return self._enter(request)
        allowed = self.signIn.check(_host(request), self._session(request), _bearer(request))
        allowed.addCallback(lambda _: self._answer(request, path)).addErrback(self._failed, request)
        return NOT_DONE_YET

    def _session(self, request: Request) -> str | None:
        cookie = request.getCookie(self.cookie)
        return cookie.decode("ascii", "replace") if cookie is not None else None

    def _answer(self, request: Request, path: str) -> object:
        if _isGone(request):
            return NOT_DONE_YET  # while it was looked up who it is
        proved(request)
        if path == "/api/events":
            return self._stream(request)
        if path == "/api/openapi.yaml":
            return self._static(request, "openapi.yaml")
        if path.startswith("/api/"):
            names = tuple(unquote(name) for name in path.removeprefix("/api/").split("/"))
            arguments = _arguments(request)
            answer = self._responses.ask(
                request.uri,
                maxAge(request.getHeader(b"cache-control")),
                lambda: answerTo(self.sources, names, arguments),
            )
            return answer.addCallback(self._encoded, request)
        if path == "/readyz":
            return self._ready(request, words=True)
        if path == "/metrics":
            return self.sources.status.fullStatus().addCallback(self._metrics, request)
        return self._static(request, "index.html" if path == "/" else path[1:])

    def _ready(self, request: Request, words: bool) -> object:
        if (problem := self.readiness.problem()) is None:
            return self._text(request, 200, b"ready\n")
        return self._text(request, 503, f"not ready: {problem.sentence if words else problem.word}\n".encode())

    def _enter(self, request: Request) -> object:
        if request.method == b"HEAD":
            # Who only looks what is there, such as a program that shows links, does not use it up.
            request.setHeader(b"Allow", b"GET")
            return self._refuse(request, 405, "only GET signs in")
        try:
            session = self.signIn.enter(_host(request), _arguments(request).get("link", ""))
        except (NotAllowed, TooManyFailures, BadRequest) as error:
            # Who goes back to the link that signed this browser in is signed in.
            if isinstance(error, BadRequest) or not self.signIn.isSignedIn(self._session(request)):
                return self._failed(Failure(error), request)
        else:
            request.addCookie(
                self.cookie, session.encode("ascii"), path=b"/", httpOnly=True, secure=self.isSecure, sameSite=b"strict"
            )
        request.redirect(b"/")
        request.finish()
        return NOT_DONE_YET

    def _stream(self, request: Request) -> object:
        if self.streams.full:
            return self._refuse(request, 503, "too many streams are open")
        last = request.getHeader(b"last-event-id")
        arguments = _arguments(request)
        # The header first: a browser that comes back by itself sends it, with the address that it began with.
        text = last.decode("utf-8", "replace") if last is not None else arguments.get("after") or None
        if text is not None and not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise BadRequest("after: it should be the number of the last event that you have")
        most = arguments.get("most")
        if most is not None and not (re.fullmatch(r"[0-9]{1,4}", most, re.ASCII) and 1 <= int(most) <= PAGE):
            raise BadRequest(f"most: it should be 1 to {PAGE} events a second")
        request.setHeader(b"Content-Type", b"text/event-stream")
        # For proxies that would gather it first.
        request.setHeader(b"X-Accel-Buffering", b"no")
        if request.method == b"HEAD":
            return _finish(request, b"")
        self.streams.join(request, int(text) if text is not None else None, int(most) if most is not None else None)
        return NOT_DONE_YET

    def _metrics(self, status: dict[str, Any], request: Request) -> Deferred[object]:
        sources, now = self.sources, self.sources.wallClock()
        head = sources.log.head

        def learned(reader: Reader) -> metrics.Learned:
            return metrics.learned(reader, sources.progress.tasks(reader, head), sources.searches, now)

        return sources.log.read(learned).addCallback(self._renderMetrics, status, request)

    def _renderMetrics(self, learned: metrics.Learned, status: dict[str, Any], request: Request) -> object:
        sources = self.sources
        text = metrics.render(
            status,
            learned,
            startedAt=sources.status.startedAt,
            streams=len(self.streams),
            slow=len(sources.connections.lagging()),
            commits=sources.log.commits,
        )
        request.setHeader(b"Content-Type", metrics.CONTENT_TYPE)
        return _finish(request, text)

    def _encoded(self, body: bytes, request: Request) -> object:
        request.setHeader(b"Content-Type", b"application/json")
        return _finish(request, body)

    def _static(self, request: Request, name: str) -> object:
        kind = _TYPES.get(name.rpartition(".")[2])
        if kind is None or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name, re.ASCII):
            raise NotFound(f"there is no /{name}")
        file = files("kernelnet.hub.web") / "static" / name
        if not file.is_file():
            raise NotFound(f"there is no /{name}")
        request.setHeader(b"Content-Type", kind)
        return _finish(request, file.read_bytes())

    def _text(self, request: Request, code: int, text: bytes) -> object:
        request.setResponseCode(code)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return _finish(request, text)

    def _refuse(self, request: Request, code: int, why: str) -> object:
        request.setResponseCode(code)
        if isBrowser(request):
            request.setHeader(b"Content-Type", _TYPES["html"])
            return _finish(request, page(code, why))
        request.setHeader(b"Content-Type", b"application/json")
        return _finish(request, msgspec.json.encode({"error": why}))

    def _failed(self, failure: Failure, request: Request) -> object:
        error = failure.value
        if isinstance(error, NotAllowed):
            request.setHeader(b"WWW-Authenticate", b'Bearer realm="kernelnet"')
            code = 401
        elif isinstance(error, TooManyFailures):
            request.setHeader(b"Retry-After", b"%d" % error.wait)
            code = 429
        elif isinstance(error, BadRequest | NotFound):
            code = 400 if isinstance(error, BadRequest) else 404
        else:
            self.log.failure("answering {path} failed", failure, path=request.path.decode("ascii", "replace")[:200])
            code, error = 500, Exception("the hub could not answer; its log says why")
        return self._refuse(request, code, str(error))


class _Request(server.Request):
    """Nothing here takes a body: what comes of one is dropped, not kept in a file until all of it is there."""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        pass


class _Root(Resource):
    isLeaf = True

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__()
        self._dashboard = dashboard

    def render(self, request: Request) -> Any:
        return self._dashboard.serve(request)


def _finish(request: Request, body: bytes) -> object:
    """Write an answer, if anybody is there to read it."""
    if _isGone(request):
        return NOT_DONE_YET
    request.setHeader(b"Content-Length", b"%d" % len(body))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()
    return NOT_DONE_YET


def _isGone(request: Request) -> bool:
    return request.channel is None or request._disconnected


def _arguments(request: Request) -> dict[str, str]:
    """@raise BadRequest: one is there twice, or is no UTF-8."""
    found = {}
    for name, values in (request.args or {}).items():
        if len(values) > 1:
            raise BadRequest(f"the argument {name.decode('utf-8', 'replace')!r} is given twice")
        try:
            found[name.decode("utf-8")] = values[0].decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest("an argument is no UTF-8") from None
    return found


def _host(request: Request) -> str | None:
    return getattr(request.getClientAddress(), "host", None)


def _bearer(request: Request) -> str | None:
    # As bytes: of a header that is no UTF-8 Twisted makes no text.
    header = (request.getHeader(b"authorization") or b"").decode("utf-8", "replace")
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None
