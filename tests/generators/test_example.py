"""The example of a third party's generator: installed by pip, found, used, and its own tests run."""

from __future__ import annotations

from tests.examples import EXAMPLES, ExampleTestCase

EXAMPLE = "kernelnet-random-generator"


class ExampleTests(ExampleTestCase):
    def test_installed(self) -> None:
        """In a fresh venv, pip installs it, and kernelnet finds it and gets a working policy from it."""
        python = self.install(EXAMPLE)
        self.run_(python, "-m", "unittest", "discover", "example/tests")
        self.assertRegex(self.kernelnet(python, "generators"), r"random .*\n(.*\n)*.*search ")

    def test_noInit(self) -> None:
        """It has no __init__.py that would take the place of Twisted's own."""
        self.assertEqual(list((EXAMPLES / EXAMPLE / "twisted").rglob("__init__.py")), [])
