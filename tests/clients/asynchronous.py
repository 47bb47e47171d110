"""redis-py's asyncio client against one server: asynchronous.py PORT."""

import asyncio
import sys

import redis.asyncio

PORT = int(sys.argv[1])


async def work(client, number):
    for turn in range(100):
        key = f"worker:{number}:{turn}"
        await client.set(key, turn, ex=1000)
        assert await client.get(key) == str(turn).encode()


async def main():
    for protocol in (2, 3):
        client = redis.asyncio.Redis(host="127.0.0.1", port=PORT, protocol=protocol)
        assert await client.ping()
        await asyncio.gather(*(work(client, number) for number in range(20)))
        assert await client.dbsize() == 2000
        async with client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.incr("counter", number)
            replies = await pipeline.execute()
        assert replies[-1] == sum(range(1000))
        found = {key async for key in client.scan_iter("worker:*", count=100)}
        assert len(found) == 2000
        await client.flushall()
        await client.aclose()


asyncio.run(main())
