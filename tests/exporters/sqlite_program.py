"""
A program that reads and writes a table at random, by SQLite's own functions, for a process of its own.

It prints the hits and the misses that SQLite counted.  Arguments: the database, pages of its cache.
"""

from __future__ import annotations

import ctypes
import random
import sys


def main() -> None:
    library = ctypes.CDLL("libsqlite3.so.0")
    database = ctypes.c_void_p()
    assert library.sqlite3_open(sys.argv[1].encode(), ctypes.byref(database)) == 0

    def run(sql: str) -> None:
        code = library.sqlite3_exec(database, sql.encode(), None, None, None)
        assert code == 0, (code, sql)

    rng = random.Random(4)
    run(f"PRAGMA cache_size = {sys.argv[2]}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
    run("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER, t TEXT); CREATE INDEX byNumber ON a (n)")
    run("BEGIN")
    for number in range(2500):
        run(f"INSERT INTO a VALUES ({number}, {rng.randrange(10**6)}, hex(randomblob({rng.randrange(200, 500)})))")
    run("COMMIT")
    # a fresh connection: only what comes now is counted
    library.sqlite3_close(database)
    assert library.sqlite3_open(sys.argv[1].encode(), ctypes.byref(database)) == 0
    run(f"PRAGMA cache_size = {sys.argv[2]}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
    for _ in range(7000):
        kind = rng.random()
        if kind < 0.75:
            run(f"SELECT t FROM a WHERE id = {int(rng.paretovariate(0.6) * 3) % 2500}")
        elif kind < 0.9:
            run(f"SELECT t FROM a WHERE n > {rng.randrange(10**6)} ORDER BY n LIMIT 3")
        elif kind < 0.91:
            begin = rng.randrange(2400)
            run(f"SELECT max(t) FROM a WHERE id BETWEEN {begin} AND {begin + 60}")
        else:
            run(f"UPDATE a SET n = {rng.randrange(10**6)} WHERE id = {int(rng.paretovariate(0.6) * 3) % 2500}")
    counts = []
    for what in (7, 8):  # SQLITE_DBSTATUS_CACHE_HIT, SQLITE_DBSTATUS_CACHE_MISS
        now, most = ctypes.c_int(), ctypes.c_int()
        assert library.sqlite3_db_status(database, what, ctypes.byref(now), ctypes.byref(most), 0) == 0
        counts.append(str(now.value))
    sys.stdout.write(" ".join(counts) + "\n")
    library.sqlite3_close(database)


if __name__ == "__main__":
    main()
