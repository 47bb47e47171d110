"""Write-through: a write goes to the origin and, before it is answered, to the cache.

The race: A commits 110, B commits 120 and stores 120, then A stores its 110: the shop says 120, the cache 110. A lock lets
one writer in at a time. A lock that has a time to live can end while its holder is held up, so two more things: the shop
refuses a fencing number lower than it has seen, and the cache takes the price only if its entry is the one from before
(IFVER). Who loses there deletes the key: it may be old, and the next reader fetches.
"""

import shop

TTL = 60  # seconds
LOCK, WAIT = 2_000, 5_000  # milliseconds


def write(cache, origin, product, price, held_up=lambda: None):
    key = f"price:{product}"
    token = cache.execute_command("LOCK", f"lock:{key}", LOCK, "WAIT", WAIT)
    if token is None:
        raise TimeoutError("others are writing")
    try:
        before = cache.execute_command("GETV", key)
        version = before[1] if before else 0
        if not origin.set_price(product, price, fence=token):
            return False  # somebody else had the lock after us
        held_up()
        if not cache.execute_command("SET", key, price, "EX", TTL, "IFVER", version):
            cache.delete(key)
        return True
    finally:
        cache.execute_command("UNLOCK", f"lock:{key}", token)


with shop.opened(__doc__) as (cache, origin):
    assert write(cache, origin, 1, 100)
    assert cache.get("price:1") == "100" and origin.price(1) == 100
    print("written through: cache and shop say 100")

    def others_write():  # while the writer of 110 is held up, its lock ends and another writes
        cache.delete("lock:price:1")
        assert write(cache, origin, 1, 120)

    assert write(cache, origin, 1, 110, held_up=others_write)
    assert origin.price(1) == 120 and cache.get("price:1") in (None, "120")
    print("held up between shop and cache: the late 110 does not replace 120")

    old = cache.execute_command("LOCK", "lock:price:1", LOCK)
    cache.delete("lock:price:1")
    assert write(cache, origin, 1, 130)
    assert not origin.set_price(1, 125, fence=old)
    assert origin.price(1) == 130 and cache.get("price:1") == "130"
    print("held up before the shop: it refuses the old fencing number")
