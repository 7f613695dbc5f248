"""What the commands print about AIs, patterns, sessions and the best that was confirmed."""

from __future__ import annotations

import json

from tests.cli.support import CliTestCase
from tests.hub.support import HubTestCase, aPattern
from tests.hub.views.test_components import claiming

NASTY = "\x1b[2J[red]x"


class OverviewTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)

    def of(self, *arguments: str) -> str:
        return self.succeed(*arguments, "--state", self.path)

    def fill(self) -> None:
        author, peer = self.hub.connect("AI_1", specialization="security"), self.hub.connect("AI_2")
        other = self.hub.connect("AI_3")
        author.send("pattern_share", aPattern("p1", type=NASTY, data={"x": NASTY}))
        author.send("os_component_share", claiming("best", 0.625))
        digest = self.hub.rows("SELECT digest FROM shared_components")[0][0]
        told = {
            "development_level": 0.625,
            "level_low": 0.59,
            "level_high": 0.65,
            "chosen_on_train": "arc",
            "chosen_on_train_level": 0.125,
            "best_in_hindsight": "sieve",
            "best_in_hindsight_level": 0.25,
        }
        report = {"component_id": "best", "performance": told, "digest": digest, "verdict": "confirmed"}
        for who in (peer, other):
            who.send("performance_report", report)
        peer.send("collaboration_request", {"type": "feature_development", "description": "", "target_ai": "AI_1"})
        session = author.payloads("collaboration_request")[0]["session_id"]
        steps = [{"by": "AI_1", "what": "build", "component": "best", "score": 5, "level": 0.625, "seconds": 1.5}]
        share = {**claiming("best", 0.625), "session_id": session, "collaboration_complete": True, "transcript": steps}
        author.send("os_component_share", share)

    def test_empty(self) -> None:
        """Where there is nothing yet, what would bring it is said; JSON is an empty list."""
        for command, word in (
            ("ais", "twistd"),
            ("patterns", "none"),
            ("sessions", "none"),
            ("leaderboard", "two trainers"),
        ):
            self.assertIn(word, self.of(command))
            self.assertEqual(json.loads(self.of(command, "--json")), [])

    def test_filtered(self) -> None:
        """A filter that leaves nothing says what there is; a stranger's type does not reach the terminal as it is."""
        self.fill()
        self.assertRegex(self.of("patterns", "--type", "nope"), r"^none of type 'nope'; there are: [^\x1b]*\[red\]x\n$")
        self.assertIn("none that is declined", self.of("sessions", "--show", "declined"))

    def test_newer(self) -> None:
        """A database of a newer kernelnet is not read as if it were this one's: one line says so."""
        with self.hub.sqlite.writer.connection as connection:
            connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        for command in ("ais", "patterns", "sessions", "leaderboard"):
            self.refused(1, "schema version 999", command, "--state", self.path)

    def test_full(self) -> None:
        """Each says what the database has; strangers' control characters don't reach the terminal."""
        self.fill()
        said = {command: self.of(command) for command in ("ais", "patterns", "sessions", "leaderboard")}
        self.assertIn("security", said["ais"])
        self.assertIn("[red]x", said["patterns"])
        self.assertRegex(said["sessions"], "completed +feature development +AI_2 +AI_1 +best ")
        for word in ("best", "0.625 ± 0.03", "sieve 0.250", "arc 0.125"):
            self.assertIn(word, said["leaderboard"])
        self.assertNotIn("\x1b", "".join(said.values()))
        self.assertEqual([ai["id"] for ai in json.loads(self.of("ais", "--json"))], ["AI_1", "AI_2", "AI_3"])
        self.assertEqual(json.loads(self.of("sessions", "--show", "declined", "--json")), [])

    def test_cut(self) -> None:
        """What is too long for a table ends with dots, an id never; in a pipe nothing is folded."""
        author = self.hub.connect("AI_1")
        name = "loop-" + 60 * "x"
        author.send("pattern_share", aPattern(name, data={"x": 90 * "y"}))
        (row,) = (line for line in self.of("patterns").splitlines() if "loop-x" in line)
        self.assertIn(name + " ", row)
        self.assertIn("yyy…", row)
        (found,) = json.loads(self.of("patterns", "--json"))
        self.assertEqual(found["id"], name)

    def test_once(self) -> None:
        """A pattern is listed once, with how many AIs said it; what differs in its data is another one."""
        for number, confidence in ((1, 0.5), (2, 0.75), (3, 0.25)):
            other = self.hub.connect(f"AI_{number}")
            other.send("pattern_share", aPattern("same", confidence=confidence, data={"x": number // 3}))
        first, second = json.loads(self.of("patterns", "--json"))
        self.assertEqual((first["said_by"], first["confidence"], first["source"]), (2, 0.75, "AI_2"))
        self.assertEqual((second["said_by"], second["data"]), (1, {"x": 1}))
        self.assertEqual(len(json.loads(self.of("patterns", "--json", "--limit", "1"))), 1)
        self.assertRegex(self.of("patterns"), r"same +\w+ +0\.750 +2 ")

    def test_narrow(self) -> None:
        """On a terminal of 80 columns each row is one line, and its id is whole."""
        self.fill()
        self.path.chmod(0o700)
        session = json.loads(self.of("sessions", "--json"))[0]["id"]
        for command, rows, word in (
            (("ais",), 3, "AI_1"),
            (("patterns",), 1, "p1"),
            (("sessions",), 1, session),
            (("leaderboard",), 1, "best  0.625"),
            (("components", "list"), 1, "best "),
            (("tokens", "list"), 3, "AI_1"),
            (("generators",), 0, "search    "),
            (("workbenches",), 0, "process_manager"),
        ):
            where = () if not rows else ("--state", self.path)
            lines = self.onTerminal(*command, *where)
            self.assertLessEqual(max(map(len, lines)), 80, command)
            self.assertEqual(len([line for line in lines if word in line]), 1, lines)

    def test_noHub(self) -> None:
        """One line where no hub ever was."""
        for command in ("ais", "patterns", "sessions", "leaderboard"):
            self.refused(1, "no hub has ever run", command, "--state", self.folder)
