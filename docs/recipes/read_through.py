"""Read-through: a cache that fetches by itself; who reads knows nothing of the origin.

What it has to get right: of many that miss at one time one fetches and the others wait for it (BLOCK, without polling);
if fetching fails the lease is given up (DELL) and the next in line tries, at once; and while an old value is in its
grace (STALE) nobody waits at all.
"""

import threading

import shop

LEASE = 5_000  # milliseconds that fetching may take
GRACE = 60_000  # milliseconds that a value may be shown after its end


class ReadThrough:
    def __init__(self, cache, load, ttl):
        self.cache, self.load, self.ttl = cache, load, ttl

    def get(self, key):
        found = self.cache.execute_command("GETL", key, LEASE, "STALE", GRACE, "BLOCK", LEASE)
        if isinstance(found, str):
            return found
        state, token, value = found
        if state == "stale":
            return value
        if state == "wait":  # nobody came back with a value in time
            return str(self.load(key))
        try:  # "win", or "refresh" a little before the end
            value = str(self.load(key))
        except Exception:
            self.cache.execute_command("DELL", key, token)
            raise
        self.cache.execute_command("SETL", key, token, value, "PX", self.ttl, "STALE", GRACE)
        return value


def together(count, work):
    """Runs `work` in so many threads at one time; gives results, an exception where there was one."""
    results, start = [], threading.Barrier(count)

    def run():
        start.wait()
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


with shop.opened(__doc__) as (cache, origin):
    origin.set_price(1, 100)
    failures = [ConnectionError("the shop is away")]

    def load(key):
        if failures:
            raise failures.pop()
        return origin.price(int(key.removeprefix("price:")))

    prices = ReadThrough(cache, load, ttl=60_000)
    results = together(20, lambda: prices.get("price:1"))
    errors = [result for result in results if isinstance(result, Exception)]
    assert len(errors) == 1 and results.count("100") == 19
    assert origin.reads == 1
    print("20 readers at once: one fetch failed, the next in line fetched, 18 waited for it")

    origin.set_price(2, 200)
    brief = ReadThrough(cache, load, ttl=1)
    assert brief.get("price:2") == "200"
    while cache.get("price:2") is not None:  # until its millisecond is over
        pass
    state, token, value = cache.execute_command("GETL", "price:2", LEASE, "STALE", GRACE)
    assert (state, value) == ("win", "200")
    before = origin.reads
    assert together(20, lambda: brief.get("price:2")) == ["200"] * 20
    assert origin.reads == before
    print("20 readers while one fetches anew: all were served the old value at once")
