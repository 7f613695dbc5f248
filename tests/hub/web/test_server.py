"""Who is answered, with what, and what every answer forbids a browser to do."""

from __future__ import annotations

import json
import tempfile
from collections import Counter

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.hub.views import progress, sessions
from kernelnet.hub.web.connection_limits import BOUNDS, REQUEST_WITHIN
from kernelnet.hub.web.server import DashboardError, checkWhere, parseWhere
from kernelnet.hub.web.signin import LINK_LASTS, SESSION_LASTS
from kernelnet.hub.web.traffic import SAMPLES
from kernelnet.identity import ReplaceableTLS
from kernelnet.wire import WireProblem
from tests.hub.databases import onEveryEngine
from tests.hub.support import Transport, aComponent, aPattern
from tests.hub.views.test_components import claiming
from tests.hub.web.support import WebTestCase

PATHS = (
    "/api/status",
    "/api/ais",
    "/api/components",
    "/api/patterns",
    "/api/sessions",
    "/api/progress",
    "/api/traffic",
    "/api/events",
    "/api/openapi.yaml",
    "/metrics",
    "/readyz",
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


EVIL = "</script><script>alert(1)</script>\u202e\x07"


@onEveryEngine
class ApiTests(WebTestCase):
    def test_strangersWords(self) -> None:
        """What looks like markup is text in JSON, which no browser takes for a page."""
        author = self.hub.connect("AI_1", specialization="general", capabilities=[EVIL])
        author.send("os_component_share", aComponent(EVIL[:60], description=EVIL))
        author.send("pattern_share", aPattern(EVIL[:60], data={EVIL: EVIL}))
        for path in ("/api/ais", "/api/components", "/api/patterns", "/api/status"):
            answer = self.ask(path)
            self.assertEqual((answer.code, answer.headers["content-type"]), (200, "application/json"))
            self.assertIn(EVIL[:9], json.dumps(answer.json, ensure_ascii=False))

    def test_arguments(self) -> None:
        """An argument that is unknown, wrong, twice there or no UTF-8 is named, with what would be right."""
        for query, word in (
            ("limit=0", "1 to 500"),
            ("limit=x", "limit"),
            ("sort=best", "confirmed"),
            ("verdict=true", "unmeasured"),
            ("colour=red", "colour"),
            ("limit=1&limit=2", "twice"),
            ("workbench=%ff", "UTF-8"),
            ("after=nothing", "after"),
            ("after=9999999999999999999", "after"),
        ):
            answer = self.ask(f"/api/components?{query}")
            self.assertEqual(answer.code, 400, query)
            self.assertIn(word, answer.json["error"])
        self.assertEqual(self.ask("/api/nothing").code, 404)
        self.assertEqual(self.ask("/api/components/a/b").code, 404)
        self.assertEqual(self.ask("/" + "x" * 5000).code, 414)

    def test_pages(self) -> None:
        """Page after page has every component once, whatever the order."""
        author = self.hub.connect("AI_1")
        for number in range(7):
            level = (number * 3 % 5) / 10
            author.send(
                "os_component_share", aComponent(f"c{number}", implementation=str(number), development_level=level)
            )
        for sort in ("level", "confirmed", "newest"):
            seen, after = [], ""
            while True:
                page = self.ask(f"/api/components?sort={sort}&limit=3{after}").json
                seen += [component["id"] for component in page["components"]]
                if page["next"] is None:
                    break
                after = f"&after={page['next']}"
            self.assertEqual(sorted(seen), [f"c{number}" for number in range(7)], sort)
            self.assertEqual(len(seen), 7)

    def test_pagesOfTheSame(self) -> None:
        """Pages go on behind what two authors shared alike, and whatever a component is called."""
        authors = [self.hub.connect(f"AI_{n}") for n in range(3)]
        for author in authors:
            author.send("os_component_share", claiming("same", 0.5))
        shadow = claiming("shadow", 0.4)
        shadow["component"]["id"] = self.ask("/api/components").json["components"][0]["digest"]
        authors[0].send("os_component_share", shadow)
        after, seen = "", []
        for _ in range(4):
            page = self.ask(f"/api/components?limit=1{after}").json
            seen.append((page["components"][0]["author"], page["components"][0]["level"]))
            after = f"&after={page['next']}"
        self.assertEqual(seen, [("AI_2", 0.5), ("AI_1", 0.5), ("AI_0", 0.5), ("AI_0", 0.4)])
        self.assertIsNone(page["next"])
        self.assertEqual(self.ask("/api/components?after=999999").code, 404)

    def test_component(self) -> None:
        """One component: its source, its lineage, and every report."""
        self.hub.connect("AI_1").send("os_component_share", aComponent("c", implementation="int x;"))
        digest = self.ask("/api/components").json["components"][0]["digest"]
        report = {"component_id": "c", "performance": {"score": 1}, "digest": digest, "verdict": "confirmed"}
        self.hub.connect("AI_2").send("performance_report", report)
        found = self.ask("/api/components/c").json
        self.assertEqual((found["component"]["implementation"], found["state"]), ("int x;", "confirmed"))
        self.assertEqual([r["reporter"] for r in found["reports"]], ["AI_2"])
        self.assertEqual(self.ask(f"/api/components/{digest[:10]}").json, found)
        self.assertEqual(self.ask("/api/components/none").code, 404)

    def test_progress(self) -> None:
        """For each task the steps by which what others confirmed rose, with the best hand-made policy's level."""
        author, peer, other = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        for name, level in (("a", 0.2), ("b", 0.9), ("c", 0.1), ("d", 0.4)):
            author.send("os_component_share", claiming(name, level))
            digest = self.ask(f"/api/components/{name}").json["digest"]
            performance = {"best_by_hand": "sieve", "best_by_hand_level": 0.3}
            if name != "b":
                report = {"component_id": name, "performance": performance, "digest": digest, "verdict": "confirmed"}
                peer.send("performance_report", report)
                other.send("performance_report", report)
        (task,) = self.ask("/api/progress").json["tasks"]
        self.assertEqual([(step["id"], step["level"]) for step in task["steps"]], [("a", 0.2), ("d", 0.4)])
        self.assertEqual((task["confirmed"], task["by_hand"]), (3, {"name": "sieve", "level": 0.3}))

    def byHand(self, *said: tuple[object, object] | None) -> object:
        """What is told of the best hand-made policy when each of so many peers that confirmed a component says this."""
        self.asked = getattr(self, "asked", 0) + 1
        component = claiming(f"c{self.asked}", 0.5, trace=f"{self.asked:064x}")
        author = self.hub.connect("AUTHOR")
        author.send("os_component_share", component)
        digest = self.ask(f"/api/components/c{self.asked}").json["digest"]
        for number, words in enumerate(said):
            told = {} if words is None else {"best_by_hand": words[0], "best_by_hand_level": words[1]}
            report = {"component_id": "c", "performance": told, "digest": digest, "verdict": "confirmed"}
            self.hub.connect(f"AI_{number}").send("performance_report", report)
        tasks = {task["trace_digest"]: task for task in self.ask("/api/progress").json["tasks"]}
        return tasks[f"{self.asked:064x}"]["by_hand"]

    def test_byHand(self) -> None:
        """What the best hand-made policy reaches is nobody's to say alone, and nothing that can't be is believed."""
        self.assertIsNone(self.byHand(("sieve", 0.3)))
        self.assertEqual(self.byHand(("sieve", 0.3), ("sieve", 0.3)), {"name": "sieve", "level": 0.3})
        self.assertEqual(self.byHand(("x", 0.9), ("sieve", 0.3), ("sieve", 0.3)), {"name": "sieve", "level": 0.3})
        self.assertIsNone(self.byHand(("x", 0.9), ("x", 0.9), ("sieve", 0.3), ("sieve", 0.3)))
        for words in (
            ("sieve", 1e9),
            ("sieve", -2),
            ("sieve", True),
            ("sieve", "1"),
            ("", 0.3),
            ("x" * 65, 0.3),
            (1, 0.3),
        ):
            self.assertIsNone(self.byHand(words, words), words)
        self.assertIsNone(self.byHand(None, None))

    def test_byHandOfOthers(self) -> None:
        """Neither the author, nor who refuted it, has a voice on the best hand-made policy."""
        author, peer, liar = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        author.send("os_component_share", claiming("c", 0.5))
        digest = self.ask("/api/components/c").json["digest"]
        told = {"best_by_hand": "sieve", "best_by_hand_level": 0.3}
        for who, verdict in ((author, None), (peer, "confirmed"), (liar, "unmeasurable")):
            report = {"component_id": "c", "performance": told, "digest": digest, "verdict": verdict}
            who.send("performance_report", report)
        (task,) = self.ask("/api/progress").json["tasks"]
        self.assertIsNone(task["by_hand"])

    def test_progressIsKept(self) -> None:
        """Progress is computed anew when the log has a component or a report, and not for other messages."""
        author, *peers = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        computed: list[object] = []
        whole = progress.progress

        def counted(reader: Reader) -> object:
            computed.append(1)
            return whole(reader)

        self.patch(progress, "progress", counted)
        self.assertEqual(self.ask("/api/progress").json["tasks"], [])
        author.send("pattern_share", aPattern())
        self.assertEqual((self.ask("/api/progress").json["tasks"], len(computed)), ([], 1))
        author.send("os_component_share", claiming("c", 0.5))
        self.assertEqual((self.ask("/api/progress").json["tasks"], len(computed)), ([], 2))
        digest = self.ask("/api/components/c").json["digest"]
        for peer in peers:
            report = {"component_id": "c", "performance": {}, "digest": digest, "verdict": "confirmed"}
            peer.send("performance_report", report)
            (task,) = self.ask("/api/progress").json["tasks"]
        self.assertEqual((task["confirmed"], len(computed)), (1, 4))

    def test_sessions(self) -> None:
        """Sessions come page by page, each bounded in bytes, and without their transcripts where nobody wants them."""
        self.hub.connect("AI_1")
        other = self.hub.connect("AI_2")
        for number in range(7):
            offer = {"type": "feature_development", "description": "x" * 1000, "target_ai": "AI_1"}
            other.send("collaboration_request", {**offer, "description": f"{number}" * 1000})
            self.hub.clock.advance(number % 2)
        self.patch(sessions, "PAGE_BYTES", 2500)
        seen, after = [], ""
        while True:
            page = self.ask(f"/api/sessions?limit=3{after}").json
            self.assertLessEqual(len(page["sessions"]), 2)
            seen += [session["description"][0] for session in page["sessions"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        self.assertEqual(sorted(seen), [f"{n}" for n in range(7)])
        self.assertEqual(len(sessions.sessions(self.hub.stored, None, 5)), 5)
        for wrong in ("x", "1-x", "1.0-", f"1.0-{'x' * 65}"):
            self.assertEqual(self.ask(f"/api/sessions?after={wrong}").code, 400)

        def tell(transaction: Transaction) -> None:
            for record in transaction.sessions.beginning("", 99):
                transaction.sessions.setTranscript(record.id, b'[{"by": "AI_1"}]', record.changedAt)

        self.hub.transact(tell)
        for words, steps in (("", 1), ("&transcripts=yes", 1), ("&transcripts=no", 0)):
            (session,) = self.ask(f"/api/sessions?limit=1{words}").json["sessions"]
            self.assertEqual(len(session["transcript"]), steps)

    def test_held(self) -> None:
        """Sessions say which of the components that they name the hub holds, by digest or by name and author."""
        author, other = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        offer = {"type": "feature_development", "description": "x", "target_ai": "AI_1"}
        other.send("collaboration_request", offer)
        id_ = self.ask("/api/sessions").json["sessions"][0]["id"]
        other.send("os_component_share", claiming("theirs", 0.4))
        theirs = self.ask("/api/components/theirs").json["digest"]
        steps = [
            {"by": "AI_2", "what": "start", "component": "theirs"},
            {"by": "AI_1", "what": "build", "component": "unshared", "digest": "4" * 64},
            {"by": "AI_1", "what": "build", "component": "unshared"},
            {"by": "AI_1", "what": "build", "component": "theirs"},
            {"by": "AI_1", "what": "improve", "component": "called otherwise", "digest": theirs},
            {"by": "AI_1", "what": "send", "component": "sent"},
            {"by": "AI_1", "what": "measure"},
        ]
        done = {"session_id": id_, "collaboration_complete": True, "transcript": steps}
        author.send("os_component_share", {**claiming("sent", 0.5), **done})
        sent = self.ask("/api/components/sent").json["digest"]
        (session,) = self.ask("/api/sessions").json["sessions"]
        held = [step["held"] for step in session["transcript"]]
        self.assertEqual(held, [theirs, None, None, None, theirs, sent, None])
        self.assertEqual(session["held"], sent)
        self.assertEqual(self.ask("/api/sessions?transcripts=no").json["sessions"][0]["held"], sent)

    def test_traffic(self) -> None:
        """Messages a second by type, how long commits took, and who is behind, for the last ten minutes."""
        author, slow = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        history = self.dashboard.sources.traffic
        history.sample()
        slow.pause()
        for number in range(10):
            author.send("pattern_share", aPattern(f"p{number}"))
        self.hub.clock.advance(5)
        history.sample()
        found = self.ask("/api/traffic").json
        self.assertEqual(found["messages"]["pattern_share"][-1], 2)
        self.assertGreaterEqual(found["commits"][-1], 2)
        self.assertEqual(found["behind"][-1], 1)
        self.assertEqual(found["slow"], [{"id": "AI_2", "behind": 10}])
        self.assertEqual(found["position"][-1], self.hub.log.head)
        self.assertEqual(found["now"]["log"]["position"], self.hub.log.head)
        self.assertIsNotNone(found["commit_p99"][-1])
        for _ in range(SAMPLES):
            self.hub.clock.advance(5)
            history.sample()
        found = self.ask("/api/traffic").json
        self.assertEqual((len(found["at"]), found["messages"]), (SAMPLES, {}))

    def test_sampling(self) -> None:
        """A sample is taken every five seconds while the dashboard is there, and none any more when it has gone."""
        history = self.dashboard.sources.traffic
        history.start()
        self.hub.clock.pump([0.5] * 60)
        self.assertEqual(len(self.ask("/api/traffic").json["at"]), 5)
        self.assertEqual(set(self.ask("/api/traffic").json["waiting"]), {0})
        history.stop()
        self.hub.clock.pump([0.5] * 60)
        self.assertEqual(len(self.ask("/api/traffic").json["at"]), 5)
        history.start()
        history.stop()

    def test_shared(self) -> None:
        """Who takes an answer of a second ago shares it with others; who doesn't say so gets a fresh one."""
        self.hub.connect("AI_1")
        old = {"Cache_Control": "max-age=1"}
        self.assertEqual(self.ask("/api/ais", **old).json["known"], 1)
        self.hub.connect("AI_2")
        self.hub.clock.advance(0.5)
        self.assertEqual(self.ask("/api/ais", **old).json["known"], 1)
        self.assertEqual(self.ask("/api/ais?limit=9", **old).json["known"], 2)
        self.assertEqual(self.ask("/api/ais").json["known"], 2)
        self.hub.clock.advance(0.51)
        self.assertEqual(self.ask("/api/ais", **old).json["known"], 2)

    def test_sharedAtOnce(self) -> None:
        """What many ask for in the same moment is read once; they all hear when it can't be read."""
        link = self.dashboard.link().removeprefix("http://127.0.0.1:6080")
        cookie = self.ask(link, None).headers["set-cookie"].partition(";")[0]
        for path, code in (("/api/status", b"200"), ("/api/components/none", b"404")):
            calls = self.hub.reader.calls
            self.hub.reader.held = True
            waiting = [self.open(path, Cookie=cookie, Cache_Control="max-age=1") for _ in range(5)]
            self.assertEqual(self.hub.reader.calls - calls, 1)
            self.hub.reader.release()
            self.assertEqual({transport.value().split()[1] for transport in waiting}, {code})

    def test_ais(self) -> None:
        """Who is here comes first, with how far it is behind; who left says when it was seen."""
        self.hub.connect("AI_1")
        gone = self.hub.connect("AI_2")
        gone.transport.loseConnection()
        found = {ai["id"]: ai for ai in self.ask("/api/ais").json["ais"]}
        self.assertEqual((found["AI_1"]["connected"], found["AI_1"]["behind"]), (True, 0))
        self.assertIsNotNone(found["AI_2"]["seen"])
        self.assertEqual(self.ask("/api/ais?limit=1").json["known"], 2)

    def test_metrics(self) -> None:
        """Prometheus' text, with counters by type and no AI's id."""
        self.hub.connect("AI_OF_MINE").send("pattern_share", aPattern())
        text = self.ask("/metrics").body.decode()
        self.assertIn('kernelnet_messages_total{type="pattern_share"} 1.0', text)
        self.assertIn("kernelnet_ais_connected 1.0", text)
        self.assertNotIn("AI_OF_MINE", text)
        count = sum(self.hub.log.commits.counts)
        self.assertIn(f'kernelnet_log_commit_seconds_bucket{{le="+Inf"}} {count}.0', text)

    def test_ready(self) -> None:
        """A hub that can take no messages is alive, and not ready."""
        self.assertEqual(self.ask("/readyz").code, 200)
        self.hub.log.findStorageProblem = lambda: WireProblem("storage_full", "full")
        self.assertEqual((self.ask("/readyz").code, self.ask("/livez", None).code), (503, 200))


@onEveryEngine
class EventStreamTests(WebTestCase):
    def events(self, data: bytes) -> list[tuple[int, str]]:
        found = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]
        return [(event.get("seq", 0), event.get("sender", "")) for event in found]

    def test_live(self) -> None:
        """What is committed is told within a quarter of a second, to all who look."""
        author = self.hub.connect("AI_1")
        streams = [self.open("/api/events", Authorization=f"Bearer {self.token}") for _ in range(3)]
        author.send("pattern_share", aPattern("p1"))
        author.send("pattern_share", aPattern("p2"))
        self.hub.clock.advance(0.25)
        told = [self.events(stream.value()) for stream in streams]
        self.assertEqual(len({str(t) for t in told}), 1)
        self.assertEqual([sender for _, sender in told[0]], ["AI_1", "AI_1"])
        self.assertIn(b"text/event-stream", streams[0].value())

    def test_pace(self) -> None:
        """After a quiet time a commit is told at once, then four times a second; without any nothing is read."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        calls = self.hub.reader.calls
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual(self.hub.reader.calls, calls)
        told = []
        for number in range(4):
            author.send("pattern_share", aPattern(f"p{number}"))
            self.hub.clock.advance(0.1)
            told.append(len(self.events(stream.value())))
        self.assertEqual(told, [1, 1, 1, 4])
        self.assertEqual(self.hub.reader.calls - calls, 2)

    def test_resume(self) -> None:
        """Who comes back with the last number that he has misses nothing, and gets nothing twice."""
        author = self.hub.connect("AI_1")
        for number in range(1200):
            author.send("pattern_share", aPattern(f"p{number}"))
        head = self.hub.log.head
        for headers, path in (
            ({"Last_Event_ID": str(head - 700)}, "/api/events"),
            ({}, f"/api/events?after={head - 700}"),
            ({"Last_Event_ID": str(head - 700)}, "/api/events?after=1"),
        ):
            stream = self.open(path, Authorization=f"Bearer {self.token}", **headers)
            for _ in range(4):
                self.hub.clock.advance(0.25)
            self.assertEqual([seq for seq, _ in self.events(stream.value())], list(range(head - 699, head + 1)))
        self.assertEqual(self.ask("/api/events?after=x").code, 400)

    def test_slow(self) -> None:
        """Who does not read is not written to, and goes on where it was."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        assert stream.producer is not None
        stream.producer.pauseProducing()
        before = len(stream.value())
        for number in range(5):
            author.send("pattern_share", aPattern(f"p{number}"))
            self.hub.clock.advance(0.25)
        self.assertEqual(len(stream.value()), before)
        stream.producer.resumeProducing()
        self.hub.clock.advance(0.25)
        self.assertEqual(len(self.events(stream.value())), 5)

    def test_condensed(self) -> None:
        """Who wants no more than some a second gets the newest, and how many and what came before them."""
        author = self.hub.connect("AI_1")
        streams = [self.open("/api/events?most=3", Authorization=f"Bearer {self.token}") for _ in range(3)]
        for number in range(10):
            author.send("pattern_share", aPattern(f"p{number}"))
        calls = self.hub.reader.calls
        self.hub.clock.pump([0.25] * 8)
        head = self.hub.log.head
        self.assertEqual(self.hub.reader.calls - calls, 1)
        for stream in streams:
            self.assertEqual([seq for seq, _ in self.events(stream.value())[1:]], [head - 2, head - 1, head])
            self.assertIn(b'event: skipped\ndata: {"count":7,"types":["hello","pattern_share"]}\n\n', stream.value())
        author.send("pattern_share", aPattern("last"))
        self.hub.clock.pump([0.25] * 4)
        self.assertEqual(streams[0].value().count(b"skipped"), 1)
        self.assertEqual(self.events(streams[0].value())[-1][0], head + 1)
        for wrong in ("0", "x", "501", "-1", ""):
            self.assertEqual(self.ask(f"/api/events?most={wrong}").code, 400, wrong)

    def test_slowDisk(self) -> None:
        """While a page of the log is being read, it is not read again, and nobody is told anything twice."""
        author = self.hub.connect("AI_1")
        streams = [self.open(f"/api/events{most}", Authorization=f"Bearer {self.token}") for most in ("", "?most=9")]
        author.send("pattern_share", aPattern())
        calls = self.hub.reader.calls
        self.hub.reader.held = True
        self.hub.clock.pump([0.25] * 16)
        self.assertEqual(self.hub.reader.calls - calls, 2)
        self.hub.reader.release()
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual([len(self.events(stream.value())) for stream in streams], [1, 1])

    def test_dead(self) -> None:
        """Who has read nothing for a minute is left; it may come back to where it was."""
        author = self.hub.connect("AI_1")
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        assert stream.producer is not None
        stream.producer.pauseProducing()
        author.send("pattern_share", aPattern())
        self.hub.clock.pump([0.25] * 4 * 59)
        self.assertEqual((len(self.dashboard.streams), stream.disconnecting), (1, False))
        self.hub.clock.pump([0.25] * 8)
        self.assertEqual((len(self.dashboard.streams), stream.disconnecting), (0, True))

    def test_gone(self) -> None:
        """Who left is forgotten, and with the last one the looking ends."""
        stream = self.open("/api/events", Authorization=f"Bearer {self.token}")
        self.assertEqual(len(self.dashboard.streams), 1)
        assert stream.producer is not None
        stream.producer.stopProducing()
        self.assertEqual(len(self.dashboard.streams), 0)
