"""Connections that are too many, too slow, or read nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import abuse
from .abuse import AbuseTestCase, Swarm, closed, errorOf, line, mayOpen


class SlowTests(AbuseTestCase):
    options = ("--auth-timeout", "3")

    def test_beforeTLS(self) -> None:
        """Who connects and never begins TLS is cut when the time to authenticate is over."""
        with self.row("slowloris before TLS: 900 silent sockets", growth=60) as row:
            sockets = [self.tcp() for _ in range(900)]
            self.client("NEWCOMER_1").close()
            self.waitUntil(lambda: closed(sockets) == 900, "silent connections stay")
            row.answer = "all cut after 3 s"

    def test_duringTLS(self) -> None:
        """Who sends its ClientHello byte by byte is cut at the same time: it is counted from the accept."""
        with self.row("slowloris during TLS: 200 byte by byte") as row:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            clientHello = outgoing.read()
            sockets = [self.tcp() for _ in range(200)]
            begin, sent = time.monotonic(), 0
            while closed(sockets) < 200 and time.monotonic() < begin + 15:
                for each in sockets:
                    with contextlib.suppress(OSError):
                        each.send(clientHello[sent : sent + 1])
                sent += sent < len(clientHello) - 2
                time.sleep(0.05)
            self.assertEqual(closed(sockets), 200)
            self.assertLess(time.monotonic() - begin, 8)
            row.answer = "all cut after 3 s"

    def test_beforeAuthentication(self) -> None:
        """Who begins TLS and then sends no line, or a line byte by byte, is told C{auth_timeout} and cut."""
        with self.row("slowloris before authentication: 200 in TLS", growth=40) as row:
            streams = [self.tls() for _ in range(200)]
            begin = time.monotonic()
            for i in range(20):
                for stream in streams[::2]:
                    with contextlib.suppress(OSError):
                        stream.send(b'{"ai_id": "AI_1", "token": "'[i : i + 1])
                time.sleep(0.05)
            self.assertEqual({errorOf(stream) for stream in streams}, {"auth_timeout"})
            self.assertLess(time.monotonic() - begin, 8)
            row.answer = "auth_timeout"

    def test_authenticated(self) -> None:
        """Who is authenticated and says hello byte by byte holds up nobody."""
        with self.row("slowloris after authentication", left=2) as row:
            client = self.client("SLOW")
            for byte in b'{"message_id": "1", "sender_id": "SLOW", "message_type':
                client._file.write(bytes([byte]))
                client._file.flush()
                time.sleep(0.02)
            row.answer = "it may; nobody waits"
        client.close()


class FloodTests(AbuseTestCase):
    def test_oneAddress(self) -> None:
        """Of one address a thousand may be unauthenticated; the oldest go, and who is authenticated stays."""
        count = mayOpen(3000)
        self.flood(count)
        before = self.status()["limits"]["displaced"]
        # The second time: what the first took is used again, or something leaks.
        with self.row(f"flood from one address: {count} sockets", growth=15) as row:
            self.flood(count)
            row.answer = f"{self.status()['limits']['displaced'] - before} oldest cut"

    def flood(self, count: int) -> None:
        sockets = [self.tcp() for _ in range(count)]
        self.waitUntil(lambda: closed(sockets) >= count - 1000, "more than a thousand stay")
        self.assertEqual(closed(sockets[count - 1000 :]), 0)
        self.client("NEWCOMER_1").close()
        for each in sockets:
            each.close()

    def test_manyAddresses(self) -> None:
        """In all four thousand may be."""
        count = mayOpen(6000)
        before = self.status()["limits"]["displaced"]
        with self.row(f"flood from 40 addresses: {count} sockets", growth=300) as row:
            sockets = [self.tcp(f"127.0.1.{i % 40 + 1}") for i in range(count)]
            self.waitUntil(lambda: closed(sockets) >= count - 4000, "more than four thousand stay")
            self.assertEqual(closed(sockets[count - 3999 :]), 0)
            self.client("NEWCOMER_2").close()
            row.answer = f"{self.status()['limits']['displaced'] - before} oldest cut"
            for each in sockets:
                each.close()

    def test_handshakes(self) -> None:
        """TLS handshakes as fast as they can be made, from one address and from many."""
        count = 20_000 if abuse.FULL else 1500
        with self.row(f"{count} TLS handshakes and away", growth=60) as row:

            def shake(i: int) -> None:
                stream = self.context().wrap_socket(
                    socket.create_connection(("127.0.0.1", self.port), 60, (f"127.0.2.{i % 50 + 1}", 0)),
                    server_hostname="localhost",
                )
                stream.close()

            with ThreadPoolExecutor(32) as pool:
                for _ in pool.map(shake, range(count)):
                    pass
            row.answer = "served"

    def test_handshakesAtOnce(self) -> None:
        """Who opens many connections first, and begins TLS on all at the same moment: who is connected is served."""
        count = mayOpen(3900)  # 4,000 may be unauthenticated
        with self.row(f"{count} ClientHellos at once", growth=100) as row:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            clientHello = outgoing.read()
            sockets = [self.tcp(f"127.0.3.{i % 10 + 1}") for i in range(count)]
            for each in sockets:
                each.send(clientHello)
            start = time.monotonic()
            self.client("NEWCOMER_3").close()
            waited = time.monotonic() - start
            row.answer = f"a newcomer is in after {waited:.1f} s"
            time.sleep(max(0.0, 2 - waited))
            for each in sockets:
                each.close()
        self.assertLess(waited, 9)
        self.assertLess(row.good["ping"]["worst"], 1000)


class FullTests(AbuseTestCase):
    options = ("--max-connections", "120", "--max-connections-per-address", "40", "--max-unauthenticated", "100")

    def test_full(self) -> None:
        """When there is no room for one more it is cut before TLS; who is in is served on; who leaves makes room."""
        with self.row("all places of an address taken") as row:
            sockets = [self.tcp("127.0.3.1") for _ in range(60)]
            self.waitUntil(lambda: closed(sockets) == 20, "more than 40 stay")
            self.assertEqual(closed(sockets[:40]), 0)
            self.assertEqual(errorOf(sockets[59]), "cut")
            self.client("NEWCOMER_1").close()
            for each in sockets:
                each.close()
            self.waitUntil(lambda: self.status()["connections"] == 1, "connections are left")
            self.client("NEWCOMER_2").close()
            row.answer = f"{self.status()['limits']['refused']} cut before TLS"


class StormTests(AbuseTestCase):
    def test_reconnectStorm(self) -> None:
        """A thousand trainers that lose the hub and come back in the same moment are all served, again and again."""
        ids = [f"STORM_{i}" for i in range(1000)]
        tokens = [self.issueToken(aiId) for aiId in ids]
        hellos = [
            json.dumps({"ai_id": aiId, "token": token}).encode()
            + b"\n"
            + line("hello", {"specialization": "general", "protocol": 2}, sender=aiId, id="hello")
            for aiId, token in zip(ids, tokens, strict=True)
        ]
        with self.row("reconnect storm of 1,000, three times", growth=200) as row:
            took = []
            for _ in range(3):
                begin = time.monotonic()
                swarm = Swarm(self.context(), self.port, len(ids))
                self.addCleanup(swarm.abort)
                swarm.handshake()
                swarm.send(hellos)
                self.assertEqual(swarm.expect(b'"training_sync"'), len(ids))
                took.append(time.monotonic() - begin)
                self.assertEqual(self.status()["connections"], 1001)
                swarm.abort()
            row.answer = "all in after " + ", ".join(f"{seconds:.1f}" for seconds in took) + " s"

    def test_sameId(self) -> None:
        """A hundred connections of one id: the last one stays, each before it is told C{taken_over}."""
        with self.row("takeover by a hundred connections", growth=40) as row:
            token = self.issueToken("TWIN")
            earlier = [self.client("TWIN", token) for _ in range(99)]
            # Tokens are checked side by side: who connects at the same time may be let in in another order.
            self.waitUntil(lambda: self.status()["connections"] <= 2, "more than one of them is left")
            last = self.client("TWIN", token)
            last.hello()
            self.assertEqual({errorOf(client._socket) for client in earlier}, {"taken_over"})
            last.close()
            row.answer = "taken_over"


class DeafTests(AbuseTestCase):
    """Clients that never read, while much is shared."""

    MEGABYTES = 120 if abuse.FULL else 20

    def share(self, author: str) -> None:
        """Have an honest author share a lot; one of another name each time, or it would be a repetition."""
        client = self.client(author)
        client.hello(protocol=2)
        for i in range(self.MEGABYTES * 16):
            # Few of those that are committed by themselves: of them one AI may have little a second.
            data = "x" * (100_000 if i % 25 == 0 else 60_000)
            client.send("pattern_share", {"pattern": {"id": "big", "type": "t", "confidence": 0.5, "data": data}})
            if i % 10 == 9:  # wait now and then, as a client does that counts what is unacknowledged
                client.receive("ack")
        client.close()

    def test_neverReads(self) -> None:
        """Of a client that doesn't read the hub keeps a position, whatever is shared; version 1 is told and cut."""
        self.share("AUTHOR_1")  # what the log and the database keep in memory is there before
        with self.row(f"50 that never read, {self.MEGABYTES} MB shared", growth=60, left=26) as row:
            deaf = [self.client(f"DEAF_{i}") for i in range(50)]
            for i, client in enumerate(deaf):
                client.send("hello", {"specialization": "general", **({"protocol": 2} if i % 2 else {})})
            self.waitUntil(lambda: len(self.status()["ais"]) == 51, "not all are here")
            self.share("AUTHOR_2")
            self.waitUntil(lambda: self.status()["connections"] == 26, "version 1 stays")
            self.assertEqual(self.status()["errors"]["too_slow"], 25)
            row.answer = "version 1: too_slow; version 2: read later"
        for client in deaf:
            client.close()

    def test_asksAndNeverReads(self) -> None:
        """A client that sends pings and requests without end and never reads an answer is not read any more itself."""
        with self.row("asks 200,000 times, never reads", growth=60, left=2) as row:
            client = self.client("ASKER")
            client.hello(protocol=2)
            asks = line("heartbeat", {"nonce": "n" * 400}, sender="ASKER") * 99
            asks += line("training_sync", {}, sender="ASKER")
            client._socket.settimeout(2.0)
            sent = 0
            with contextlib.suppress(TimeoutError):
                for _ in range(2000):
                    client._socket.sendall(asks)
                    sent += 100
            self.assertLess(sent, 200_000)
            row.answer = f"not read after about {sent:,}"
        client.close()

    def test_tooFast(self) -> None:
        """A client that sends faster than it may is read as fast as it may; nothing it sent is lost."""
        count = 60_000 if abuse.FULL else 16_000
        with self.row(f"{count:,} messages as fast as can be", growth=40) as row:
            client = self.client("HASTY")
            stream = client.share()
            client.hello(protocol=2)
            begin = time.monotonic()
            beats = b"".join(line("heartbeat", {"nonce": i}, sender="HASTY") for i in range(count))
            sender = threading.Thread(target=stream.write, args=(beats,))
            sender.start()
            for i in range(count):
                self.assertEqual(client.receive("heartbeat")["payload"], {"reply_to": i})
            sender.join()
            seconds = time.monotonic() - begin
            client.close()
            self.assertGreater(seconds, (count - 10_000) / 2000 - 0.5)
            row.answer = f"all answered, {count / seconds:,.0f} a second"
