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
from kernelnet.hub.workbench_rules import installedRules
from kernelnet.observations import onSite
from tests.hub.routing.test_observations import OBSERVATION
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
        self.go("network")
        self.shows("No trainer has been here yet")
        author, peer = self.speaker("AI_1"), self.speaker("AI_2")
        name = EVIL[:90]
        component = {"id": name, "name": EVIL[:90], "implementation": f"/* {EVIL} */", "description": EVIL}
        author.send("os_component_share", {"component": {**component, "specialization": EVIL[:90]}})
        peer.send("collaboration_request", {"type": "feature_development", "description": EVIL, "target_ai": "AI_1"})
        self.shows("2 connected, 2 known")
        for view, words in (
            ("overview", "AIs connected"),
            ("network", "AI_1"),
            ("progress", "Nothing is confirmed yet"),
            ("components", name[:39]),
            ("sites", "Nothing was tried"),
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
            shared = claiming(name, 0.5, rules=installedRules()["file_system"])
            shared["component"]["manifest"]["report"]["settings"] = settings
            author.send("os_component_share", shared)
            digest = msgspec.convert(shared["component"], Component).digest
            report = {"component_id": name, "performance": {}, "digest": digest, "verdict": "confirmed"}
            peer.send("performance_report", report)
        self.go("components")
        trainedOn = "return [...document.querySelectorAll('td:nth-child(6)')].map(cell => cell.textContent).sort()"
        self.until(lambda: self.browser.execute_script(trainedOn) == ["t", "t, 4 blocks", "t, a 1, b 2, c 3"])
        self.go("progress")
        self.shows("4 blocks; 1 confirmed. Best small")
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

    def test_observations(self) -> None:
        """A component's page shows what was seen of it at work beside its verdicts, and says that it is no verdict."""
        self.browser.get(self.link())
        author, peer = self.speaker("AI_1"), self.speaker("AI_2")
        shared = claiming("seen", 0.5, rules=installedRules()["file_system"])
        author.send("os_component_share", shared)
        digest = msgspec.convert(shared["component"], Component).digest
        report = {"component_id": "seen", "performance": {"score": 5}, "digest": digest, "verdict": "confirmed"}
        peer.send("performance_report", report)
        observation = {**OBSERVATION, "hardware": "x86_64, 2 cores", "workload": EVIL}
        observed = {"component_id": "seen", "digest": digest, "observation": observation}
        peer.send("performance_report", observed)
        self.go("components")
        self.until(lambda: self.browser.execute_script("return document.querySelector('td a') !== null"))
        self.browser.execute_script("document.querySelector('td a').click()")
        self.shows("no verdict depends on it")
        self.shows("sqlite, Linux 6.18, x86_64, 2 cores")
        self.shows(EVIL)
        self.shows("built-in 1")
        self.assertNotIn("taken", self.browser.title)
        # What was tried on traces of their own stands with sites alone.
        seen = onSite("7" * 32, "3" * 64, "file_system", {"capacity": 4}, level=0.57, handMade=("lru", 0.5))
        peer.send("performance_report", {**observed, "observation": msgspec.to_builtins(seen)})
        self.go("sites/file_system")
        self.shows("0.57 ▲")
        self.shows("7777")

    def share(self, name: str, level: float, *, capacity: int = 4, parents: tuple[str, ...] = ()) -> str:
        """AI_1 shares a component on a task; its digest."""
        shared = claiming(name, level, list(parents), rules=installedRules()["file_system"])
        report = shared["component"]["manifest"]["report"]
        report["settings"], report["trace"] = {"capacity": capacity}, EVIL
        self.author.send("os_component_share", shared)
        return msgspec.convert(shared["component"], Component).digest

    def confirm(self, name: str, digest: str, level: float, hand: float) -> None:
        """Two others confirm it, and agree on the hand-made policies."""
        told: dict[str, object] = {"development_level": level, "level_low": level - 0.03, "level_high": level + 0.03}
        told |= {"chosen_on_train": "lirs", "chosen_on_train_level": hand - 0.1}
        told |= {"best_in_hindsight": "s3fifo", "best_in_hindsight_level": hand}
        for peer in self.peers:
            report = {"component_id": name, "performance": told, "digest": digest, "verdict": "confirmed"}
            peer.send("performance_report", report)

    def work(self) -> None:
        """Three AIs, two of whose tasks are better than every hand-made policy, and a search that goes on."""
        self.author = self.client("AI_1")
        self.peers = [self.client("AI_2"), self.client("AI_3")]
        for client in (self.author, *self.peers):
            client.hello(specialization="file_system", version="2.0.0", protocol=2)
        first = self.share("first", 0.31)
        self.confirm("first", first, 0.31, 0.33)
        second = self.share("second", 0.42, parents=(first,))
        self.confirm("second", second, 0.42, 0.33)
        for capacity, level in ((8, 0.32), (16, 0.2)):
            name = f"at{capacity}"
            self.confirm(name, self.share(name, level, capacity=capacity), level, 0.3)
        self.share("bragging", 0.99)
        task = {"workbench": "file_system", "trace": EVIL, "trace_digest": "1" * 64, "settings": {"capacity": 4}}
        once = {"task": task, "evaluations": 1, "train": 0.1, "validation": 0.08}
        self.peers[0].send("heartbeat", {"progress": once})
        for evaluations, train in ((1, -9.0), (40, 0.2), (90, 0.41)):
            progress = {"task": task, "evaluations": evaluations, "train": train, "validation": train - 0.02}
            self.author.send("heartbeat", {"progress": progress})
            time.sleep(1.1)  # the hub takes one a second of each AI

    def test_overview(self) -> None:
        """The first page says what was reached, who works on what and what happened; a task's, how and by what."""
        self.work()
        self.browser.get(self.link())
        self.shows("2 of 3\ntasks better than every hand-made policy")
        self.shows("0.420 ± 0.03")
        self.shows("1 waiting, 0 refuted")
        told = "return [...document.querySelectorAll('ol.events li')].map((one) => one.textContent)"
        events = self.until(lambda: self.browser.execute_script(told))
        self.assertTrue(any(f"is the best on file_system: {EVIL}, 4 blocks" in event for event in events), events)
        rows = self.until(self.rows)
        for width in (1280, 400):
            self.browser.set_window_size(width, 900)
            self.assertEqual(self.seen(".task .settings"), len(self.heights(".task")), "its settings are seen")
        self.assertEqual([row[-3] for row in rows], ["+0.090", "~ +0.020", "−0.100"])
        self.shows("1 of these by less than the interval")
        self.browser.execute_script(
            "[...document.querySelectorAll('td a')].find((a) => a.textContent.endsWith('4 blocks')).click()"
        )
        self.shows("better than every hand-made policy")
        self.shows("s3fifo, level 0.330")
        self.shows("lirs, level 0.230")
        self.until(lambda: self.chartSays("AI_1 0.390 after 90 evaluations"))
        self.until(lambda: {"0.39", "0.41", "0.08", "0.1"} <= set(self.legends()))  # also of one who told before
        self.until(lambda: self.chartSays("Level over capacity, 3 tasks"))
        self.shows("Lineage of the best")
        self.shows("first of AI_1, level 0.310, the step from it gained +0.1100")
        self.shows("claimed: 0.990")
        self.assertEqual(
            self.browser.execute_script(
                "return [...document.querySelectorAll('tr.claimed td a')].map((a) => a.textContent)"
            ),
            ["bragging"],
        )
        names = "return [...document.querySelectorAll('td:first-child a')].map((a) => a.textContent)"
        self.assertEqual(self.browser.execute_script(names)[-1], "bragging", "what is claimed stands below")
        task = self.browser.execute_script("return location.hash.slice(2)")
        self.browser.find_element("id", "by").click()
        self.shows("by time")
        for width in (1280, 400):
            self.browser.set_window_size(width, 900)
            for view in ("overview", task, "components"):
                self.go(view)
                self.shows("s3fifo" if view == task else "0.420")
                wide = self.browser.execute_script(
                    "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
                )
                self.assertFalse(wide, f"{view} is wider than {width} pixels")
                charts = {"overview": 2, task: 3}.get(view, 0)
                drawn = "return document.querySelectorAll('.chart canvas').length"
                self.until(lambda n=charts, script=drawn: self.browser.execute_script(script) == n)  # type: ignore[misc]
                self.assertEqual(self.cut(), [], f"tables of {view} are cut at {width} pixels")
                self.assertLess(max(self.heights("ol.events li, tbody tr"), default=0), 60, "no row has three lines")
                lines = self.browser.execute_script("return document.querySelector('nav').offsetHeight")
                self.assertLess(lines, 45, "the navigation is one line")
        self.assertNotIn("taken", self.browser.title)
        self.assertEqual(
            self.browser.execute_script("return document.querySelectorAll('main script, main img').length"), 0
        )
        self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"], [])

    def rows(self) -> list[list[str]]:
        """The overview's table of tasks."""
        script = "return [...document.querySelectorAll('main > .scroll tbody tr')]"
        script += ".map((row) => [...row.cells].map((cell) => cell.innerText))"
        found: list[list[str]] = self.browser.execute_script(script)
        return found if len(found) == 3 else []

    def cut(self) -> list[str]:
        """Heads of tables that are wider than there is room."""
        script = "return [...document.querySelectorAll('main .scroll')]"
        script += ".filter((one) => one.scrollWidth > one.clientWidth)"
        found: list[str] = self.browser.execute_script(f"{script}.map((one) => one.querySelector('thead').innerText)")
        return found

    def heights(self, selector: str) -> list[int]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.offsetHeight)"
        found: list[int] = self.browser.execute_script(script, selector)
        return found

    def seen(self, selector: str) -> int:
        """Number of elements whose words are seen whole."""
        script = "return [...document.querySelectorAll(arguments[0])]"
        script += ".filter((one) => one.scrollWidth <= one.clientWidth).length"
        found: int = self.browser.execute_script(script, selector)
        return found

    def chartSays(self, words: str) -> bool:
        """Whether a chart's description for those who don't see it has these words."""
        said = self.browser.execute_script(
            "return [...document.querySelectorAll('.chart')].map((one) => one.getAttribute('aria-label')).join('\\n')"
        )
        return words in said

    def test_keyboard(self) -> None:
        """The keyboard reaches every AI in the picture, and stays where it is when the page is drawn anew."""
        from selenium.webdriver.common.keys import Keys

        self.browser.get(self.link())
        author, _ = self.speaker("AI_1"), self.speaker("AI_2")
        self.go("network")
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
