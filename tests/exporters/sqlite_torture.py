"""
Work that is hard on a page cache, for a process of its own: it prints what the databases hold at the end, as hashes.

The same whatever decides in the cache; run as a program, with a folder as its argument.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import sys
import threading
from pathlib import Path


def digest(connection: sqlite3.Connection) -> str:
    found = hashlib.sha256()
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2"):
            found.update(repr(row).encode())
    (state,) = connection.execute("PRAGMA integrity_check").fetchone()
    return f"{state} {found.hexdigest()}"


def work(path: Path, journal: str, pages: int, seed: int) -> str:
    """Inserts, updates, rollbacks, savepoints, a second reader, VACUUM, and a shrinking file."""
    rng = random.Random(seed)
    one = sqlite3.connect(path, isolation_level=None)
    one.execute(f"PRAGMA journal_mode = {journal}")
    one.execute("PRAGMA auto_vacuum = INCREMENTAL")
    one.execute("VACUUM")
    one.execute(f"PRAGMA cache_size = {pages}")
    one.execute("PRAGMA synchronous = OFF")
    one.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)")
    one.execute("CREATE TABLE b (id INTEGER, t TEXT)")
    one.execute("CREATE INDEX byText ON a (t)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"PRAGMA cache_size = {pages + 1}")
    for turn in range(30):
        one.execute("BEGIN")
        for _ in range(rng.randrange(60)):
            text = str(rng.random()) * rng.randrange(1, 60)
            one.execute("INSERT OR REPLACE INTO a VALUES (?, ?)", (rng.randrange(400), text))
            one.execute("INSERT INTO b VALUES (?, ?)", (rng.randrange(400), text[:200]))
        one.execute("SAVEPOINT s")
        one.execute("UPDATE a SET t = t || 'x' WHERE id % 7 = ?", (turn % 7,))
        one.execute("DELETE FROM b WHERE id % 11 = ?", (turn % 11,))
        if rng.random() < 0.5:
            one.execute("ROLLBACK TO s")
        one.execute("RELEASE s")
        one.execute("ROLLBACK" if rng.random() < 0.3 else "COMMIT")
        other.execute("SELECT count(*), max(t) FROM a WHERE id > ?", (rng.randrange(400),)).fetchall()
        if turn % 9 == 5:
            one.execute("DELETE FROM b WHERE id > 200")
            one.execute("PRAGMA incremental_vacuum(20)")
        if turn == 17:
            one.execute("VACUUM")
        if turn == 20:
            one.execute(f"PRAGMA cache_size = {pages * 2}")
            one.execute("PRAGMA shrink_memory")
        if turn == 24:
            one.execute("CREATE TEMP TABLE c AS SELECT * FROM a")
            one.execute("DROP TABLE temp.c")
    found = digest(one)
    other.close()
    one.close()
    return found


def shared(path: Path) -> str:
    """Threads that share one connection, and connections that share one cache."""
    one = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    one.execute("PRAGMA synchronous = OFF")
    one.execute("PRAGMA cache_size = 9")
    one.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, t TEXT)")

    def write(connection: sqlite3.Connection, first: int) -> None:
        for number in range(first, first + 60):
            connection.execute("INSERT INTO s VALUES (?, ?)", (number, str(number) * 300))
            connection.execute("SELECT max(t) FROM s WHERE id % 3 = 1").fetchone()

    threads = [threading.Thread(target=write, args=(one, 1000 * number)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    several = [
        sqlite3.connect(f"file:{path}?cache=shared", uri=True, isolation_level=None, check_same_thread=False)
        for _ in range(3)
    ]
    for number, connection in enumerate(several):
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = 5")
        write(connection, 10_000 * (number + 1))
    several[0].close()
    write(several[1], 50_000)
    for connection in several[1:]:
        connection.close()
    found = digest(one)
    one.close()
    return found


def resized(path: Path) -> str:
    """Pages of another size, a second database, a cache given in kilobytes, and a file that is mapped."""
    one = sqlite3.connect(path, isolation_level=None)
    one.execute("PRAGMA synchronous = OFF")
    one.execute("PRAGMA cache_size = -40")
    one.execute("CREATE TABLE r (id INTEGER PRIMARY KEY, t TEXT)")
    one.execute("BEGIN")
    one.executemany("INSERT INTO r VALUES (?, ?)", ((number, "r" * (number % 700)) for number in range(3000)))
    one.execute("COMMIT")
    for size in (512, 65536, 1024):
        one.execute(f"PRAGMA page_size = {size}")
        one.execute("VACUUM")
        one.execute("UPDATE r SET t = t || 'y' WHERE id % 5 = 2")
    one.execute("ATTACH ? AS other", (f"{path}2",))
    one.execute("PRAGMA other.cache_size = 3")
    one.execute("CREATE TABLE other.r2 AS SELECT * FROM r")
    one.execute("PRAGMA mmap_size = 1000000")
    one.execute("DELETE FROM r WHERE id IN (SELECT id FROM other.r2 WHERE length(t) > 350)")
    one.execute("DETACH other")
    found = digest(one)
    one.close()
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir()
    for journal in ("DELETE", "WAL"):
        for pages in (1, 2, 7, 25, 200):
            sys.stdout.write(f"{journal} {pages} {work(folder / f'{journal}{pages}.db', journal, pages, pages)}\n")
    sys.stdout.write(f"shared {shared(folder / 'shared.db')}\n")
    sys.stdout.write(f"resized {resized(folder / 'resized.db')}\n")
    memory = sqlite3.connect(":memory:")
    memory.execute("PRAGMA cache_size = 2")
    memory.execute("CREATE TABLE m (i INTEGER, t TEXT)")
    memory.executemany("INSERT INTO m VALUES (?, ?)", ((i, "m" * (i % 900)) for i in range(2000)))
    sys.stdout.write(f"memory {digest(memory)}\n")
    found: dict[int, str] = {}

    def thread(number: int) -> None:
        found[number] = work(folder / f"thread{number}.db", "WAL", 5 + number, number)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    sys.stdout.write("".join(f"thread {number} {found[number]}\n" for number in sorted(found)))


if __name__ == "__main__":
    main()
