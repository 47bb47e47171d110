"""Cache-aside: who reads looks into the cache, fetches what is missing, and stores it; who writes deletes the key.

The race: a reader misses and fetches 100; a writer commits 120 and deletes the key; then the reader stores its 100, and
everybody reads the old price until it expires. A lease closes it: the DEL ends the reader's lease, and a SETL with a
token that is no longer the live one stores nothing.
"""

import shop

TTL = 60  # seconds
LEASE = 5_000  # milliseconds that fetching a price may take


def read(cache, origin, product):
    key = f"price:{product}"
    found = cache.execute_command("GETL", key, LEASE, "BLOCK", LEASE)
    if isinstance(found, str):
        return int(found)
    state, token, _ = found
    price = origin.price(product)
    if state == "win":
        cache.execute_command("SETL", key, token, price, "EX", TTL)
    return price


def write(cache, origin, product, price):
    origin.set_price(product, price)
    cache.delete(f"price:{product}")


def race_without_a_lease(cache, origin):
    origin.set_price(1, 100)
    assert cache.get("price:1") is None
    late = origin.price(1)  # the reader has its price, and is held up
    write(cache, origin, 1, 120)
    cache.set("price:1", late, ex=TTL)
    assert cache.get("price:1") == "100" and origin.price(1) == 120
    print("without a lease: the cache says 100, the shop 120")


def race_with_a_lease(cache, origin):
    origin.set_price(2, 100)
    state, token, _ = cache.execute_command("GETL", "price:2", LEASE)
    assert state == "win"
    late = origin.price(2)
    write(cache, origin, 2, 120)
    assert cache.execute_command("SETL", "price:2", token, late, "EX", TTL) is None
    assert read(cache, origin, 2) == 120 and cache.get("price:2") == "120"
    print("with a lease: the late 100 is refused, cache and shop say 120")


with shop.opened(__doc__) as (cache, origin):
    race_without_a_lease(cache, origin)
    race_with_a_lease(cache, origin)
    before = origin.reads
    assert [read(cache, origin, 2) for _ in range(10)] == [120] * 10
    assert origin.reads == before
    print("ten more reads: the shop was not asked")
