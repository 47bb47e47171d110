"""A lock with fencing: one at a time, in the order they came, and a holder that woke up late does no harm.

LOCK answers a number that only grows, also across restarts. A lock has a time to live, since holders crash; so a holder
that is held up longer than that may go on while the next one works. No lock can prevent this. What it writes to can: it
keeps the greatest number it has seen and refuses lower ones.
"""

import threading
import time

import shop

TTL, BRIEF = 60_000, 200  # milliseconds


def holders_take_turns(cache):
    first = cache.execute_command("LOCK", "lock:a", TTL)
    order = []

    def wait_for_it(name):
        token = cache.execute_command("LOCK", "lock:a", TTL, "WAIT", 30_000)
        order.append((name, token))
        assert cache.execute_command("UNLOCK", "lock:a", token) == 1

    threads = []
    for place in range(1, 6):
        threads.append(threading.Thread(target=wait_for_it, args=[place]))
        threads[-1].start()
        while waiters(cache, "lock:a") < place:
            time.sleep(0.001)
    assert cache.execute_command("UNLOCK", "lock:a", first + 1) == 0
    assert cache.execute_command("UNLOCK", "lock:a", first) == 1
    for thread in threads:
        thread.join()
    assert [name for name, _ in order] == [1, 2, 3, 4, 5]
    tokens = [first] + [token for _, token in order]
    assert tokens == sorted(set(tokens))
    assert cache.execute_command("LOCKINFO", "lock:a") is None
    print("five waited and had it in their order, with growing tokens")


def waiters(cache, name):
    fields = cache.execute_command("LOCKINFO", name)
    return fields["waiters"] if isinstance(fields, dict) else fields[fields.index("waiters") + 1]


def a_late_holder_does_no_harm(cache, origin):
    slow = cache.execute_command("LOCK", "lock:b", BRIEF)
    # It is held up, and its lock ends; the next one waits for that and writes.
    quick = cache.execute_command("LOCK", "lock:b", BRIEF, "WAIT", 10_000)
    assert quick > slow
    assert origin.set_price(1, 120, fence=quick)
    assert not origin.set_price(1, 100, fence=slow)
    assert origin.price(1) == 120
    assert cache.execute_command("UNLOCK", "lock:b", slow) == 0
    print("the lock ended before its holder did: the shop refused the late write")


def a_holder_that_needs_longer_says_so(cache):
    token = cache.execute_command("LOCK", "lock:c", TTL)
    assert cache.execute_command("RELOCK", "lock:c", token, 10 * TTL) == 1
    assert cache.pttl("lock:c") > TTL
    assert cache.execute_command("LOCK", "lock:c", TTL) is None  # without WAIT: taken
    assert cache.execute_command("UNLOCK", "lock:c", token) == 1
    print("RELOCK gave it more time")


with shop.opened(__doc__) as (cache, origin):
    holders_take_turns(cache)
    a_late_holder_does_no_harm(cache, origin)
    a_holder_that_needs_longer_says_so(cache)
