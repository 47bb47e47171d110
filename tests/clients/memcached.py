"""pymemcache against a running server: memcached.py PORT."""

import sys
import threading
import time

from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import MemcacheClientError, MemcacheIllegalInputError, MemcacheServerError
from pymemcache.serde import pickle_serde

ADDRESS = ("127.0.0.1", int(sys.argv[1]))
VALUE_BYTES_MAX = 1024 * 1024


def plain():
    return Client(ADDRESS, default_noreply=False, timeout=30, connect_timeout=30)


def check_storage(client):
    assert client.set("key", b"a\0b\r\nEND\r\n") is True
    assert client.get("key") == b"a\0b\r\nEND\r\n"
    assert client.get("missing") is None
    assert client.get("missing", default=b"other") == b"other"
    assert client.add("key", b"x") is False
    assert client.add("new", b"x") is True
    assert client.replace("none", b"x") is False
    assert client.replace("new", b"y", expire=100) is True
    assert client.append("new", b"z") is True
    assert client.prepend("new", b"x") is True
    assert client.get("new") == b"xyz"
    assert client.append("none", b"x") is False
    assert client.delete("new") is True
    assert client.delete("new") is False
    assert client.set("empty", b"") is True
    assert client.get("empty") == b""
    assert client.set("k" * 250, b"long") is True
    assert client.get("k" * 250) == b"long"


def check_many(client):
    pairs = {f"many:{number}": str(number).encode() for number in range(500)}
    assert client.set_many(pairs) == []
    assert client.get_many([*pairs, "none"]) == pairs
    versions = client.gets_many(list(pairs)[:20])
    assert {key: value for key, (value, _) in versions.items()} == dict(list(pairs.items())[:20])
    assert client.delete_many(list(pairs)) is True
    assert client.get_many(list(pairs)) == {}


def check_versions(client):
    assert client.cas("guarded", b"x", b"1") is None
    client.set("guarded", b"one")
    value, version = client.gets("guarded")
    assert value == b"one"
    assert client.cas("guarded", b"two", version) is True
    assert client.cas("guarded", b"three", version) is False
    assert client.get("guarded") == b"two"
    assert int(client.gets("guarded")[1]) > int(version)
    assert client.gets("none") == (None, None)
    client.delete("guarded")
    assert client.cas("guarded", b"x", version) is None


def check_counters(client):
    assert client.incr("counter", 1) is None
    client.set("counter", b"10")
    assert client.incr("counter", 5) == 15
    assert client.decr("counter", 20) == 0
    client.set("text", b"abc")
    for count in [client.incr, client.decr]:
        try:
            count("text", 1)
        except MemcacheClientError as error:
            assert "non-numeric" in str(error), error
        else:
            raise AssertionError("a text was counted")


def check_expiry(client):
    client.set("short", b"lived", expire=1)
    client.set("long", b"lived", expire=1000)
    assert client.touch("long", 2000) is True
    assert client.touch("none", 10) is False
    assert client.raw_command("gat 3000 long", "END\r\n") == b"VALUE long 0 5\r\nlived\r\n"
    client.set("over", b"x", expire=-1)
    assert client.get("over") is None
    give_up_at = time.monotonic() + 30
    while client.get("short") is not None:
        assert time.monotonic() < give_up_at, "the key stays"
        time.sleep(0.02)
    assert client.get("long") == b"lived"


def check_limits(client):
    for key in ["k" * 251, "two words", "line\r\n"]:
        try:
            client.set(key, b"x")
        except MemcacheIllegalInputError:
            continue
        raise AssertionError(f"{key!r} was taken")
    client.set("large", b"small")
    try:
        client.set("large", b"x" * (2 * VALUE_BYTES_MAX))
    except MemcacheServerError as error:
        assert "too large" in str(error), error
    else:
        raise AssertionError("a value of 2 MiB was taken")
    # The connection goes on, and the old value is gone rather than wrong.
    assert client.get("large") is None
    assert client.set("large", b"x" * 1_000_000) is True
    assert len(client.get("large")) == 1_000_000


def check_service(client):
    assert client.version()
    stats = client.stats()
    assert stats[b"curr_items"] >= 1 and stats[b"pid"] > 0
    assert stats[b"cmd_get"] > 0 and stats[b"cmd_set"] > 0 and stats[b"curr_connections"] >= 1
    for words in ["items", "slabs", "settings", "conns"]:
        assert client.stats(words) is not None
    client.set("old", b"x")
    assert client.flush_all() is True
    assert client.get("old") is None


def check_noreply():
    client = Client(ADDRESS, default_noreply=True, timeout=30)
    for number in range(200):
        client.set(f"quiet:{number}", str(number))
    client.add("quiet:0", b"other")
    client.delete("quiet:1")
    client.incr("quiet:2", 5)
    client.append("quiet:3", b"!")
    client.touch("quiet:4", 100)
    assert client.get("quiet:0") == b"0"
    assert client.get("quiet:1") is None
    assert client.get("quiet:2") == b"7"
    assert client.get("quiet:3") == b"3!"
    assert client.get("quiet:199") == b"199"
    client.quit()


def check_objects():
    client = Client(ADDRESS, serde=pickle_serde, default_noreply=False, timeout=30)
    for value in [{"a": [1, 2.5, None]}, "text", 7, b"bytes", True]:
        assert client.set("object", value) is True
        assert client.get("object") == value


def check_pool():
    client = PooledClient(ADDRESS, max_pool_size=8, default_noreply=False, timeout=30)
    client.set("sum", b"0")
    client.set("cas-sum", b"0")

    def count():
        for _ in range(100):
            client.incr("sum", 1)
            while True:
                value, version = client.gets("cas-sum")
                if client.cas("cas-sum", str(int(value) + 1).encode(), version):
                    break

    workers = [threading.Thread(target=count) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert client.get("sum") == b"800"
    assert client.get("cas-sum") == b"800"


connection = plain()
connection.flush_all()
for check in [check_storage, check_many, check_versions, check_counters, check_expiry, check_limits, check_service]:
    check(connection)
check_noreply()
check_objects()
check_pool()
