"""The connection by which a node hears others, as the reactor reads it."""

from __future__ import annotations

from typing import Any

import psycopg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kernelnet.hub.storage.postgres.ears import NotifyEars, listening
from tests.postgres import server


class EarsTests(TestCase):
    timeout = 30

    async def test_lost(self) -> None:
        """Words are heard as they are said; so they are after the server has ended the connection, once it is anew."""
        url = server().database()
        loop: Any = reactor
        heard: list[str] = []
        word: Deferred[None] = Deferred()
        began: Deferred[None] = Deferred()

        def hears(said: str) -> None:
            heard.append(said)
            word.callback(None)

        ears = NotifyEars(lambda: deferToThread(listening, url, "kernelnet"), loop)
        self.addCleanup(ears.stop)

        def isOpen() -> bool:
            return ears._connection is not None

        ears.start(hears, lambda: began.callback(None))
        ears.hear()
        await began
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("NOTIFY kernelnet, 'one'")
            await word
            word, began = Deferred(), Deferred()
            assert ears._connection is not None
            other.execute("SELECT pg_terminate_backend(%s)", (ears._connection.info.backend_pid,))
            while isOpen():  # the reactor reads its end
                await deferToThread(lambda: None)
            ears.hear()
            await began
            other.execute("NOTIFY kernelnet, 'two'")
            await word
        self.assertEqual(heard, ["one", "two"])
