"""Options of ``twistd kernelhub``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.hub import tap
from kernelnet.hub.tap import Options


class OptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        # A hub of the user's may be at work on this machine.
        self.patch(tap, "_refuseTakenPort", lambda port, address: None)

    def test_defaults(self) -> None:
        """Port 6000 with TLS, and the state directory of the user."""
        options = Options()
        options.parseOptions([])
        self.assertEqual((options["port"], options["insecure-plaintext"], options["hosts"]), ("6000", 0, []))

    def test_hosts(self) -> None:
        """--host may be given several times."""
        options = Options()
        options.parseOptions(["--host", "a.example", "--host", "10.0.0.1"])
        self.assertEqual(options["hosts"], ["a.example", "10.0.0.1"])

    def test_refused(self) -> None:
        """What can't work is refused in one line."""
        for arguments in (
            ["--port", "70000"],
            ["--port", "-1"],
            ["--port", "nonsense"],
            ["--port", "tcp:6000"],
            ["--port", "tcp:6000:interface=127.0.0.1"],
            ["--insecure-plaintext", "--port", "tcp:6000"],
            ["--insecure-plaintext", "--port", "tcp:6000:interface=0.0.0.0"],
            ["--insecure-plaintext", "--port", "tcp:6000:interface=127.0.0.1.example.com"],
            ["--insecure-plaintext", "--port", "ssl:6000"],
            ["--node", "east"],
            ["--node", "so/so", "--database", "postgresql://h/x"],
            ["--session-offered", "0"],
            ["--session-active", "nan"],
        ):
            with self.assertRaises(SystemExit) as caught:
                Options().parseOptions(arguments)
            self.assertRegex(str(caught.exception.code), r"\Atwistd kernelhub: .+\Z")

    def test_noNumber(self) -> None:
        """What is no number is refused in one line: which option, what it was, what would be right."""
        names = [row[0] for row in Options.optParameters if isinstance(row[2], int | float)]
        self.assertEqual(len(names), 15)
        for name in names:
            for value in ("x", "", "1,000", "0x10"):
                with self.assertRaises(SystemExit) as caught:
                    Options().parseOptions([f"--{name}", value])
                pattern = rf"\Atwistd kernelhub: --{name} takes a (whole )?number such as [\d.]+, not {value!r}\Z"
                self.assertRegex(str(caught.exception.code), pattern)

    def test_mistyped(self) -> None:
        """A mistyped option is told in one line, with the one that was meant."""
        for arguments, words in (
            (["--prot", "6000"], "option --prot not recognized (did you mean --port?)"),
            (["--zzzzzz"], "option --zzzzzz not recognized"),
            (["--port"], "option --port requires argument"),
            (["6000"], "it takes options alone, not '6000'"),
        ):
            with self.assertRaises(SystemExit) as caught:
                Options().parseOptions(arguments)
            self.assertEqual(caught.exception.code, f"twistd kernelhub: {words}; all of them: twistd kernelhub --help")

    def test_plaintextOnLoopback(self) -> None:
        """Loopback endpoints may be plaintext."""
        for port in ("0", "6000", "tcp:6000:interface=127.0.0.1", r"tcp6:6000:interface=\:\:1", "unix:/tmp/x"):
            Options().parseOptions(["--insecure-plaintext", "--port", port])
