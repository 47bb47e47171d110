"""What the recipes keep a cache in front of: a shop's products in an SQLite file, which counts its reads and writes."""

import argparse
import contextlib
import pathlib
import sqlite3
import tempfile
import threading

import redis

SOCKET_TIMEOUT = 60  # seconds

TABLE = "CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL, fence INTEGER NOT NULL DEFAULT 0)"


class Shop:
    """The origin. A product's price is an integer; a product that is not there has None."""

    def __init__(self, path):
        self.path = path
        self.reads = self.writes = 0
        self.counting = threading.Lock()
        with self.connection() as connection:
            connection.execute(TABLE)

    @contextlib.contextmanager
    def connection(self):
        """A connection of its own for each use, so that every thread may ask; commits at its end."""
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def price(self, product):
        with self.counting:
            self.reads += 1
        with self.connection() as connection:
            row = connection.execute("SELECT price FROM products WHERE id = ?", [product]).fetchone()
        return row and row[0]

    def set_price(self, product, price, fence=0):
        """Writes unless somebody with a greater fencing number wrote before; says whether it did."""
        with self.counting:
            self.writes += 1
        with self.connection() as connection:
            cursor = connection.execute(
                "INSERT INTO products VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET price = excluded.price, fence = excluded.fence WHERE fence <= excluded.fence",
                [product, price, fence],
            )
        return cursor.rowcount == 1


def port(description):
    """The port on the command line, `--port N`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=6379, help="where the server listens")
    return parser.parse_args().port


@contextlib.contextmanager
def opened(description):
    """A client of the cache, and a shop with a file of its own."""
    with tempfile.TemporaryDirectory() as directory:
        # A request that waits (BLOCK, WAIT) must not be given up by the client before its time is over.
        with redis.Redis(port=port(description), socket_timeout=SOCKET_TIMEOUT, decode_responses=True) as cache:
            yield cache, Shop(pathlib.Path(directory) / "shop.db")
