"""
Records the traces that ship with the bench: ``python record.py sqlite|compiler OUTPUT.txt.xz``.

- C{sqlite}: the pages of its files that SQLite reads and writes under a mixed load (point queries with a skewed
  choice, range scans, joins, inserts, updates, reports over a whole table), seen by strace.  SQLite's own cache is
  set to its least size, so that nearly every access of a page is a system call.
- C{compiler}: the pages of memory, code and data, that GCC's C{cc1} touches while it compiles one of this package's
  policies with C{-O2}, seen by valgrind's lackey and thinned by C{lackey_pages.c} like a TLB would.

It needs strace, or valgrind, GCC and the C{[trainer]} extra (whose C compiler builds C{lackey_pages.c}).  Pages are
numbered in the order of first appearance, so nothing of the machine is in the result.  With other versions of SQLite
and GCC the result differs; those that ship were recorded with SQLite 3.40.1 and GCC 12.2.0 on x86-64.
"""

from __future__ import annotations

import lzma
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

PAGE = 4096
TLB_PAGES = 256
REQUESTS = 600_000
"""At most so many are kept."""

STEPS = 24_000
"""Of the load on SQLite."""

_HERE = Path(__file__).parent
_CALL = re.compile(rb"p(?:read|write)64\(\d+<([^>]*)>.*, (\d+), (\d+)\) += (\d+)")


def write(pages: Iterable[object], output: Path) -> None:
    """Number the pages and write the trace."""
    numbers: dict[object, int] = {}
    lines = "".join(f"{numbers.setdefault(page, len(numbers))}\n" for page in islice(pages, REQUESTS))
    output.write_bytes(lzma.compress(lines.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{output}: {lines.count(chr(10))} requests, {len(numbers)} pages\n")


def sqlite(folder: Path) -> Iterator[object]:
    """Make a database, and run `load` on it under strace."""
    log, database = folder / "strace", folder / "load.db"
    makeDatabase(database)
    command = ["strace", "-f", "-y", "-qq", "-e", "trace=pread64,pwrite64", "-o", str(log)]
    subprocess.run([*command, sys.executable, __file__, "load", str(database)], check=True)
    with log.open("rb") as lines:
        for line in lines:
            call = _CALL.search(line)
            if call and b"load.db" in call[1]:
                name, offset, size = call[1], int(call[3]), int(call[4])
                for page in range(offset // PAGE, -(-(offset + size) // PAGE)):
                    yield name, page


CUSTOMERS, ORDERS, CITIES = 15_000, 45_000, 300


def skewed(rng: random.Random, count: int, power: float = 4) -> int:
    """A number from 1 to C{count}, few of them often (a power law); which ones has nothing to do with their place."""
    return int(count * rng.random() ** power) * 7919 % count + 1


def order(rng: random.Random, day: int) -> tuple[int, int, int, str]:
    return skewed(rng, CUSTOMERS, 1.5), day, rng.randint(1, 9999), "x" * rng.randint(20, 400)


def makeDatabase(path: Path) -> None:
    """Customers with their orders; the same each time."""
    rng = random.Random(2025)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA page_size={PAGE}")
    db.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city INTEGER, note TEXT)")
    db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, day INTEGER, amount INTEGER, text TEXT)")
    customers = [(f"name {i}", rng.randint(1, CITIES), "n" * rng.randint(50, 700)) for i in range(CUSTOMERS)]
    db.executemany("INSERT INTO customer (name, city, note) VALUES (?, ?, ?)", customers)
    orders = [order(rng, number // 150) for number in range(ORDERS)]
    db.executemany("INSERT INTO orders (customer, day, amount, text) VALUES (?, ?, ?, ?)", orders)
    db.execute("CREATE INDEX by_customer ON orders (customer)")
    db.execute("CREATE INDEX by_city ON customer (city)")
    db.commit()
    db.close()


def load(path: str) -> None:
    """The mixed load; the same each time."""
    rng = random.Random(2026)
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=1", "mmap_size=0"):
        db.execute(f"PRAGMA {pragma}")
    orders, day = ORDERS, ORDERS // 150
    for step in range(STEPS):
        kind = rng.random()
        if kind < 0.45:
            db.execute("SELECT * FROM customer WHERE id = ?", (skewed(rng, CUSTOMERS),)).fetchall()
        elif kind < 0.65:
            rows = "SELECT sum(amount) FROM orders WHERE customer = ?"
            db.execute(rows, (skewed(rng, CUSTOMERS),)).fetchall()
        elif kind < 0.75:
            start = max(1, orders - int(rng.expovariate(1 / 3000)))
            db.execute("SELECT max(text) FROM orders WHERE id BETWEEN ? AND ?", (start, start + 60)).fetchall()
        elif kind < 0.90:
            orders += 1
            db.execute("INSERT INTO orders (customer, day, amount, text) VALUES (?, ?, ?, ?)", order(rng, day))
        elif kind < 0.995:
            db.execute("UPDATE customer SET note = note || '.' WHERE id = ?", (skewed(rng, CUSTOMERS),))
        else:
            join = "SELECT sum(amount) FROM customer JOIN orders ON customer = customer.id WHERE city = ?"
            db.execute(join, (rng.randint(1, CITIES),)).fetchall()
        if step % 1500 == 1499:
            day += 1
            db.execute("SELECT count(*), sum(amount), max(text) FROM orders").fetchall()
    db.close()


def compiler(folder: Path) -> Iterator[object]:
    """Run cc1 under lackey."""
    pages, policy = folder / "lackey_pages", _HERE.parent / "baselines" / "arc.c"
    zig = [sys.executable, "-m", "ziglang", "cc", "-O2", "-o", str(pages), str(_HERE / "lackey_pages.c")]
    subprocess.run(zig, check=True)
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True).stdout.strip()
    command = ["valgrind", "--tool=lackey", "--trace-mem=yes", "--log-fd=1", cc1, "-quiet", "-w", "-O2"]
    command += [f"-I{_HERE.parent}", str(policy), "-o", "/dev/null"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as valgrind,
        subprocess.Popen([str(pages), str(TLB_PAGES)], stdin=valgrind.stdout, stdout=subprocess.PIPE) as thin,
    ):
        yield from thin.stdout or ()


def main() -> None:
    """See above."""
    if sys.argv[1] == "load":
        load(sys.argv[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        write({"sqlite": sqlite, "compiler": compiler}[sys.argv[1]](Path(folder)), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
