"""A proxy before a server of `tests.postgres`, which can stop to forward without ending any connection."""

from __future__ import annotations

import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

__all__ = ["Proxy"]


class Proxy:
    """
    Stands between clients and a server's socket.

    @ivar folder: its own socket is in there.
    """

    def __init__(self, server: Path) -> None:
        """@param server: the folder of the server's socket."""
        self.folder = Path(tempfile.mkdtemp(prefix="kernelnet-proxy-"))
        self._server = server
        self._forwards = Event()
        self._forwards.set()
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._port = socket.socket(socket.AF_UNIX)
        self._port.bind(str(self.folder / ".s.PGSQL.5432"))
        self._port.listen(16)
        Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Forward nothing more: neither what comes, nor an end."""
        self._forwards.clear()

    def goOn(self) -> None:
        """Forward again, also what came meanwhile."""
        self._forwards.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._port.accept()
            except OSError:
                return
            self._threads.append(Thread(target=self._serve, args=(client,), daemon=True))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        self._forwards.wait()
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server / ".s.PGSQL.5432"))
            self._open += [client, server]
            back = Thread(target=self._forward, args=(server, client), daemon=True)
            back.start()
            self._forward(client, server)
            back.join()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._forwards.wait()
                target.sendall(data)
        self._forwards.wait()
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        self._port.shutdown(socket.SHUT_RDWR)
        self._port.close()
        self._forwards.set()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        shutil.rmtree(self.folder, ignore_errors=True)
