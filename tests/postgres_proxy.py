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
            Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._forwards.wait()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._server / ".s.PGSQL.5432"))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        Thread(target=self._forward, args=(server, client), daemon=True).start()
        self._forward(client, server)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._forwards.wait()
                target.sendall(data)
        self._forwards.wait()
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        self._port.shutdown(socket.SHUT_RDWR)
        self._port.close()
        self._forwards.set()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        shutil.rmtree(self.folder, ignore_errors=True)
