"""The ledger of calls: no budget is overrun, whatever dies in between."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.llm.ledger import ACCEPTED, Ledger, LedgerError, Spent
from kernelnet.generators.llm.settings import Model, Settings

MODEL = Model("m", "http://localhost/v1", input_usd=1.0, output_usd=10.0, answer_tokens=1000)
FREE = Model("free", "http://localhost/v1", answer_tokens=1000)

SPENDING = """
import sys
from pathlib import Path
from kernelnet.generators.llm.ledger import Ledger, Spent
from kernelnet.generators.llm.settings import Model, Settings
model = Model("m", "http://localhost/v1", input_usd=1.0, output_usd=10.0, answer_tokens=1000)
ledger, settings = Ledger(Path(sys.argv[1])), Settings((model,), budget_usd=float(sys.argv[2]))
while True:
    try:
        number = ledger.reserve(model, settings, "t", "0" * 64, 500)
    except Spent:
        break
    print("sent", flush=True)
    if number % 2:
        ledger.settle(number, model, (500, 1000), 1.0)
"""


class LedgerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.ledger = Ledger(self.path)

    def reserve(self, settings: Settings, model: Model = MODEL, tokens: int = 500) -> int:
        return self.ledger.reserve(model, settings, "task", "0" * 64, tokens)

    def test_private(self) -> None:
        """It is readable by us alone, whatever the umask."""
        before = os.umask(0)
        try:
            path = Path(self.mktemp())
            Ledger(path)
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_settled(self) -> None:
        """What a call did cost takes the place of what it might have."""
        settings = Settings((MODEL,), budget_usd=0.0200)
        number = self.reserve(settings)
        self.assertEqual((self.ledger.totals().tokens, self.ledger.totals().usd), (1500, 0.0105))
        self.assertIn("$0.0095 of $0.02 are left, and a call may take $0.0105", str(self.spent(settings)))
        self.ledger.settle(number, MODEL, (400, 100), 2.5)
        self.assertEqual((self.ledger.totals().tokens, self.ledger.totals().usd), (500, 0.0014))
        self.reserve(settings)

    def spent(self, settings: Settings, model: Model = MODEL) -> Spent:
        before = self.ledger.totals()
        error: Spent = self.assertRaises(Spent, self.reserve, settings, model)
        self.assertEqual(self.ledger.totals(), before, "nothing is written")
        return error

    def test_unknownUsage(self) -> None:
        """Usage that wasn't told counts as the reserve, and a failed call too."""
        settings = Settings((MODEL,), budget_usd=0.0200)
        number = self.reserve(settings)
        self.ledger.settle(number, MODEL, None, 2.5)
        self.spent(settings)
        self.ledger.tell(number, "failed")
        self.spent(settings)
        self.ledger.release(number, "failed: it was never sent")
        self.reserve(settings)

    def test_tokens(self) -> None:
        """A budget in tokens holds where nothing has a price."""
        settings = Settings((FREE,), budget_tokens=2000)
        self.reserve(settings, FREE)
        self.assertIn("500 of 2000 tokens are left, and a call may take 1500", str(self.spent(settings, FREE)))
        self.assertIsNone(self.ledger.totals().usd)

    def test_unknownPrice(self) -> None:
        """A call without a price is unknown cost: no budget in USD goes on after it."""
        self.reserve(Settings((FREE,)), FREE)
        self.assertIn("needs prices", str(self.spent(Settings((MODEL,), budget_usd=100.0))))
        self.assertIn("needs prices", str(self.spent(Settings((FREE,), budget_usd=100.0), FREE)))

    def test_again(self) -> None:
        """Another process, or the next run, goes on where this one was."""
        settings = Settings((MODEL,), budget_usd=0.0200)
        self.reserve(settings)
        self.ledger = Ledger(self.path)
        self.spent(settings)
        raised = msgspec.structs.replace(settings, budget_usd=1.0)
        self.reserve(raised)

    def test_killed(self) -> None:
        """Twenty kill -9 in the middle, two processes at once: never more was sent than the budget bears."""
        budget, rng, sent = 2.0, random.Random(1), 0
        command = [sys.executable, "-c", SPENDING, str(self.path), str(budget)]
        for _ in range(10):
            running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
            for process, lines in zip(running, rng.choices(range(1, 12), k=2), strict=True):
                assert process.stdout is not None
                for _line in range(lines):
                    if process.stdout.readline():
                        sent += 1
                process.send_signal(signal.SIGKILL)
                sent += len(process.stdout.read().splitlines())
                process.stdout.close()
                process.wait()
        found = self.ledger.totals()
        assert found.usd is not None
        self.assertGreater(sent, 60)
        self.assertLessEqual(sent, found.calls)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        found = self.ledger.totals()
        assert found.usd is not None
        self.assertLessEqual(found.usd, budget + 1e-9)
        self.assertEqual(found.calls, int(budget / 0.0105 + 1e-9))

    def test_calls(self) -> None:
        """The last ones are told, the newest first, with what became of them."""
        settings = Settings((MODEL,))
        for at in range(3):
            number = self.reserve(settings, tokens=at + 1)
        self.ledger.settle(number, MODEL, (3, 7), 1.25)
        self.ledger.tell(number, f"{ACCEPTED}: abc")
        newest, before = self.ledger.calls(2)
        self.assertEqual((newest.number, newest.tokens, newest.reserved, newest.seconds), (3, 10, False, 1.25))
        self.assertEqual((newest.outcome, self.ledger.totals().accepted), (f"{ACCEPTED}: abc", 1))
        self.assertEqual((before.tokens, before.reserved, before.outcome), (1002, True, "sent"))

    def test_unusable(self) -> None:
        """A file that is none of ours is named, in one line."""
        path = Path(self.mktemp())
        path.write_text("no database " * 100, encoding="ascii")
        self.assertIn(str(path), str(self.assertRaises(LedgerError, Ledger, path)))
        self.assertIn("can't use", str(self.assertRaises(LedgerError, Ledger, path / "below")))
