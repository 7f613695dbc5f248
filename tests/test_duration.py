"""Spans of time as a user writes them."""

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.duration import parseDuration


class DurationTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A whole number and a unit; white space around it does not count."""
        for text, seconds in (
            ("90s", 90),
            ("15m", 900),
            ("12h", 43200),
            ("30d", 2592000),
            ("2w", 1209600),
            (" 1h ", 3600),
        ):
            self.assertEqual(parseDuration(text), seconds)
            self.assertEqual(parseDuration(f" {text} "), seconds)

    def test_bad(self) -> None:
        """Anything else is refused with what would be right."""
        for text in ("", "30", "d", "0d", "-1d", "1.5h", "1 d", "1y", "1D", "9999999d", "١d", "1h30m"):
            self.assertIn("such as 30d, 12h or 15m", str(self.assertRaises(ValueError, parseDuration, text)))
