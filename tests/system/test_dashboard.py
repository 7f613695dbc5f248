"""The dashboard in a real browser, against a real hub: what strangers say stays text, and every view can be reached."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest import SkipTest

import msgspec

from kernelnet.artifacts import Component
from tests.hub.views.test_components import claiming
from tests.system.browser import NoBrowser, startBrowser
from tests.system.support import PATIENCE, RawClient, SystemTestCase, steadyPort

T = TypeVar("T")
EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


class DashboardTests(SystemTestCase):
    def setUp(self) -> None:
        super().setUp()
        try:
            self.browser = startBrowser(self.folder)
        except NoBrowser as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(self.browser.quit)
        self.port, self.web = steadyPort(), steadyPort()
        self.startWeb()

    def startWeb(self) -> None:
        where = ["--port", str(self.port), "--dashboard", str(self.web), "--state", str(self.state.path)]
        self.hub = self.twistd("kernelhub", *where)
        self.hub.waitFor("dashboard: http://127.0.0.1")

    def link(self) -> str:
        program = Path(sys.executable).with_name("kernelnet")
        found = subprocess.run(
            [program, "dashboard", "--state", self.state.path], capture_output=True, text=True, check=True
        )
        return found.stdout.strip()

    def speaker(self, aiId: str) -> RawClient:
        client = self.client(aiId)
        # what every object in JavaScript has
        client.hello(specialization="constructor", capabilities=[EVIL])
        return client

    def until(self, look: Callable[[], T]) -> T:
        """What C{look} finds, as soon as it finds something: the page is drawn when it likes."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            if time.monotonic() > deadline:
                raise AssertionError("not on the page:\n" + self.text())
            time.sleep(0.1)
        return found

    def text(self) -> str:
        found: str = self.browser.execute_script("return document.body.innerText")
        return found

    def shows(self, words: str) -> None:
        self.until(lambda: words in self.text())

    def go(self, view: str) -> None:
        self.browser.get(f"http://127.0.0.1:{self.web}/#/{view}")

    def test_views(self) -> None:
        """Empty and full, narrow and wide: every view says what there is, and nothing that a stranger wrote is run."""
        self.browser.get(self.link())
        self.shows("No trainer has been here yet")
        self.shows("twistd -n kerneltrainer")
        author, peer = self.speaker("AI_1"), self.speaker("AI_2")
        name = EVIL[:90]
        component = {"id": name, "name": EVIL[:90], "implementation": f"/* {EVIL} */", "description": EVIL}
        author.send("os_component_share", {"component": {**component, "specialization": EVIL[:90]}})
        peer.send("collaboration_request", {"type": "feature_development", "description": EVIL, "target_ai": "AI_1"})
        self.shows("2 connected, 2 known")
        for view, words in (
            ("network", "AI_1"),
            ("progress", "Nothing is confirmed yet"),
            ("components", name[:39]),
            ("sessions", "offered: 1"),
            ("traffic", "os_component_share"),
        ):
            for width in (1280, 400):
                self.browser.set_window_size(width, 900)
                self.go(view)
                self.shows(words)
                wide = self.browser.execute_script(
                    "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
                )
                self.assertFalse(wide, f"{view} is wider than {width} pixels")
        self.until(lambda: self.browser.find_elements("css selector", ".u-legend .u-value"))
        self.until(lambda: not {"", "--"} & set(self.legends()))
        self.go("nothing")
        self.shows("There is no such page")
        self.assertEqual(self.browser.title, "no such page – kernelnet hub")
        self.collaborate(author, name)
        self.go("sessions")
        self.shows("completed: 1")
        self.shows(EVIL[:32])
        self.shows(f"from us to you {EVIL}")
        self.shows("→ unshared")
        linked = self.browser.execute_script("return [...document.querySelectorAll('main a')].map(a => a.textContent)")
        self.assertEqual(set(linked), {name})
        self.go("components")
        self.until(lambda: self.browser.execute_script("return document.querySelector('td a') !== null"))
        self.browser.execute_script("document.querySelector('td a').click()")
        self.shows("Nobody has measured it again yet")
        self.shows(EVIL)
        self.assertNotIn("taken", self.browser.title)
        self.assertEqual(
            self.browser.execute_script("return document.querySelectorAll('main script, main img').length"), 0
        )
        self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"], [])

    def legends(self) -> list[str]:
        found: list[str] = self.browser.execute_script(
            "return [...document.querySelectorAll('.u-legend .u-value')].map(value => value.textContent)"
        )
        return found

    def test_tasks(self) -> None:
        """Two tasks of one trace differ by their settings; where there are none, nothing stands for them."""
        self.browser.get(self.link())
        author, peer = self.speaker("AI_1"), self.speaker("AI_2")
        for name, settings in (("small", {"capacity": 4}), ("plain", {}), ("many", {"a": 1, "b": 2, "c": 3})):
            shared = claiming(name, 0.5)
            shared["component"]["manifest"]["report"]["settings"] = settings
            author.send("os_component_share", shared)
            digest = msgspec.convert(shared["component"], Component).digest
            report = {"component_id": name, "performance": {}, "digest": digest, "verdict": "confirmed"}
            peer.send("performance_report", report)
        self.go("components")
        trainedOn = "return [...document.querySelectorAll('td:nth-child(6)')].map(cell => cell.textContent).sort()"
        self.until(lambda: self.browser.execute_script(trainedOn) == ["t", "t, 1/2/3", "t, capacity 4"])
        self.go("progress")
        self.shows("capacity 4; 1 confirmed. Best small")
        self.shows("\n1 confirmed. Best plain")

    def collaborate(self, author: RawClient, component: str) -> None:
        """Have C{author} complete the session that it was invited to, and tell of it in words of its own."""
        session = author.receive("collaboration_request")["payload"]["session_id"]
        step = {"by": "AI_1", "what": EVIL[:32], "task": EVIL, "note": f"from us to you {EVIL}", "verdict": EVIL[:32]}
        unshared = {"by": "AI_1", "what": "build", "component": "unshared", "digest": "4" * 64, "seconds": 1}
        steps = [{**step, "component": component, "seconds": 2.5}, {**step, "by": "AI_2", "seconds": 1}, unshared]
        shared = {"id": component, "name": "x", "implementation": "int x;", "specialization": "general"}
        complete = {"session_id": session, "collaboration_complete": True, "transcript": steps}
        author.send("os_component_share", {"component": shared, **complete})

    def test_keyboard(self) -> None:
        """The keyboard reaches every AI in the picture, and stays where it is when the page is drawn anew."""
        from selenium.webdriver.common.keys import Keys

        self.browser.get(self.link())
        author, _ = self.speaker("AI_1"), self.speaker("AI_2")
        self.shows("2 connected, 2 known")
        picture = self.until(lambda: self.browser.find_elements("css selector", "svg.network"))[0]
        self.until(lambda: len(self.browser.find_elements("css selector", "svg.network [role=option]")) == 2)
        reached = set()
        for key in (
            Keys.ARROW_RIGHT,
            Keys.ARROW_RIGHT,
            Keys.ARROW_DOWN,
            Keys.ARROW_LEFT,
            Keys.ARROW_UP,
            Keys.ARROW_LEFT,
        ):
            picture.send_keys(key)
            reached.add(self.browser.find_element("css selector", "p.told").text.partition(":")[0])
        self.assertEqual(reached, {"AI_1", "AI_2"})
        self.assertTrue(picture.get_attribute("aria-activedescendant"))
        self.go("components")
        for number in range(2):
            shared = {"id": f"c{number}", "name": "x", "implementation": f"int {number};", "specialization": "general"}
            author.send("os_component_share", {"component": shared})
            self.shows(f"c{number}")
            if number == 0:
                self.browser.execute_script("document.querySelector('td a').focus()")
        self.assertEqual(self.browser.execute_script("return document.activeElement.textContent"), "c0")
        self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"], [])

    def test_restart(self) -> None:
        """Who is not signed in is told how; while the hub is away the page says so, and goes on when it is back."""
        self.go("network")
        self.until(lambda: "token" in self.text() or "signed in" in self.text())
        self.browser.get(self.link())
        self.until(lambda: self.text().rstrip().find("live") >= 0)
        self.hub.kill()
        self.shows("trying again")
        self.startWeb()
        # Sessions end with the hub; a new link begins another.
        self.shows("You are not signed in")
        self.until(lambda: self.browser.find_element("id", "state").text == "not signed in")
        self.browser.get(self.link())
        self.shows("live")
