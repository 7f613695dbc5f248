"""
A shop as an SQLite program: its database, and what its customers do in so many steps, as SQL.

The same seed and mix give the same bytes on every machine.
"""

from __future__ import annotations

import random
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

__all__ = ["EVENINGS", "WEEKDAYS", "makeDatabase", "statements"]

ITEMS = 100_000

WEEKDAYS = {"item": 55, "name": 20, "list": 7, "order": 13, "latest": 5, "report": 1 / 30}
EVENINGS = {"item": 46, "name": 23, "list": 10, "order": 17, "latest": 4, "report": 1 / 20}
"""Weights of what a step is; a report reads a quarter of all items."""


def makeDatabase(path: Path) -> None:
    """Write the shop's database, of about 24 MB."""
    rng = random.Random(1)
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = OFF",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER, picture BLOB)",
        "CREATE TABLE sale (id INTEGER PRIMARY KEY, item INTEGER, count INTEGER, note TEXT)",
        "CREATE INDEX itemName ON item (name)",
        "CREATE INDEX saleItem ON sale (item)",
        "BEGIN",
    ):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO item VALUES (?, ?, ?, ?)",
        ((n, f"{rng.getrandbits(32):08x}-{n}", rng.randrange(1000), rng.randbytes(180)) for n in range(ITEMS)),
    )
    connection.execute("COMMIT")
    connection.close()


def statements(seed: int, steps: int, mix: dict[str, float]) -> Iterator[str]:
    """SQL of so many steps, each in one line; what is asked for has Zipf's law (exponent 0.9)."""
    rng = random.Random(seed)
    popular = list(accumulate((n + 1) ** -0.9 for n in range(ITEMS)))
    kinds, weights = list(mix), list(mix.values())
    yield "PRAGMA synchronous = OFF;"
    for kind in rng.choices(kinds, weights, k=steps):
        item = bisect_left(popular, rng.random() * popular[-1]) * 7919 % ITEMS
        if kind == "item":
            yield f"SELECT length(picture) + price FROM item WHERE id = {item};"
        elif kind == "name":
            yield f"SELECT price FROM item WHERE name >= '{item * 42949:08x}' ORDER BY name LIMIT 5;"
        elif kind == "list":
            first = rng.randrange(ITEMS)
            yield f"SELECT sum(price) FROM item WHERE id BETWEEN {first} AND {first + 200};"
        elif kind == "order":
            note = "a note that takes some room in the row of the order"
            yield (
                f"BEGIN; INSERT INTO sale (item, count, note) VALUES ({item}, 1, '{note}');"
                f" UPDATE item SET price = price + 1 WHERE id = {item}; COMMIT;"
            )
        elif kind == "latest":
            yield "SELECT i.price FROM sale s JOIN item i ON i.id = s.item ORDER BY s.id DESC LIMIT 20;"
        else:
            first = rng.randrange(3 * ITEMS // 4)
            yield f"SELECT sum(price) FROM item WHERE id BETWEEN {first} AND {first + ITEMS // 4};"
