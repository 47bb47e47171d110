"""A stampede: a thousand clients, each with a socket of its own, meet one key that has just expired.

The origin is an SQLite query that takes 50 ms. With GET and SET everybody who looks before the first one has stored misses
too, and asks the origin. With GETL the first one wins a lease, the others wait in the server (BLOCK), and all are answered
by its SETL.
"""

import asyncio
import concurrent.futures
import contextlib
import resource
import sqlite3
import tempfile
import time

import redis.asyncio

import shop

CLIENTS = 1_000
QUERY = 0.05  # seconds
TTL = 60_000  # milliseconds
LEASE = 30_000


class Origin:
    """A database that takes 50 ms to answer, and counts how often it was asked."""

    def __init__(self, path):
        self.path, self.calls = path, 0
        self.threads = concurrent.futures.ThreadPoolExecutor(32)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE totals (day TEXT, amount INTEGER)")
            connection.executemany("INSERT INTO totals VALUES ('today', ?)", [[number] for number in range(100)])

    def query(self):
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.create_function("slowly", 1, lambda amount: time.sleep(QUERY) or amount)
            return connection.execute("SELECT slowly(SUM(amount)) FROM totals WHERE day = 'today'").fetchone()[0]

    async def total(self):
        self.calls += 1
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.query)


async def read_plainly(client, origin, key):
    value = await client.get(key)
    if value is None:
        value = await origin.total()
        await client.set(key, value, px=TTL)
    return int(value)


async def read_with_a_lease(client, origin, key):
    found = await client.execute_command("GETL", key, LEASE, "BLOCK", LEASE)
    if not isinstance(found, list):
        return int(found)
    state, token, _ = found
    assert state == b"win", state
    value = await origin.total()
    await client.execute_command("SETL", key, token, value, "PX", TTL)
    return value


async def stampede(clients, origin, read, key):
    """Lets a key expire and all clients read it; gives how often the origin was asked, and how long it took."""
    await clients[0].set(key, 1, px=1)
    while await clients[0].get(key) is not None:
        pass
    origin.calls, start = 0, time.monotonic()
    values = await asyncio.gather(*(read(client, origin, key) for client in clients))
    assert values == [sum(range(100))] * CLIENTS
    return origin.calls, time.monotonic() - start


async def main(port):
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        origin = Origin(file.name)
        options = {"port": port, "single_connection_client": True, "socket_timeout": shop.SOCKET_TIMEOUT}
        clients = [redis.asyncio.Redis(**options) for _ in range(CLIENTS)]
        for client in clients:
            await client.ping()  # connects
        without, slow = await stampede(clients, origin, read_plainly, "total:plain")
        with_leases, quick = await stampede(clients, origin, read_with_a_lease, "total:leased")
        for client in clients:
            await client.aclose()
        origin.threads.shutdown()
    print(f"{CLIENTS} clients, one expired key, an origin of {1000 * QUERY:.0f} ms")
    print(f"GET and SET:   {without:5} origin calls, {slow:.2f} s until all had the value")
    print(f"GETL and SETL: {with_leases:5} origin calls, {quick:.2f} s")
    assert with_leases == 1
    assert without > 10


_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main(shop.port(__doc__)))
