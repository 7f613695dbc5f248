"""Who speaks no TLS or an old one, hubs with wrong certificates, and a clock that jumps."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import sys
import threading
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kernelnet.identity import StateDirectory

from .abuse import AbuseTestCase, errorOf
from .support import PATIENCE, Process, SystemTestCase


class OldTests(AbuseTestCase):
    def test_plaintext(self) -> None:
        """Who speaks plaintext on the TLS port is cut, whatever it says."""
        with self.row("plaintext on the TLS port") as row:
            for data in (
                b'{"ai_id": "GOOD", "token": "x"}\n',
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"\0" * 65536,
                b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
                b"\x80\x2e\x01\x00\x02" + b"\0" * 41,  # an SSL 2 hello
                os.urandom(65536),
            ):
                raw = self.tcp()
                with contextlib.suppress(OSError):
                    raw.sendall(data)
                received = b""
                with contextlib.suppress(ConnectionError):
                    while part := raw.recv(4096):
                        received += part
                raw.close()
                self.assertNotIn(b"{", received)  # a TLS alert at most
            row.answer = "cut, a TLS alert at most"

    def test_oldVersions(self) -> None:
        """TLS 1.0 and 1.1 are refused in the handshake; 1.2 and 1.3 are taken."""
        with self.row("TLS 1.0, TLS 1.1") as row:
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                    context.check_hostname = False
                    context.verify_mode = ssl.CERT_NONE
                    context.set_ciphers("ALL:@SECLEVEL=0")
                    context.minimum_version = context.maximum_version = version
                with self.tcp() as raw, self.assertRaises(ssl.SSLError) as caught:
                    context.wrap_socket(raw)
                self.assertIn("PROTOCOL_VERSION", str(caught.exception).upper().replace(" ", "_"))
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=str(self.state.caCertificate))
                context.minimum_version = context.maximum_version = version
                with context.wrap_socket(self.tcp(), server_hostname="localhost") as stream:
                    stream.sendall(b"x\n")
                    self.assertEqual(errorOf(stream), "not_json")
            row.answer = "alert protocol_version"


class ClockTests(AbuseTestCase):
    """A hub whose wall clock can be set while it runs."""

    @classmethod
    def startHub(cls) -> Process:
        # time.time() of that process is what the file says ahead of the truth; it is read again on SIGUSR2.
        (cls.folder / "sitecustomize.py").write_text(
            "import signal, time\n"
            "real, ahead = time.time, 0.0\n"
            "time.time = lambda: real() + ahead\n"
            "def jump(number, frame):\n"
            "    global ahead\n"
            f"    ahead = float(open({str(cls.folder / 'ahead')!r}).read())\n"
            "signal.signal(signal.SIGUSR2, jump)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(cls.folder), "PYTHONUNBUFFERED": "1"}
        program = Path(sys.executable).with_name("twistd")
        command = [sys.executable, str(program), "-n", "kernelhub", "--port", "0", "--state", str(cls.state.path)]
        hub = Process([*command, "--auth-timeout", "5"], cls.folder, environment)
        try:
            hub.waitFor("[Ll]istening on")
        except AssertionError:
            hub.close()
            raise
        return hub

    def setAhead(self, seconds: float) -> None:
        (self.folder / "ahead").write_text(str(seconds))
        self.hub.process.send_signal(signal.SIGUSR2)
        self.waitUntil(lambda: abs(self.ahead() - seconds) < 60, "the clock does not jump")

    def ahead(self) -> float:
        status = self.status()
        started = datetime.fromisoformat(status["started"])
        return (started - datetime.now(UTC)).total_seconds() + float(status["uptime"])

    def test_jumps(self) -> None:
        """When the clock jumps nobody is dropped or pinged to death, timers go on, newcomers come in, acks too."""
        day = 86_400.0
        with self.row("a clock that jumps by hours, days, years") as row:
            for i, seconds in enumerate((3600.0, -3600.0, 400 * day, -400 * day, 0.0)):
                self.setAhead(seconds)
                client = self.client(f"CLOCK_{i}")
                client.hello(protocol=2)
                client.send("pattern_share", {"pattern": {"id": "p", "type": "t", "confidence": 0.5}})
                client.receive("ack")
                client.close()
            silent = self.tls()
            self.setAhead(-3600.0)
            self.assertEqual(errorOf(silent), "auth_timeout")  # a timer that was set before the clock went back
            silent.close()
            self.assertNotIn("dropped", "\n".join(self.hub.lines))
            row.answer = "nobody dropped, timers fire"


class CertificateTests(SystemTestCase):
    """The trainer's side: a hub that isn't the one that is trusted gets no byte of a secret."""

    def serve(self, state: StateDirectory, address: str) -> int:
        """Somebody who poses as a hub with the certificates in C{state}.  @return: the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(state.hubCertificate, state.hubKey)
        listening = socket.create_server((address, 0))
        listening.settimeout(PATIENCE)
        self.addCleanup(listening.close)

        def accept() -> None:
            with contextlib.suppress(OSError):
                for _ in range(20):
                    raw, _ = listening.accept()
                    raw.settimeout(PATIENCE)
                    with raw, contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as stream:
                        while data := stream.recv(4096):
                            self.stolen += data

        self.stolen = b""
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        return int(listening.getsockname()[1])

    def refused(self, state: StateDirectory, trusted: Path, host: str = "localhost") -> str:
        self.port = self.serve(state, "127.0.0.1" if host == "localhost" else host)
        self.state.open()
        self.state.prepareHub([], datetime.now(UTC))
        where = ("--hub", f"{host}:{self.port}", "--state", str(self.state.path), "--ca", str(trusted))
        trainer = self.twistd("kerneltrainer", "--id", "AI_1", *where)
        line = trainer.waitFor("not trusted")
        self.assertEqual(trainer.end(), 1)
        self.assertEqual(self.stolen, b"")
        return line

    def made(self, name: str, now: datetime, names: list[str]) -> StateDirectory:
        state = StateDirectory(self.folder / name)
        state.open()
        state.prepareHub(names, now)
        return state

    def test_otherCA(self) -> None:
        """A certificate of another CA: the trainer says so, ends, and has sent nothing."""
        ours = self.made("ours", datetime.now(UTC), [])
        line = self.refused(self.made("other", datetime.now(UTC), []), ours.caCertificate)
        self.assertIn("not from the CA", line)

    def test_expired(self) -> None:
        """A certificate that has expired: the same, and since when."""
        state = self.made("expired", datetime.now(UTC) - timedelta(days=500), [])
        self.assertIn("its certificate expired on", self.refused(state, state.caCertificate))

    def test_otherName(self) -> None:
        """A certificate for another name: the same."""
        state = self.made("other-name", datetime.now(UTC), [])
        self.assertIn("another name", self.refused(state, state.caCertificate, host="127.0.0.2"))
