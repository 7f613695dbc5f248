"""The commands without a hub, one after the other as a user types them: record, run, train, run, plot."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

PROGRAM = """
import random
rng = random.Random(1)
with open("data", "wb") as file:
    file.write(bytes(4096 * 200))
with open("data", "rb", buffering=0) as file:
    for number in range(1500):
        file.seek(4096 * (number % 60 if number % 3 else rng.randrange(200)))
        file.read(4096)
"""


class BenchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def kernelnet(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> "subprocess.CompletedProcess[str]":
        program = str(Path(sys.executable).with_name("kernelnet"))
        command = [program, *arguments]
        ran = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        self.assertIn(ran.returncode, codes, ran.stdout + ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
        return ran

    def test_whole(self) -> None:
        """A program's own trace is recorded, measured, learned from; what comes of it is measured again, and drawn."""
        if shutil.which("strace") is None:
            raise SkipTest("there is no strace here")
        said = self.kernelnet("record", "--out", "mine.csv.xz", "--", sys.executable, "-c", PROGRAM, codes=(0, 1))
        if "ptrace" in said.stderr:
            raise SkipTest(f"strace may not follow programs here: {said.stderr}")
        following = said.stderr.splitlines()[-1].split()
        self.assertEqual(following[:4], ["kernelnet", "bench", "run", "file_system"])
        self.assertIn("belady", self.kernelnet(*following[1:]).stdout)
        where = ("file_system", "--trace", "mine.csv.xz", "--capacity", "20%")
        train = ("--seconds", "2", "--out", "found.c", "--keep-refused", "--json")
        [trained] = json.loads(self.kernelnet("bench", "train", *where, *train, codes=(0, 3)).stdout)
        [ran] = json.loads(self.kernelnet("bench", "run", *where, "--component", "found.c", "--json").stdout)
        mine, its = (
            [policy["splits"] for policy in task["policies"] if policy["kind"] == "component"]
            for task in (trained, ran)
        )
        self.assertEqual((len(mine), mine), (1, its))
        if importlib.util.find_spec("matplotlib") is not None:
            drawn = ("--component", "found.c", "--over", "capacity=10%,20%,40%", "--out", "mine.png")
            self.kernelnet("bench", "plot", *where[:3], *drawn)
            self.assertTrue((self.folder / "mine.png").read_bytes().startswith(b"\x89PNG"))
