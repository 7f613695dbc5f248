"""One call of a server that may do anything."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.generators.llm.answer import Answer, CallFailed
from kernelnet.generators.llm.client import MAX_ANSWER, ask
from kernelnet.generators.llm.settings import Model
from tests.generators.llm.server import Reply, breaksOff, completion, drips, raw, serving

KEY = "sk-very-secret"


class AskTests(SynchronousTestCase):
    def ask(self, reply: Reply, **options: Any) -> tuple[Answer, Any]:
        with serving(reply) as served:
            return ask(Model("m", served.url, **options), KEY, [{"role": "user", "content": "?"}]), served

    def failed(self, reply: Reply, **options: Any) -> CallFailed:
        with serving(reply) as served:
            model = Model("m", served.url, **options)
            error: CallFailed = self.assertRaises(CallFailed, ask, model, KEY, [{"role": "user", "content": "?"}])
            self.assertEqual(len(served.requests), 1, "nothing is sent again behind our back")
        self.assertNotIn(KEY, str(error))
        self.assertTrue(str(error).isprintable())
        self.assertLess(len(str(error)), 300)
        return error

    def test_answer(self) -> None:
        """Text, model and usage come; the key goes where it belongs; a model that reasons is asked otherwise."""
        answer, served = self.ask(completion("hello"))
        self.assertEqual(
            (answer.text, answer.model, answer.usage, answer.isWhole), ("hello", "recorded", (100, 50), True)
        )
        self.assertEqual(served.keys, [f"Bearer {KEY}"])
        self.assertEqual(served.requests[0]["max_tokens"], 16_384)
        _, served = self.ask(completion("hello"), reasoning=True, answer_tokens=500)
        self.assertEqual(served.requests[0]["max_completion_tokens"], 500)
        self.assertNotIn("temperature", served.requests[0])

    def test_cutOff(self) -> None:
        """An answer that the model couldn't end is told apart."""
        answer, _ = self.ask(completion("```c\nint", finish="length"))
        self.assertFalse(answer.isWhole)

    def test_usage(self) -> None:
        """Usage that is missing, or nonsense, is unknown, and not 0."""
        for usage in (
            False,
            {},
            {"prompt_tokens": 0, "completion_tokens": 0},
            {"prompt_tokens": -5, "completion_tokens": 1},
            "x",
            [1],
            {"prompt_tokens": 1e30, "completion_tokens": 1},
            {"prompt_tokens": "1", "completion_tokens": 1},
        ):
            answer, _ = self.ask(completion("x", usage=usage))
            self.assertIsNone(answer.usage, usage)

    def test_otherModel(self) -> None:
        """Another model's name is told as it is, without what would harm a terminal."""
        answer, _ = self.ask(completion("x", model="\x1b[31mother"))
        self.assertEqual(answer.model, "?[31mother")

    def test_refusals(self) -> None:
        """Who is busy is asked again when he says, within a minute; who refuses, never; nobody charges for that."""
        busy = self.failed(raw(b'{"error": {"message": "slow down"}}', 429, [("Retry-After", "7")]))
        self.assertEqual((busy.again, busy.isCharged), (7.0, False))
        self.assertIn("429", str(busy))
        for told, again in (("99999", 60.0), ("nan", 5.0), ("Wed, 21 Oct 2026", 5.0), ("-1", 5.0)):
            self.assertEqual(self.failed(raw(b"{}", 429, [("Retry-After", told)])).again, again)
        broken = self.failed(raw(b"oh no " + KEY.encode(), 500))
        self.assertEqual((broken.again, broken.isCharged), (5.0, True))
        refused = self.failed(raw(b'{"error": {"message": "bad key ' + KEY.encode() + b'\\u001b[2J"}}', 401))
        self.assertEqual((refused.again, refused.isCharged), (None, False))

    def test_noAnswer(self) -> None:
        """What breaks off, drips, is no JSON or no completion has failed, and may have cost something."""
        for reply, words, options in (
            (breaksOff, "", {}),
            (drips, "within 1 s", {"seconds": 1.0}),
            (raw(b"<html>"), "no chat completion", {}),
            (raw(b"[" * 100_000), "no chat completion", {}),
            (raw(b'{"choices": []}'), "no choices", {}),
            (raw(b'{"choices": 5}'), "no chat completion", {}),
        ):
            error = self.failed(reply, **options)
            self.assertIn(words, str(error))
            self.assertTrue(error.isCharged)

    def test_tooLong(self) -> None:
        """Ten megabytes are not read, neither of an answer nor of a refusal."""
        for status in (200, 500):
            error = self.failed(raw(b'{"choices": "' + b"x" * (10 << 20), status))
            self.assertIn(f"more than {MAX_ANSWER} bytes", str(error))

    def test_unreachable(self) -> None:
        """Nothing was sent, so nothing is charged."""
        with serving() as served:
            url = served.url
        error = self.assertRaises(CallFailed, ask, Model("m", url), KEY, [{"role": "user", "content": "?"}])
        self.assertEqual((error.again, error.isCharged), (5.0, False))
        self.assertIn("can't reach http://127.0.0.1", str(error))
