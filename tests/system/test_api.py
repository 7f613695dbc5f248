"""The Python API: under plain asyncio, under Twisted's asyncio reactor, and in Twisted."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.system.support import PATIENCE, RESTING, SystemTestCase, smallTrace

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "python.rst"

COMMON = f"""{RESTING}
import json, sys
from pathlib import Path
from kernelnet import IntegratedKernelTrainer, MessageType, NetworkedKernelTrainer, NetworkMessage, OSFeature

def make(port, ai_id="AI_1", learner=None):
    state = Path(sys.argv[1])
    return NetworkedKernelTrainer(ai_id, "file_system", "localhost", port, kernel_trainer=learner, state=state)

def makeResting(port, ai_id):
    return make(port, ai_id, IntegratedKernelTrainer("file_system", [Path("small.txt")], resting, author=ai_id))
"""


class ApiTests(SystemTestCase):
    def run_(self, script: str, *arguments: str) -> dict[str, Any]:
        """The JSON that a program prints."""
        smallTrace(self.folder)
        program = COMMON + textwrap.dedent(script)
        found = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore:Passing pyOpenSSL", "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
            cwd=self.folder,
            env={**os.environ, "XDG_DATA_HOME": str(self.folder)},
        )
        self.assertEqual(found.returncode, 0, found.stderr)
        result: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
        return result

    def test_asyncio(self) -> None:
        """asyncio.run works twice in one process, and one after the other sees what the first learned."""
        self.startHub()
        found = self.run_(
            """
            import asyncio
            trainer = make(int(sys.argv[2]))
            first = asyncio.run(trainer.run_collaborative_training(0.05))
            second = asyncio.run(trainer.run_collaborative_training(0.05))
            print(json.dumps({"first": first, "second": second, "knowledge": list(trainer.shared_knowledge),
                              "patterns": len(trainer.shared_knowledge["patterns"])}))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertEqual(found["first"]["ai_id"], "AI_1")
        self.assertEqual(found["second"]["unacked"], 0)
        self.assertGreater(found["patterns"], 0)
        self.assertLessEqual({"patterns", "components", "benchmarks"}, set(found["knowledge"]))

    def test_result(self) -> None:
        """It tells whether a hub was there, for how long, and what was done in this run; also without any hub."""
        hub = self.startHub()
        script = """
            import asyncio
            trainer = makeResting(int(sys.argv[2]), "AI_1")
            print(json.dumps(asyncio.run(trainer.run_collaborative_training(0.05))))
            """
        found = self.run_(script, str(self.state.path), str(self.port))
        self.assertEqual((found["connected"], found["online"]), (True, True))
        self.assertTrue(0 < found["connected_seconds"] <= 12, found)
        self.assertEqual(found["this_run"]["confirmed"], 0)
        hub.stop()
        found = self.run_(script, str(self.state.path), str(self.port))
        self.assertEqual((found["connected"], found["online"], found["connected_seconds"]), (False, False, 0.0))

    def test_snippet(self) -> None:
        """The snippet of the documentation works as a script, and in a loop that runs already, such as Jupyter's."""
        self.startHub()
        (snippet,) = re.findall(r"::\n\n((?:    .*\n|\n)+)", DOCUMENT.read_text("utf-8"))
        snippet = textwrap.dedent(snippet).replace("6000", str(self.port)).replace("duration_minutes=1", "0.02")
        cell = re.sub(r"^asyncio\.run\(main\(\)\).*: (await main\(\))$", r"\1", snippet, flags=re.MULTILINE)
        self.assertNotEqual(snippet, cell)
        inLoop = f"""
import ast, asyncio
code = compile({cell!r}, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
async def loop():
    await eval(code, {{"__name__": "__main__"}})
asyncio.run(loop())
"""
        (self.folder / "kernelnet").symlink_to(self.state.path)  # the user's own
        shorter = "import kernelnet.learning.demo\nkernelnet.learning.demo.DEMO_SECONDS = 1.0\n"
        for program in (shorter + snippet, shorter + inLoop):
            done = subprocess.run(
                [sys.executable, "-W", "error", "-W", "ignore:Passing pyOpenSSL", "-c", program],
                check=False,
                capture_output=True,
                text=True,
                timeout=PATIENCE * 3,
                cwd=self.folder,
                env={**os.environ, "XDG_DATA_HOME": str(self.folder)},
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout.splitlines()[-1], r"\ATrue \{'rounds': \d+, 'built'")

    def test_asyncioReactor(self) -> None:
        """Under Twisted's asyncio reactor both an asyncio task and Twisted code can await it."""
        self.startHub()
        found = self.run_(
            """
            import asyncio
            from twisted.internet import asyncioreactor
            asyncioreactor.install()
            from twisted.internet import reactor
            from twisted.internet.defer import Deferred
            from twisted.internet.task import react
            port = int(sys.argv[2])

            async def task():
                return await makeResting(port, "AI_1").run_collaborative_training(0.05)

            async def twisted():
                return await makeResting(port, "AI_2").run_collaborative_training(0.05)

            async def main(reactor):
                one = await Deferred.fromFuture(asyncio.ensure_future(task()))
                two = await twisted()
                print(json.dumps([one["ai_id"], two["ai_id"]]))

            react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertEqual(found, ["AI_1", "AI_2"])

    def test_stoppedReactor(self) -> None:
        """After a reactor of the program's own has been stopped it is said that none can run any more."""
        found = self.run_(
            """
            import asyncio
            from twisted.internet.defer import succeed
            from twisted.internet.task import react
            try:
                react(lambda reactor: succeed(None))
            except SystemExit:
                pass
            try:
                asyncio.run(make(1).run_collaborative_training(1))
            except RuntimeError as e:
                print(json.dumps({"error": str(e)}))
            """,
            str(self.folder / "unused"),
        )
        self.assertIn("can't run again", found["error"])

    def test_failure(self) -> None:
        """Refused credentials are raised where the training is awaited."""
        self.startHub()
        found = self.run_(
            """
            import asyncio
            from kernelnet.trainer.service import TrainerFailed
            trainer = NetworkedKernelTrainer("AI_1", hub_port=int(sys.argv[2]), auth_token="wrong",
                                             state=Path(sys.argv[1]))
            try:
                asyncio.run(trainer.run_collaborative_training(1))
            except TrainerFailed as e:
                print(json.dumps({"error": str(e)}))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertIn("refused our credentials", found["error"])

    def test_cancelled(self) -> None:
        """A task that is cancelled ends when its trainer has: another can begin at once."""
        self.startHub()
        found = self.run_(
            """
            import asyncio
            trainer = make(int(sys.argv[2]))

            async def main():
                try:
                    await asyncio.wait_for(trainer.run_collaborative_training(5), 2)
                except asyncio.TimeoutError:
                    return await trainer.run_collaborative_training(0.02)

            print(json.dumps(asyncio.run(main())))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertEqual(found["ai_id"], "AI_1")

    def test_cancelledInReactor(self) -> None:
        """The same under Twisted's asyncio reactor."""
        self.startHub()
        found = self.run_(
            """
            import asyncio
            from twisted.internet import asyncioreactor
            asyncioreactor.install()
            from twisted.internet.defer import Deferred
            from twisted.internet.task import react
            trainer = make(int(sys.argv[2]))

            async def main():
                try:
                    await asyncio.wait_for(trainer.run_collaborative_training(5), 2)
                except asyncio.TimeoutError:
                    print(json.dumps(await trainer.run_collaborative_training(0.02)))

            react(lambda reactor: Deferred.fromFuture(asyncio.ensure_future(main())))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertEqual(found["ai_id"], "AI_1")

    def test_twoTrainers(self) -> None:
        """Two trainers work side by side in one process."""
        self.startHub()
        found = self.run_(
            """
            import asyncio

            async def main():
                both = [makeResting(int(sys.argv[2]), ai_id) for ai_id in ("AI_1", "AI_2")]
                return await asyncio.gather(*(t.run_collaborative_training(0.05) for t in both))

            print(json.dumps({"ids": [found["ai_id"] for found in asyncio.run(main())]}))
            """,
            str(self.state.path),
            str(self.port),
        )
        self.assertEqual(found["ids"], ["AI_1", "AI_2"])

    def test_withoutHub(self) -> None:
        """run_comprehensive_demo learns, builds and measures without a hub."""
        trace = self.folder / "trace.txt"
        # each block comes once more, too late for any policy made by hand: one has to learn which are done with
        blocks = [b for i in range(6000) for b in (i, max(0, i - 60))]
        trace.write_text("\n".join(map(str, blocks)))
        found = self.run_(
            """
            import asyncio
            found = asyncio.run(IntegratedKernelTrainer(traces=[sys.argv[1]]).run_comprehensive_demo())
            print(json.dumps(found))
            """,
            str(trace),
        )
        self.assertGreater(found["patterns_learned"], 0)
        # one of the two sizes has something to learn; a further search may find something better there
        self.assertIn(found["components_built"], (1, 2))
        self.assertGreater(found["performance_gain"], 0)
