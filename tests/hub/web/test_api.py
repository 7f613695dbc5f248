"""What the resources below /api/ tell."""

from __future__ import annotations

import json
import re
from unittest import mock

import msgspec

from kernelnet.artifacts import SearchProgress
from kernelnet.hub.admin.status import COUNT_EVERY
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.hub.views import progress, sessions
from kernelnet.hub.web.task_words import MAX_WORDS
from kernelnet.hub.web.traffic import SAMPLES
from kernelnet.observations import onSite
from kernelnet.wire import WireProblem, rfc3339
from tests.hub.databases import onEveryEngine
from tests.hub.support import TIMESTAMP, aComponent, aPattern
from tests.hub.views.test_components import claiming
from tests.hub.web.support import WebTestCase
from tests.wire_examples import SEARCH_PROGRESS

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
            ("limit=501", "1 to 500"),
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
        few = self.ask(f"/api/components/{digest[:3]}")
        self.assertEqual(few.code, 404)
        self.assertIn(b"6 hex digits are needed", few.body)

    def test_hypothesis(self) -> None:
        """What its author thought of a component stands in the lineage of what descends from it; a long one nowhere."""
        author = self.hub.connect("AI_1")
        share = claiming("first", 0.5)
        share["component"]["manifest"]["hypothesis"] = "x" * 1001
        author.send("os_component_share", share)
        self.assertEqual(author.errors(), ["invalid_message"])
        share["component"]["manifest"]["hypothesis"] = "newcomers <b>prove</b> themselves"
        author.send("os_component_share", share)
        first = self.ask("/api/components/first").json
        self.assertEqual(first["component"]["manifest"]["hypothesis"], "newcomers <b>prove</b> themselves")
        author.send("os_component_share", claiming("second", 0.6, [first["digest"], "9" * 64]))
        found = self.ask("/api/components/second").json["lineage"]
        self.assertEqual([step["hypothesis"] for step in found], ["newcomers <b>prove</b> themselves", ""])

    def test_progress(self) -> None:
        """For each task the steps by which what others confirmed rose, with what hand-made policies reach on it."""
        author, peer, other = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        for name, level in (("a", 0.2), ("b", 0.9), ("c", 0.1), ("d", 0.4)):
            author.send("os_component_share", claiming(name, level))
            digest = self.ask(f"/api/components/{name}").json["digest"]
            told: dict[str, object] = {"development_level": level, "level_low": level - 0.1, "level_high": level + 0.05}
            told |= {"chosen_on_train": "arc", "chosen_on_train_level": level / 4}
            told |= {"best_in_hindsight": "sieve", "best_in_hindsight_level": level / 2}
            if name != "b":
                report = {"component_id": name, "performance": told, "digest": digest, "verdict": "confirmed"}
                peer.send("performance_report", report)
                other.send("performance_report", report)
        (task,) = self.ask("/api/progress").json["tasks"]
        steps = [(step["id"], step["level"], step["level_low"], step["level_high"]) for step in task["steps"]]
        self.assertEqual(steps, [("a", 0.2, 0.1, 0.25), ("d", 0.4, 0.4 - 0.1, 0.45)])
        self.assertEqual(task["confirmed"], 3)
        self.assertEqual((task["chosen_on_train"], task["chosen_on_train_level"]), ("arc", 0.1))
        self.assertEqual((task["best_in_hindsight"], task["best_in_hindsight_level"]), ("sieve", 0.2))

    def test_families(self) -> None:
        """By family: on how many tasks it is confirmed and the best, by its sources, whatever manifests say."""
        family = {"digest": "9" * 64, "parameters": [{"name": "A", "least": 0, "most": 9}]}
        author, peer, other, liar = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3, 4))
        marks = "/* begin parameters */\n#define A %d /* 0..9: a */\n/* end parameters */\nint %s;\n"
        for name, level, trace, source, who in (
            ("a", 0.2, "1", marks % (1, "x"), author),
            ("b", 0.5, "2", marks % (2, "x"), liar),
            ("c", 0.4, "2", marks % (2, "y"), author),
            ("d", 0.9, "3", "int unmarked;", author),
            ("e", 0.1, "3", marks % (3, "y"), author),
            ("f", 0.9, "1", marks % (3, "y"), author),
        ):
            shared = claiming(name, level, trace=trace * 64)
            shared["component"]["implementation"] = source
            shared["component"]["manifest"]["family"] = family
            who.send("os_component_share", shared)
            digest = self.ask(f"/api/components/{name}").json["digest"]
            report = {"component_id": name, "performance": {}, "digest": digest, "verdict": "confirmed"}
            for one in (peer, other) if name != "f" else ():
                one.send("performance_report", report)
        told = self.ask("/api/families").json["families"]
        keys = ("first", "author", "components", "owners", "tasks", "best")
        self.assertEqual(
            [tuple(one[key] for key in keys) for one in told], [("a", "AI_1", 2, 2, 2, 2), ("c", "AI_1", 2, 1, 2, 0)]
        )
        self.assertNotIn("9" * 64, [one["family"] for one in told])
        self.assertEqual(self.ask("/api/families").json["families"], told)

    def test_sites(self) -> None:
        """Where components were tried, by workbench; anew when something was told."""
        author, peer, other = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        self.assertEqual(self.ask("/api/sites").json, {"workbenches": []})
        author.send("os_component_share", claiming("a", 0.2))
        digest = self.ask("/api/components/a").json["digest"]
        report = {"component_id": "a", "performance": {}, "digest": digest, "verdict": "confirmed"}
        peer.send("performance_report", report)
        for number, level in enumerate((0.1, 0.4)):
            site, hand = f"{number:032x}", ("lru", 0.3)
            made = onSite(site, "3" * 64, "file_system", {"capacity": 4}, level=level, handMade=hand)
            told = {"component_id": "a", "digest": digest, "observation": msgspec.to_builtins(made)}
            other.send("performance_report", told)
            self.hub.clock.advance(60)
            (table,) = self.ask("/api/sites?workbench=file_system").json["workbenches"]
            self.assertEqual((table["known"], table["rows"][0]["tried"]), (number + 1, number + 1))
        self.assertEqual(sorted(table["rows"][0]["levels"]), [0.1, 0.4])
        self.assertEqual(self.ask("/api/sites?workbench=graphics").json, {"workbenches": []})

    def test_handMadeOfOthers(self) -> None:
        """Where nobody says it of the best component, what is said of the newest other counts."""
        author, *peers = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        for name, level in (("best", 0.9), ("old", 0.2), ("new", 0.3)):
            author.send("os_component_share", claiming(name, level))
            digest = self.ask(f"/api/components/{name}").json["digest"]
            told = {} if name == "best" else {"best_in_hindsight": name, "best_in_hindsight_level": level}
            report = {"component_id": name, "performance": told, "digest": digest, "verdict": "confirmed"}
            for peer in peers:
                peer.send("performance_report", report)
        (task,) = self.ask("/api/progress").json["tasks"]
        self.assertEqual((task["best_in_hindsight"], task["best_in_hindsight_level"]), ("new", 0.3))
        self.assertEqual((task["chosen_on_train"], task["chosen_on_train_level"]), (None, None))

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

    def test_searches(self) -> None:
        """For each task that is searched on what each AI told, with samples; of each AI also what it told last."""
        task = SEARCH_PROGRESS["task"]
        clients = [self.hub.connect(f"AI_{n}") for n in (1, 2)]
        for number in range(100):
            self.hub.clock.advance(1)
            for client in clients:
                told = {"task": task, "evaluations": number, "train": number / 100}
                client.send("heartbeat", {"progress": told})
        clients[1].leave()
        (search,) = self.ask("/api/progress").json["searches"]
        self.assertEqual({key: search[key] for key in task}, task)
        self.assertEqual([(ai["ai"], ai["connected"]) for ai in search["ais"]], [("AI_2", False), ("AI_1", True)])
        one = search["ais"][1]
        self.assertEqual((one["evaluations"], one["train"], one["validation"], one["sessions"]), (99, 0.99, None, []))
        self.assertEqual((len(one["samples"]), one["samples"][-1][1:]), (64, [99, 0.99, None]))
        (search,) = self.ask(f"/api/progress?samples=3&trace_digest={task['trace_digest']}").json["searches"]
        self.assertEqual([sample[1] for sample in search["ais"][0]["samples"]], [0, 50, 99])
        self.assertEqual(self.ask("/api/progress?trace_digest=x").json["searches"], [])
        away, here = self.hub.connect("AI_3"), self.ask("/api/ais").json["ais"]
        self.assertEqual([ai["progress"] and ai["progress"]["evaluations"] for ai in here], [None, 99, 99])
        self.assertEqual(
            here[1]["progress"]["task"], {key: search[key] for key in (*task, "trace_in_words", "settings_in_words")}
        )
        seen = self.hub.now()
        away.leave()
        self.hub.clock.advance(9)
        (gone,) = [ai for ai in self.ask("/api/ais").json["ais"] if ai["id"] == "AI_3"]
        self.assertEqual(gone["seen"], rfc3339(seen))

    def test_settingsInWords(self) -> None:
        """Everywhere a task comes with its settings in words; of a bench that isn't installed with all, bounded."""
        cpus = {"cpus": 2, "load_permille": 900, "bound_us": 1000, "tick_us": 1000, "quantum_us": 1000, "switch_us": 5}
        many = {EVIL: 1, **{f"{'x' * 60}_{number}_ms": number for number in range(20)}}
        author, peer = self.hub.connect("AI_1"), self.hub.connect("AI_2")
        found = []
        for number, (bench, settings) in enumerate((("process_manager", cpus), ("nobodys", many))):
            shared = claiming(f"c{number}", 0.5, trace=f"{number}" * 64)
            shared["component"]["manifest"]["report"] |= {"workbench": bench, "settings": settings}
            shared["component"]["manifest"]["workbench"] = bench
            author.send("os_component_share", shared)
            whole = self.ask(f"/api/components/c{number}").json
            report = {
                "component_id": f"c{number}",
                "performance": {},
                "digest": whole["digest"],
                "verdict": "confirmed",
            }
            peer.send("performance_report", report)
            found.append(whole["settings_in_words"])
        self.assertEqual(found[0], "2 CPUs")
        self.assertTrue(found[1].startswith(f"{EVIL[:-2]}?? 1, xxx"), found[1])
        self.assertEqual(len(found[1]), MAX_WORDS)
        task = {"workbench": "process_manager", "trace": "t", "trace_digest": "0" * 64, "settings": {**cpus, "cpus": 1}}
        author.send("heartbeat", {"progress": {"task": task, "evaluations": 1}})
        listed = self.ask("/api/components").json["components"]
        self.assertEqual({one["settings_in_words"] for one in listed}, set(found))
        told = self.ask("/api/progress").json
        self.assertEqual({one["settings_in_words"] for one in told["tasks"]}, set(found))
        self.assertEqual([one["settings_in_words"] for one in told["searches"]], ["1 CPU"])
        told = self.ask("/api/overview").json
        self.assertEqual({one["task"]["settings_in_words"] for one in told["events"]}, set(found))
        self.assertEqual([one["task"]["settings_in_words"] for one in told["working"]], ["1 CPU"])
        author.send("os_component_share", aComponent("plain"))
        plain = self.ask("/api/components/plain").json
        self.assertEqual((plain["trace_in_words"], plain["settings_in_words"]), ("", ""))
        suite = {**task, "trace": "2 traces: a 55 + b 59 blocks", "settings": {"parts": 2}}
        peer.send("heartbeat", {"progress": {"task": suite, "evaluations": 1}})
        (of,) = [ai["progress"]["task"] for ai in self.ask("/api/ais").json["ais"] if ai["id"] == "AI_2"]
        self.assertEqual((of["trace_in_words"], of["settings_in_words"]), ("a 55 + b 59 blocks", ""))

    def test_sessions(self) -> None:
        """Sessions come page by page, each bounded in bytes, and without their transcripts where nobody wants them."""
        self.hub.connect("AI_1")
        others = [self.hub.connect("AI_2"), self.hub.connect("AI_3")]
        for number in range(7):
            offer = {"type": "feature_development", "description": "x" * 1000, "target_ai": "AI_1"}
            others[number % 2].send("collaboration_request", {**offer, "description": f"{number}" * 1000})
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

    def test_metricsOfLearning(self) -> None:
        """What is best by workbench, and how much was searched; no label comes from a stranger."""
        self.assertNotIn("kernelnet_last_confirmation", self.ask("/metrics").body.decode())
        author, *peers = (self.hub.connect(f"AI_{n}") for n in (1, 2, 3))
        strange = claiming("strange", 0.99)
        for part in (strange["component"]["manifest"], strange["component"]["manifest"]["report"]):
            part["workbench"] = "a stranger's"
        for name, shared in (
            ("low", claiming("low", 0.25)),
            ("high", claiming("high", 0.5, trace="4" * 64)),
            ("refuted", claiming("refuted", 0.9)),
            ("strange", strange),
        ):
            author.send("os_component_share", shared)
            digest = self.ask(f"/api/components/{name}").json["digest"]
            told = {"best_in_hindsight": "sieve", "best_in_hindsight_level": 0.125 if name == "high" else 0.75}
            verdict = "refuted" if name == "refuted" else "confirmed"
            report = {"component_id": name, "performance": told, "digest": digest, "verdict": verdict}
            for peer in peers:
                peer.send("performance_report", report)
        for client, evaluations in ((author, 7), (peers[0], 5)):
            told = {"task": SEARCH_PROGRESS["task"], "evaluations": evaluations, "rounds": 2}
            told["costs"] = {"calls": evaluations, "accepted": 1, "tokens": 100, "usd": 0.25}
            client.send("heartbeat", {"progress": told})
        text = self.ask("/metrics").body.decode()
        for line in (
            'kernelnet_best_level{workbench="file_system"} 0.5',
            'kernelnet_best_in_hindsight_level{workbench="file_system"} 0.125',
            "kernelnet_evaluations_total 12.0",
            "kernelnet_rounds_total 4.0",
            "kernelnet_llm_calls 12.0",
            "kernelnet_llm_accepted 2.0",
            "kernelnet_llm_tokens 200.0",
            "kernelnet_llm_usd 0.5",
        ):
            self.assertIn(line, text.splitlines())
        (at,) = re.findall(r"^kernelnet_last_confirmation_time_seconds (\S+)$", text, re.M)
        self.assertEqual(rfc3339(float(at))[:19], TIMESTAMP[:19])
        self.assertNotIn("stranger", text)
        (mine,) = (ai for ai in self.ask("/api/ais").json["ais"] if ai["id"] == "AI_1")
        self.assertEqual(mine["progress"]["costs"], {"calls": 7, "accepted": 1, "tokens": 100, "usd": 0.25})

    def test_metricsOfAnyClock(self) -> None:
        """Whatever timestamp the wire takes of who confirms, metrics are told; without a zone it is UTC."""
        self.hub.connect("AI_1").send("os_component_share", claiming("c", 0.25))
        report = {"component_id": "c", "performance": {}, "digest": self.ask("/api/components/c").json["digest"]}
        peer = self.hub.connect("AI_2")
        for said, at in (
            ("0001-01-01T00:00:00", -62135596800.0),
            ("2020-01-01t00:00:00z", 1577836800.0),
            ("2020-01-01T00:00:00", 1577836800.0),
            ("2020-01-01T00:00:00+00:30", 1577835000.0),
        ):
            peer.send("performance_report", {**report, "verdict": "confirmed"}, timestamp=said)
            found = self.ask("/metrics")
            self.assertEqual(found.code, 200, said)
            (told,) = re.findall(r"^kernelnet_last_confirmation_time_seconds (\S+)$", found.body.decode(), re.M)
            self.assertEqual(float(told), at)

    def test_metrics(self) -> None:
        """Prometheus' text, with counters by type and no AI's id."""
        self.hub.connect("AI_OF_MINE").send("pattern_share", aPattern())
        text = self.ask("/metrics").body.decode()
        self.assertIn('kernelnet_messages_total{type="pattern_share"} 1.0', text)
        self.assertIn("kernelnet_ais_connected 1.0", text)
        self.assertNotIn("AI_OF_MINE", text)
        count = sum(self.hub.log.commits.counts)
        self.assertIn(f'kernelnet_log_commit_seconds_bucket{{le="+Inf"}} {count}.0', text)

    def test_alone(self) -> None:
        """A hub that is alone is the one node there is, told of in the same way."""
        self.hub.connect("AI_1").send("pattern_share", aPattern())
        self.hub.clock.advance(COUNT_EVERY)
        told = self.ask("/api/status").json
        (node,) = told["nodes"]
        self.assertEqual(
            (node["node"], node["state"], node["ais"], node["position"], node["behind"]), ("hub", "alive", 1, 1, 0)
        )
        self.assertGreater(node["messages_per_second"], 0)
        self.assertEqual(told["total"], {**told["total"], "nodes": 1, "ais": 1, "connections": node["connections"]})
        self.assertEqual(told["ais"]["AI_1"]["node"], "hub")
        self.assertEqual([one["node"] for one in self.ask("/api/traffic").json["nodes"]], ["hub"])
        self.assertEqual(self.ask("/api/ais").json["ais"][0]["node"], "hub")
        self.assertIn('kernelnet_node_up{node="hub"} 1.0', self.ask("/metrics").body.decode())
        self.hub.clock.advance(COUNT_EVERY)
        self.assertEqual(self.ask("/api/status").json["total"]["messages_per_second"], 0)

    def test_ready(self) -> None:
        """A hub that can take no messages is alive, and not ready."""
        self.assertEqual(self.ask("/readyz").code, 200)
        self.hub.log.findStorageProblem = lambda: WireProblem("storage_full", "full")
        self.assertEqual((self.ask("/readyz").code, self.ask("/livez", None).code), (503, 200))
        self.assertEqual(self.ask("/readyz").body, b"not ready: storage_full: full\n")
        self.hub.log.findStorageProblem = lambda: None
        self.assertEqual(self.ask("/readyz").code, 200)
        self.hub.otherNodes.drain(True)
        self.assertIn(b"drained", self.ask("/readyz").body)
        self.hub.otherNodes.drain(False)
        with mock.patch.object(self.hub.cluster, "silence", 7.0):
            self.assertIn(b"the database has not answered for 7 s", self.ask("/readyz").body)
        self.assertEqual(self.ask("/readyz").code, 200)
        self.hub.log.findLoss = lambda: WireProblem("busy", "its files were taken away")
        self.assertEqual(self.ask("/readyz").code, 503)


class ApiBoundsTests(WebTestCase):
    def test_items(self) -> None:
        """500 of anything are told in one answer, and of AIs 1,000 to who asks for as many."""
        for path, most in (("components", 500), ("ais", 1000)):
            self.assertEqual([self.ask(f"/api/{path}?limit={n}").code for n in (most, most + 1)], [200, 400])
        self.hub.connect("AI_0")
        known = self.hub.directory.ais["AI_0"]
        self.hub.directory.ais.update({f"AI_{number}": known for number in range(501)})
        answer = self.ask("/api/ais").json
        self.assertEqual((len(answer["ais"]), answer["known"]), (500, 501))

    def tell(self, aiId: str) -> None:
        self.hub.searches.told(aiId, msgspec.convert(SEARCH_PROGRESS, SearchProgress))

    def test_working(self) -> None:
        """The first page says of 24 AIs what they work on."""
        for number in range(25):
            self.hub.connect(f"AI_{number}")
            self.tell(f"AI_{number}")
        answer = self.ask("/api/overview").json
        self.assertEqual((answer["connected"], len(answer["working"])), (25, 24))

    def test_searches(self) -> None:
        """200 searches are told in one answer."""
        for number in range(201):
            self.tell(f"AI_{number}")
        (task,) = self.ask("/api/progress").json["searches"]
        self.assertEqual(len(task["ais"]), 200)
