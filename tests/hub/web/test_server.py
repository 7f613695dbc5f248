"""Who is answered, with what, and what every answer forbids a browser to do."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.web.connection_limits import BOUNDS, REQUEST_WITHIN
from kernelnet.hub.web.server import DashboardError, checkWhere, parseWhere
from kernelnet.hub.web.signin import LINK_LASTS, SESSION_LASTS
from kernelnet.identity import ReplaceableTLS
from kernelnet.wire import WireProblem
from tests.hub.support import Transport
from tests.hub.web.support import WebTestCase

PATHS = (
    "/api/status",
    "/api/ais",
    "/api/components",
    "/api/patterns",
    "/api/sessions",
    "/api/progress",
    "/api/families",
    "/api/sites",
    "/api/traffic",
    "/api/events",
    "/api/openapi.yaml",
    "/metrics",
    "/",
    "/app.js",
    "/nothing",
)


class AccessTests(WebTestCase):
    def test_nobody(self) -> None:
        """Without a session or a viewer's token nothing answers but whether the hub is alive."""
        self.assertEqual((self.ask("/livez", None).code, self.ask("/livez", None).body), (200, b"alive\n"))
        for path in PATHS:
            answer = self.ask(path, None)
            self.assertEqual((answer.code, set(answer.json)), (401, {"error"}), path)
            self.assertIn("Bearer", answer.headers["www-authenticate"])

    def test_balancer(self) -> None:
        """A balancer asks without a token whether messages are taken, and is told no more than one fixed word."""
        self.assertEqual((self.ask("/readyz", None).code, self.ask("/readyz", None).body), (200, b"ready\n"))
        self.assertEqual(self.ask("/readyz", "guess").code, 401)
        self.hub.log.findStorageProblem = lambda: WireProblem("storage_full", "/var/secret is full")
        self.assertEqual(
            (self.ask("/readyz", None).code, self.ask("/readyz", None).body), (503, b"not ready: storage\n")
        )
        self.assertIn(b"/var/secret", self.ask("/readyz").body)
        self.hub.log.findStorageProblem = lambda: None
        self.hub.otherNodes.drain(True)
        self.assertEqual(self.ask("/readyz", None, method="HEAD").code, 503)
        self.assertEqual(self.ask("/readyz", None).body, b"not ready: draining\n")
        self.hub.otherNodes.drain(False)
        with mock.patch.object(self.hub.cluster, "silence", 7.0):
            self.assertEqual(self.ask("/readyz", None).body, b"not ready: database\n")
        with mock.patch.object(self.hub.cluster, "silence", math.inf):
            self.assertEqual(self.ask("/readyz", None).body, b"not ready: starting\n")
        with mock.patch.object(EventLog, "backlogged", True):
            self.assertEqual(self.ask("/readyz", None).body, b"not ready: busy\n")

    def test_viewer(self) -> None:
        """A viewer's token opens all, until it is revoked; an AI's token opens nothing."""
        self.assertEqual(self.ask("/api/status").code, 200)
        other = self.hub.issue("AI_1")
        self.assertEqual(self.ask("/api/status", other).code, 401)
        self.hub.transact(lambda transaction: tokens.revoke(transaction, tokens.viewerId("test")))
        self.assertEqual(self.ask("/api/status").code, 401)

    def test_expired(self) -> None:
        """A token that was issued for a while works no longer."""
        token = self.hub.transact(lambda transaction: tokens.issueViewer(transaction, "short", 60))
        self.assertEqual(self.ask("/api/ais", token).code, 200)
        self.hub.clock.advance(61)
        self.assertEqual(self.ask("/api/ais", token).code, 401)

    def test_noAi(self) -> None:
        """No AI gets in by a viewer's token, whatever it calls itself."""
        for name in ("test", "viewer:test", "AI_1"):
            self.assertIs(
                tokens.check(self.hub.stored, name, self.token, "0" * 64, self.hub.now()), tokens.Grant.REFUSED
            )

    def test_link(self) -> None:
        """A link works once and in time; its cookie is for this site alone and unseen by scripts."""
        link = self.dashboard.link().removeprefix(self.dashboard.url.rstrip("/"))
        looked = self.ask(link, None, method="HEAD")
        self.assertEqual((looked.code, looked.headers["allow"]), (405, "GET"))
        entered = self.ask(link, None)
        self.assertEqual((entered.code, entered.headers["location"]), (302, "/"))
        cookie = entered.headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=strict", "Path=/"):
            self.assertIn(word, cookie)
        self.assertNotIn("Secure", cookie)
        value = cookie.partition(";")[0]
        self.assertEqual(value.partition("=")[0], "kernelnet_session_6080")
        self.assertEqual(self.ask("/api/status", None, Cookie=value).code, 200)
        self.assertEqual(self.ask(link, None).code, 401)
        self.assertEqual(self.ask("/api/status", None, Cookie=value[:-1] + "!").code, 401)
        self.hub.clock.advance(SESSION_LASTS + 1)
        self.assertEqual(self.ask("/api/status", None, Cookie=value).code, 401)
        late = self.dashboard.link().removeprefix(self.dashboard.url.rstrip("/"))
        self.hub.clock.advance(LINK_LASTS + 1)
        self.assertEqual(self.ask(late, None).code, 401)

    def test_browser(self) -> None:
        """Who reads with a browser is told on a page what to do; what asks for no page by name gets JSON."""
        html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for path in ("/", "/api/status", "/signin?link=x"):
            answer = self.ask(path, None, **html)
            text = answer.body.decode()
            self.assertEqual((answer.code, answer.headers["content-type"]), (401, "text/html; charset=utf-8"), path)
            self.assertIn("<code>kernelnet dashboard</code> prints a new address", text)
            self.assertNotIn("<script", text)
            self.assertNotIn("<style", text)
            self.assertEqual(set(self.ask(path, None, Accept="*/*").json), {"error"})
        missing = self.ask("/<img>", **html)
        self.assertEqual(missing.code, 404)
        self.assertIn("There is no /&lt;img&gt;.", missing.body.decode())

    def test_linkAgain(self) -> None:
        """Who goes back to the link that signed him in gets to the dashboard, by the session that he has."""
        link = self.dashboard.link().removeprefix(self.dashboard.url.rstrip("/"))
        cookie = self.ask(link, None).headers["set-cookie"].partition(";")[0]
        again = self.ask(link, None, Cookie=cookie, Accept="text/html")
        self.assertEqual((again.code, again.headers["location"]), (302, "/"))
        self.assertNotIn("set-cookie", again.headers)
        self.assertEqual(self.ask(link, None, Cookie=cookie[:-1] + "!", Accept="text/html").code, 401)
        self.hub.clock.advance(SESSION_LASTS + 1)
        self.assertEqual(self.ask(link, None, Cookie=cookie, Accept="text/html").code, 401)

    def test_bruteForce(self) -> None:
        """Who tries too many is not looked at for a while, not even with the right one; his neighbour is."""
        codes = [self.ask("/api/status", f"guess{n}").code for n in range(40)]
        self.assertEqual(codes[0], 401)
        self.assertEqual(codes[-1], 429)
        answer = self.ask("/api/status")
        self.assertEqual(answer.code, 429)
        codes = [self.ask("/signin?link=x", None).code for n in range(40)]
        self.assertEqual((codes[0], codes[-1]), (401, 429))
        self.assertEqual(self.ask("/api/status", host="192.0.2.2").code, 200)
        self.hub.clock.advance(int(answer.headers["retry-after"]))
        self.assertEqual(self.ask("/api/status").code, 200)

    def test_sharedAddress(self) -> None:
        """Behind one address, such as a proxy's, nobody's guesses lock out a token that was right there before."""
        self.assertEqual(self.ask("/api/status").code, 200)
        for n in range(40):
            self.ask("/api/status", f"guess{n}")
        self.assertEqual(self.ask("/api/status", "guess").code, 429)
        self.assertEqual(self.ask("/api/status").code, 200)
        self.assertEqual(self.ask(self.dashboard.link().removeprefix("http://127.0.0.1:6080"), None).code, 302)

    def test_atOnce(self) -> None:
        """However many requests with the right token come at once, all are answered; of guesses only the first are."""
        for token, expected in (("", {200: 40}), ("guess", {401: 5, 429: 35})):
            self.hub.reader.held = True
            header = f"Bearer {token or self.token}"
            waiting = [self.open("/api/ais", Authorization=header) for _ in range(40)]
            self.hub.reader.held = False
            self.hub.reader.release()
            codes = Counter(int(transport.value().split()[1]) for transport in waiting)
            self.assertEqual(codes, expected)
        self.hub.clock.advance(60)
        self.assertEqual(self.ask("/api/status", "guess").code, 401)

    def test_body(self) -> None:
        """What is sent as a body is kept nowhere, and answered like any wrong method."""
        opened: list[object] = []
        self.patch(tempfile, "TemporaryFile", lambda *args, **options: opened.append(args))
        transport = self.open("/livez", method="POST", Content_Length="1000000")
        for _ in range(10):
            self.channels[-1].dataReceived(b"x" * 100_000)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 405 "))
        transport = self.open("/livez", method="POST", Transfer_Encoding="chunked")
        self.channels[-1].dataReceived(b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 405 "))
        self.assertEqual(opened, [])

    def test_bytes(self) -> None:
        """Headers and arguments that are no text are wrong ones, and nothing to log."""
        for name in ("Authorization", "Cookie", "Last_Event_ID"):
            for start in ("Bearer ", "kernelnet_session_6080=", ""):
                headers = {name: f"{start}\udcff\udcfe"}
                self.assertIn(self.open("/api/events", **headers).value().split()[1], (b"401", b"429"))
        headers = {"Authorization": f"Bearer {self.token}", "Last_Event_ID": "\udcff"}
        self.assertEqual(self.open("/api/events", host="192.0.2.3", **headers).value().split()[1], b"400")
        self.assertEqual(self.ask("/signin?link=%C3%A9", None, host="192.0.2.3").code, 401)
        self.assertEqual(self.ask("/signin?link=%ff", None, host="192.0.2.3").code, 400)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_gone(self) -> None:
        """Who has gone while his token was looked up is no reader of anything, and nothing to log."""
        for path in ("/api/events", "/api/ais", "/"):
            self.hub.reader.held = True
            self.open(path, Authorization=f"Bearer {self.token}")
            self.channels.pop().connectionLost(Failure(ConnectionDone()))
            self.hub.reader.held = False
            self.hub.reader.release()
            self.assertEqual((len(self.dashboard.streams), self.flushLoggedErrors()), (0, []), path)
        answer = self.ask("/api/events", method="HEAD")
        self.assertEqual((answer.code, answer.headers["content-type"], answer.body), (200, "text/event-stream", b""))
        self.assertEqual(len(self.dashboard.streams), 0)

    def visitor(self, host: str) -> Transport | None:
        """A connection that has not said anything; C{None} where it is not let in."""
        transport = Transport(peerAddress=IPv4Address("TCP", host, 4000))
        protocol = self.dashboard.limited.buildProtocol(transport.getPeer())
        if protocol is None:
            return None
        protocol.makeConnection(transport)
        self.channels.append(protocol)
        return transport

    def test_connections(self) -> None:
        """Who shows nothing goes for newer ones, the oldest first; who may look stays."""
        looking = self.open("/api/events", Authorization=f"Bearer {self.token}")
        came = [self.visitor(f"192.0.3.{n}") for n in range(BOUNDS.pending)]
        silent = [transport for transport in came if transport is not None]
        self.assertEqual([transport.aborted for transport in silent], [False] * BOUNDS.pending)
        self.visitor("192.0.2.1")
        self.assertEqual([transport.aborted for transport in silent], [True] + [False] * (BOUNDS.pending - 1))
        self.assertFalse(looking.disconnecting or looking.aborted)

    def test_share(self) -> None:
        """One address has a share, of all and of those that show nothing; this machine's own has all, for a proxy."""
        mine = [self.open("/api/events", Authorization=f"Bearer {self.token}") for _ in range(100)]
        other = [self.visitor("192.0.2.1") for _ in range(BOUNDS.pendingPerAddress)]
        self.assertEqual(len(mine) + len(other), 164)
        self.assertIsNone(other[-1])
        self.assertIsNotNone(self.visitor("192.0.2.2"))
        local = [self.visitor("127.0.0.1") for _ in range(200)]
        self.assertTrue(all(transport is not None and not transport.aborted for transport in local))

    def test_slowRequest(self) -> None:
        """A request that comes by the byte is not waited for, nor is the next one of an idle connection."""
        slow, idle = self.visitor("192.0.2.1"), self.open("/livez", Connection="keep-alive")
        assert slow is not None
        for byte in b"GET /livez HTTP":
            self.channels[0].dataReceived(bytes([byte]))
            self.hub.clock.advance(1)
        self.assertEqual((slow.disconnecting, idle.disconnecting), (True, True))
        looking = self.open("/api/events", Authorization=f"Bearer {self.token}")
        self.hub.clock.advance(REQUEST_WITHIN + 1)
        self.assertFalse(looking.disconnecting)

    def test_headers(self) -> None:
        """Every answer, also a refusal, forbids frames, foreign scripts, guessing of types, and keeping it."""
        for path in (*PATHS, "/livez", "/signin?link=x"):
            if path == "/api/events":
                continue
            for token in ("", None):
                headers = self.ask(path, token, host="192.0.2.9").headers
                policy = headers["content-security-policy"]
                for word in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"):
                    self.assertIn(word, policy)
                self.assertNotIn("unsafe", policy)
                self.assertEqual(headers["x-content-type-options"], "nosniff")
                self.assertEqual(headers["cache-control"], "no-store")
                self.assertNotIn("access-control-allow-origin", headers)
            self.hub.clock.advance(100)

    def test_methods(self) -> None:
        """It can only be read."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = self.ask("/api/status", method=method)
            self.assertEqual((answer.code, answer.headers["allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.ask("/api/status", method="HEAD").body, b"")

    def test_files(self) -> None:
        """Only the dashboard's own files are served."""
        for path in ("/../server.py", "/..%2fserver.py", "/server.py", "/static/app.js", "/app.js/", "/%00.js"):
            self.assertEqual(self.ask(path).code, 404, path)
        self.assertIn("text/html", self.ask("/").headers["content-type"])
        self.assertIn("javascript", self.ask("/app.js").headers["content-type"])


class WhereTests(WebTestCase):
    def test_addresses(self) -> None:
        """A port is one of the loopback interface; other addresses are numbers; what is neither is refused."""
        self.assertEqual(parseWhere("6080"), ("127.0.0.1", 6080))
        self.assertEqual(parseWhere("[::1]:1"), ("::1", 1))
        self.assertEqual(parseWhere("0.0.0.0:0"), ("0.0.0.0", 0))
        self.assertIsNone(parseWhere("off"))
        for text in ("", "on", "70000", "localhost:80", "1.2.3.4", "-1", "::1:5x"):
            self.assertRaises(DashboardError, parseWhere, text)

    def test_tls(self) -> None:
        """Where others can reach it, it needs TLS; on the loopback interface it has none."""
        self.assertRaises(DashboardError, checkWhere, ("0.0.0.0", 6080), False)
        self.assertRaises(DashboardError, self.hub.dashboard, self.hub.clock, ("192.0.2.1", 1))
        checkWhere(("0.0.0.0", 6080), True)
        checkWhere(("127.0.0.7", 6080), False)
        checkWhere(None, False)
        tls = ReplaceableTLS(CertificateOptions())
        self.assertTrue(self.hub.dashboard(self.hub.clock, ("192.0.2.1", 1), tls).isSecure)
        self.assertFalse(self.hub.dashboard(self.hub.clock, ("::1", 1), tls).isSecure)
