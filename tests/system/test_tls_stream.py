"""Tests of C{tls_stream.py}."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest import TestCase

from kernelnet.identity import StateDirectory

from .support import PATIENCE
from .tls_stream import TLSStream

SECONDS = 2.0
"""Time of the race; OpenSSL in two threads at once ends within it, mostly."""

PEER = """
import contextlib, select, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
stream = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="localhost")
stream.setblocking(False)
count = 0
while select.select([stream], [], []):
    with contextlib.suppress(ssl.SSLWantReadError):
        while data := stream.recv(65536):
            count += 1
            if not count % 4:
                stream.sendall(b"x" * 80 + b"\\n")
        sys.exit()
"""
"""Reads all that comes, and says a line for each few times."""


class TLSStreamTests(TestCase):
    def connected(self, reading: float | None = None) -> TLSStream:
        folder = tempfile.TemporaryDirectory(prefix="kernelnet-test-")
        self.addCleanup(folder.cleanup)
        state = StateDirectory(Path(folder.name) / "state")
        state.open()
        state.prepareHub([], datetime.now(UTC))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(state.hubCertificate, state.hubKey)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            where = [str(state.caCertificate), str(listener.getsockname()[1])]
            peer = subprocess.Popen([sys.executable, "-c", PEER, *where], stderr=subprocess.DEVNULL)
            self.addCleanup(peer.wait)
            self.addCleanup(peer.kill)
            listener.settimeout(PATIENCE)
            raw, _ = listener.accept()
        raw.settimeout(PATIENCE)
        stream = TLSStream(context.wrap_socket(raw, server_side=True), PATIENCE, reading)
        self.addCleanup(stream.close)
        return stream

    def test_twoThreads(self) -> None:
        """One thread reads while another writes as fast as it may, and neither meets an end that nobody made."""
        stream = self.connected()
        heard: list[bytes] = []

        def read() -> None:
            # It may be the end that hanging up makes, too.
            with contextlib.suppress(ConnectionResetError):
                heard.extend(io.BufferedReader(stream))

        thread = threading.Thread(target=read)
        thread.start()
        data, until = b"y" * 200_000, time.monotonic() + SECONDS
        while time.monotonic() < until:
            stream.write(data)
        self.assertTrue(thread.is_alive(), f"the reader has met an end after {len(heard)} lines")
        stream.hangUp()
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive())
        self.assertGreater(len(heard), 10)

    def test_patience(self) -> None:
        """A peer that says nothing is waited for so long."""
        with self.assertRaisesRegex(TimeoutError, "says nothing for 0.05 s"):
            self.connected(reading=0.05).read(1)
