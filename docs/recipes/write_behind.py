"""Write-behind: a write is answered when the cache has it; the origin gets it later, many writes at once.

What it has to get right: a write between "the value is read" and "the mark is taken away" must not be lost, so a mark goes
only if it is the one from before (DELIFVER); two flushers must not overtake each other, so one holds a lock and the shop
refuses old fencing numbers; and what is not in the shop yet must outlast a crash: value and mark are stored in one step
(MSET), and Locksley logs them before it answers. Run such a server with `appendfsync always`, or accept the last second's
loss, and without `maxmemory` or with `noeviction`: an entry that is evicted before it was flushed is lost.
"""

import shop

LOCK = 10_000  # milliseconds
MARK = "unsaved:"


def write(cache, product, price):
    cache.mset({f"price:{product}": price, f"{MARK}{product}": 1})


def flush(cache, origin, meanwhile=lambda: None):
    """Writes everything marked to the shop; gives how many products that were."""
    token = cache.execute_command("LOCK", "lock:flush", LOCK, "WAIT", LOCK)
    if token is None:
        return 0
    count = 0
    for mark in cache.scan_iter(f"{MARK}*", count=100):
        found = cache.execute_command("GETV", mark)
        if found is None:  # the scan may show a key twice
            continue
        product = int(mark.removeprefix(MARK))
        price = int(cache.get(f"price:{product}"))
        meanwhile()
        if not origin.set_price(product, price, fence=token):
            break  # the lock ended, and another one flushes
        count += 1
        cache.execute_command("DELIFVER", mark, found[1])
    cache.execute_command("UNLOCK", "lock:flush", token)
    return count


with shop.opened(__doc__) as (cache, origin):
    for price in range(1, 101):
        write(cache, 1, price)
        write(cache, 2, 2 * price)
    assert origin.writes == 0
    assert flush(cache, origin) == 2
    assert (origin.price(1), origin.price(2), origin.writes) == (100, 200, 2)
    print("200 writes became 2 in the shop")

    write(cache, 1, 101)
    assert flush(cache, origin, meanwhile=lambda: write(cache, 1, 102)) == 1
    assert origin.price(1) == 101
    assert flush(cache, origin) == 1 and flush(cache, origin) == 0
    assert origin.price(1) == 102
    print("a write while its product was being flushed came with the next flush")
