"""Negative caching: the cache also knows what is not there, so that asking for it again and again spares the origin.

SETABSENT stores a note of absence that lasts briefly (`absent-ttl`, 45 s). GET answers nil to it, as to nothing; GETL answers
"absent". The race: a reader finds no product 7; a writer makes product 7 and stores it; then the reader notes that there
is none, and the product stays invisible. With TOKEN the note is refused where the lease is no longer the live one.
"""

import shop

TTL = 60  # seconds
LEASE = 5_000  # milliseconds


def read(cache, origin, product):
    key = f"price:{product}"
    found = cache.execute_command("GETL", key, LEASE, "BLOCK", LEASE)
    if isinstance(found, str):
        return int(found)
    state, token, _ = found
    if state == "absent":
        return None
    price = origin.price(product)
    if state == "win":
        if price is None:
            cache.execute_command("SETABSENT", key, "EX", 5, "TOKEN", token)
        else:
            cache.execute_command("SETL", key, token, price, "EX", TTL)
    return price


with shop.opened(__doc__) as (cache, origin):
    assert [read(cache, origin, 404) for _ in range(100)] == [None] * 100
    assert origin.reads == 1
    assert cache.get("price:404") is None and not cache.exists("price:404")
    print("100 reads of a product that is not there: the shop was asked once")

    origin.set_price(404, 10)
    cache.set("price:404", 10, ex=TTL)
    assert read(cache, origin, 404) == 10
    print("a SET replaces the note")

    state, token, _ = cache.execute_command("GETL", "price:7", LEASE)
    assert state == "win" and origin.price(7) is None
    origin.set_price(7, 70)  # meanwhile somebody makes it
    cache.set("price:7", 70, ex=TTL)
    assert cache.execute_command("SETABSENT", "price:7", "TOKEN", token) is None
    assert read(cache, origin, 7) == 70
    print("a note that comes late is refused: product 7 is there")
