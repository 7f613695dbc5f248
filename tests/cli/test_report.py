"""C{kernelnet report}: from a state directory, over the API, and whatever strangers call themselves."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import msgspec

from kernelnet.cli import report
from kernelnet.cli.hub_data import ApiData, hubData
from kernelnet.cli.report_page import madeIn, reportPage
from tests.cli.support import CliTestCase
from tests.cli.test_outcomes import TOLD
from tests.cli.test_verdict import outcome
from tests.hub.support import HubTestCase
from tests.hub.views.test_components import claiming

NASTY = "[x](http://evil)|<b>\x1b[2J`"
Answer = Callable[[str, str], tuple[int, Any]]


class ReportTests(CliTestCase, HubTestCase):
    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        author, peer, other = (self.hub.connect(name) for name in ("AI_1", "AI_2", "AI_3"))
        author.send("os_component_share", claiming("best", 0.625))
        digest = self.hub.rows("SELECT digest FROM shared_components")[0][0]
        said = {"component_id": "best", "performance": TOLD, "digest": digest, "verdict": "confirmed"}
        for who in (peer, other):
            who.send("performance_report", said)

    def test_stored(self) -> None:
        """From a state directory: the verdict on the screen, and a page with pictures beside it."""
        said = self.succeed("report", self.path, "--as-told")
        self.assertTrue(
            said.startswith("1 of 1 task: better than every hand-made policy, each confirmed by two others")
        )
        self.assertIn("t, 4 blocks", said)
        page = (self.path / "report.md").read_text()
        self.assertIn("sieve 0.250", page)
        self.assertIn("0.625 ± 0.12", page)
        pictures = re.findall(r"!\[.*\]\((.*)\)", page)
        self.assertEqual(pictures, ["report-levels.svg", "report-progress.svg"])
        for name in pictures:
            self.assertIn("<svg", (self.path / name).read_text())

    def test_json(self) -> None:
        """As JSON: all that the page is made of, and no file."""
        (task,) = json.loads(self.succeed("report", self.path, "--as-told", "--json"))
        self.assertEqual(
            (task["workbench"], task["best"]["id"], task["interval"]), ("file_system", "best", [0.375, 0.625])
        )
        self.assertFalse((self.path / "report.md").exists())

    def test_details(self) -> None:
        """All components behind --details."""
        self.assertIn("own search", self.succeed("report", self.path, "--as-told", "--details"))

    def test_withoutMatplotlib(self) -> None:
        """Where nothing can draw, the page has no pictures, and it is said why."""
        with mock.patch.object(report, "hasMatplotlib", return_value=False):
            self.assertIn("without pictures: pip install", self.succeed("report", self.path, "--as-told"))
        self.assertNotIn("![", (self.path / "report.md").read_text())

    def test_mistakes(self) -> None:
        """One line each: no hub, no file that could be written."""
        self.refused(1, "no hub has ever run", "report", self.folder)
        self.refused(1, "can't write", "report", self.path, "--as-told", "--out", self.folder / "no" / "x.md")
        with mock.patch.object(report, "outcomes", side_effect=AssertionError("measured")):
            self.refused(1, "is no folder", "report", self.path, "--out", self.folder / "no" / "x.md")

    def test_strangers(self) -> None:
        """Nothing that a stranger wrote is markup in the page, and no control character is in it."""
        session = {
            "type": "feature_development",
            "created": "x",
            "initiator": "AI_1",
            "partner": "AI_2",
            "component": NASTY,
            "transcript": [{"by": "AI_2", "what": "send", "component": NASTY, "note": NASTY}],
        }
        page = reportPage([outcome(NASTY, 0.5)], [session], source=NASTY, made=NASTY, pictures={})
        self.assertIn(r"\[x\](http://evil)\|\<b\>?\[2J\`", page)
        self.assertNotRegex(page, r"\x1b|(?<!\\)\[x|(?<!\\)<b|(?<!\\)`")
        self.assertEqual(madeIn([session]), {NASTY: "feature development"})

    # -- over the API

    def serve(self, answer: Answer) -> str:
        """@return: the address of a server that answers a path and an Authorization so, on a port of its own."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, value = answer(self.path, self.headers.get("Authorization", ""))
                data = value if isinstance(value, bytes) else msgspec.json.encode(value)
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def test_api(self) -> None:
        """Over the API comes the same as from the database; the token goes with each question."""
        with hubData(str(self.path)) as stored:
            listed = stored.components()
            whole = stored.whole(listed[0].digest)
        asked = []

        def answer(path: str, authorization: str) -> tuple[int, Any]:
            asked.append((path, authorization))
            if path.startswith("/api/components?"):
                last = "after=7" in path
                return 200, {"components": [] if last else listed, "next": None if last else "7"}
            return 200, whole if path.startswith("/api/components/") else {"sessions": []}

        url = self.serve(answer)
        token = self.write("token", "abc\n")
        out = self.folder / "r.md"
        said = self.succeed("report", url, "--as-told", "--token-file", token, "--out", out)
        self.assertIn("1 of 1 task: better", said)
        self.assertIn("sieve 0.250", out.read_text())
        self.assertEqual({authorization for _, authorization in asked}, {"Bearer abc"})
        self.assertEqual(ApiData(url, "").components(), listed)

    def test_apiMistakes(self) -> None:
        """What is no hub, wants a token, or sends one elsewhere, is one line; a token goes nowhere else."""
        for code, value, words in (
            (200, b"<html>", "is no hub's dashboard"),
            (200, {"components": 3}, "is no hub's dashboard"),
            (401, b"", "wants a viewer's token"),
            (500, b"", "answers 500"),
            (302, b"", "answers 302"),
        ):
            asked: list[str] = []

            def answer(path: str, authorization: str, code: int = code, value: Any = value) -> tuple[int, Any]:
                asked.append(path)  # noqa: B023
                return code, value

            self.refused(1, words, "report", self.serve(answer))
            self.assertEqual(len(asked), 1)
        self.refused(1, "can't be reached", "report", "http://127.0.0.1:1")
        noCertificate = self.write("ca.pem", "x")
        self.refused(1, "as a certificate", "report", "https://127.0.0.1:1", "--ca", noCertificate)
