"""Settings of models: what is wrong is named, and no key leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.llm.settings import Model, Settings, SettingsError, chosen, keyOf

FILE = """
budget_usd = 2.0

[[models]]
name = "one"
base_url = "https://api.example.com/v1"
key_env = "EXAMPLE_KEY"
input_usd = 1.25
output_usd = 10

[[models]]
name = "two"
base_url = "http://localhost:11434/v1"
input_usd = 0.0
output_usd = 0.0
key_file = "two.key"
"""


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "llm.toml"

    def write(self, text: str, mode: int = 0o600) -> Path:
        self.file.write_text(text, encoding="utf-8")
        self.file.chmod(mode)
        return self.file

    def refused(self, *words: str, file: Path | None = None, **said: Any) -> None:
        error = str(self.assertRaises(SettingsError, chosen, file, **said))
        for word in words:
            self.assertIn(word, error)
        self.assertEqual(len(error.splitlines()), 1)

    def test_file(self) -> None:
        """Both models, their prices and the budget; a key's path is from the file's folder on."""
        settings = chosen(self.write(FILE))
        one, two = settings.models
        self.assertEqual((settings.budget_usd, one.name, one.cost(1_000_000, 100_000)), (2.0, "one", 2.25))
        self.assertEqual(two.key_file, str(self.folder.absolute() / "two.key"))
        self.assertEqual([model.name for model in chosen(self.file, model="two").models], ["two"])
        self.assertEqual(chosen(self.file, budget=5.0).budget_usd, 5.0)

    def test_options(self) -> None:
        """Without a file one model will do, on this machine without a budget."""
        settings = chosen(None, model="llama", baseUrl="http://127.0.0.1:8000/v1")
        self.assertEqual(settings, Settings((Model("llama", "http://127.0.0.1:8000/v1"),)))
        chosen(None, model="big", baseUrl="https://example.com/v1", tokens=100_000)

    def test_mistakes(self) -> None:
        """Each is named, with what would be right."""
        self.refused("no model is chosen", "--llm-model")
        self.refused("no address of a server", model="m", baseUrl="localhost:80", tokens=5)
        self.refused("over plain http", "https", model="m", baseUrl="http://example.com/v1", tokens=5)
        self.refused("password in it", model="m", baseUrl="https://me:pw@example.com/v1", tokens=5)
        self.refused("give a budget", "example.com", model="m", baseUrl="https://example.com/v1")
        self.refused("unknown", "input_usd", "tokens", model="m", baseUrl="http://localhost/v1", budget=1.0)
        self.refused("budget_usd", model="m", baseUrl="http://localhost/v1", budget=-1.0)
        self.refused("no model 'three'", "one, two", file=self.write(FILE), model="three")
        self.refused("name it by --llm-model", file=self.file, baseUrl="http://localhost/v1")
        self.refused("chmod 600", "0644", file=self.write(FILE, 0o644))
        self.refused("no TOML", file=self.write("budget_usd ="))
        self.refused("unknown field `budget`", file=self.write("budget = 1\n" + FILE))
        self.refused("models", file=self.write("models = []"))
        self.refused("not UTF-8", file=self.binary())
        self.refused("can't read", file=self.folder / "none.toml")

    def binary(self) -> Path:
        self.file.write_bytes(b"\xff\xfe")
        return self.file

    def test_keys(self) -> None:
        """A key comes from where it was said, and goes to nobody else."""
        one = chosen(self.write(FILE)).models[0]
        self.assertEqual(keyOf(one, {"EXAMPLE_KEY": "k1", "OPENAI_API_KEY": "k2"}), "k1")
        error = self.assertRaises(SettingsError, keyOf, one, {"OPENAI_API_KEY": "k2"})
        self.assertIn("set EXAMPLE_KEY", str(error))
        self.assertEqual(keyOf(Model("m", "http://localhost:1/v1"), {"OPENAI_API_KEY": "k2"}), "none")
        self.assertEqual(keyOf(Model("m"), {"OPENAI_API_KEY": "k2"}), "k2")
        self.assertRaises(SettingsError, keyOf, Model("m", "https://example.com/v1"), {"OPENAI_API_KEY": "k2"})

    def test_keyFile(self) -> None:
        """One that others can read is refused, and not repeated."""
        two = chosen(self.write(FILE)).models[1]
        key = self.folder / "two.key"
        self.assertIn("can't read the key file", str(self.assertRaises(SettingsError, keyOf, two, {})))
        key.write_text("secret\n", encoding="ascii")
        key.chmod(0o644)
        error = str(self.assertRaises(SettingsError, keyOf, two, {}))
        self.assertIn("chmod 600", error)
        self.assertNotIn("secret", error)
        key.chmod(0o600)
        self.assertEqual(keyOf(two, {}), "secret")
