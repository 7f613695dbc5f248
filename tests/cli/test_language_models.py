"""kernelnet llm, and bench train with a model, on a server of recorded answers."""

from __future__ import annotations

import json

from tests.cli.support import CliTestCase
from tests.generators.llm.server import completion, raw, serving
from tests.generators.llm.test_family import RANK, code

KEY = "sk-very-secret-key"


class LanguageModelTests(CliTestCase):
    def config(self, url: str, more: str = "budget_usd = 1.0") -> str:
        (self.folder / "key").write_text(KEY, encoding="ascii")
        (self.folder / "key").chmod(0o600)
        file = self.folder / "llm.toml"
        file.write_text(
            f'{more}\n[[models]]\nname = "m"\nbase_url = "{url}"\nkey_file = "key"\ninput_usd = 1\noutput_usd = 10\n',
            encoding="ascii",
        )
        file.chmod(0o600)
        return str(file)

    def test_check(self) -> None:
        """Whether a model answers, and what that costs; with --dry-run nothing is sent."""
        with serving(completion("ready"), completion("ready", usage=False)) as served:
            config = self.config(served.url)
            found = self.succeed("llm", "check", "--llm-config", config)
            self.assertIn("'ready' from recorded", found)
            self.assertIn("150 tokens, $0.000600; a usual call costs about $0.052", found)
            self.assertIn("tells no usage", self.succeed("llm", "check", "--llm-config", config))
            self.assertEqual(served.keys, [f"Bearer {KEY}"] * 2)
            self.assertIn("would send", self.succeed("llm", "check", "--dry-run", "--llm-config", config))
            self.assertEqual(len(served.requests), 2)

    def test_noAnswer(self) -> None:
        """A server that refuses, or isn't there, is one line and exit code 1; the key is nowhere."""
        with serving(raw(b'{"error": {"message": "no such key ' + KEY.encode() + b'"}}', 401)) as served:
            config = self.config(served.url)
            result = self.call("llm", "check", "--llm-config", config)
            self.assertEqual(result.exit_code, 1)
            self.assertIn("no answer: the server refuses: 401", result.output)
            self.assertNotIn(KEY, result.output)
        result = self.call("llm", "check", "--llm-config", config, "--json")
        (told,) = json.loads(result.stdout)
        self.assertTrue(told["failed"])
        self.assertIn("can't reach", told["told"])

    def test_train(self) -> None:
        """A model's structure is searched, judged and written; its calls are listed; the file tells who wrote it."""
        out = self.folder / "found.c"
        with serving(completion(code(RANK)), last=raw(b"{}", 400)) as served:
            result = self.call(
                "bench", "train", "file_system", "--trace", self.trace, "--capacity", "8", "--generator", "llm",
                "--llm-config", self.config(served.url), "--seconds", "20", "--seed", "1", "--out", out,
                "--keep-refused",
            )  # fmt: skip
        self.assertIn(result.exit_code, (0, 3), result.output)
        self.assertIn("HYPOTHESIS", out.read_text(encoding="utf-8"))
        self.assertIn("written by m", out.read_text(encoding="utf-8"))
        ledger = self.folder / "found.c.llm.db"
        self.assertIn(f"told by: kernelnet llm calls --ledger {ledger}", result.stdout)
        listed = self.succeed("llm", "calls", "--ledger", ledger)
        self.assertIn("150", listed)
        found = json.loads(self.succeed("llm", "calls", "--ledger", ledger, "--json"))
        (outcome,) = (call["outcome"] for call in found["calls"] if call["tokens"] == 150)
        self.assertTrue(outcome.startswith("accepted: " if result.exit_code == 0 else "refused by"), outcome)
        for file in self.folder.iterdir():
            if file.name != "key":
                self.assertNotIn(KEY.encode(), file.read_bytes(), file.name)

    def test_mistakes(self) -> None:
        """Each is one line that says what would be right."""
        out = str(self.folder / "x.c")
        train = ("bench", "train", "file_system", "--trace", str(self.trace), "--out", out)
        self.refused(2, "no model is chosen", *train, "--generator", "llm")
        self.refused(2, "asks no language model", *train, "--generator", "genetic", "--llm-model", "m",
                     "--llm-base-url", "http://localhost:1/v1")  # fmt: skip
        self.refused(2, "give a budget", *train, "--llm-model", "m", "--llm-base-url", "https://example.com/v1")
        self.refused(2, "say whose calls", "llm", "calls")
        self.refused(1, "no calls yet", "llm", "calls", "--ledger", self.folder / "none.db")
        self.refused(1, "no calls yet", "llm", "calls", "--id", "AI_1", "--state", self.folder)
        self.refused(1, "can't use", "llm", "calls", "--ledger", self.trace)
