"""Write-around: writes go past the cache to the origin, and what the cache has of it is deleted, one key or many.

One change of the shop often makes many entries old: every page that shows a price. DELPREFIX deletes all keys that begin
so, however many there are, and is answered at once: from then on nobody reads what was written before, at any door.

The race is that of cache-aside: a page rendered from the old prices is stored after the deletion. DELPREFIX ends the leases
of the keys under it, so the SETL of such a page is refused.
"""

import shop

TTL = 600  # seconds
LEASE = 5_000  # milliseconds


def page(cache, origin, product, language):
    key = f"page:{product}:{language}"
    found = cache.execute_command("GETL", key, LEASE, "BLOCK", LEASE)
    if isinstance(found, str):
        return found
    state, token, _ = found
    text = f"<p lang={language}>{origin.price(product)}</p>"
    if state == "win":
        cache.execute_command("SETL", key, token, text, "EX", TTL)
    return text


def write(cache, origin, product, price):
    origin.set_price(product, price)
    cache.execute_command("DELPREFIX", f"page:{product}:")


with shop.opened(__doc__) as (cache, origin):
    languages = [f"x-{number}" for number in range(200)]
    origin.set_price(1, 100)
    origin.set_price(10, 500)
    for language in languages:
        assert ">100<" in page(cache, origin, 1, language)
    assert ">500<" in page(cache, origin, 10, "en")
    state, token, _ = cache.execute_command("GETL", "page:1:late", LEASE)
    assert state == "win"

    write(cache, origin, 1, 120)
    assert cache.mget(f"page:1:{language}" for language in languages) == [None] * 200
    assert ">500<" in cache.get("page:10:en")
    print("one DELPREFIX: 200 pages are gone, those of product 10 are there")

    assert cache.execute_command("SETL", "page:1:late", token, "<p>100</p>", "EX", TTL) is None
    assert ">120<" in page(cache, origin, 1, "x-7")
    print("a page made of the old price came late and was refused")
