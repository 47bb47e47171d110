"""redis-py's cluster client against the shard ports: cluster.py PORT PROTOCOL."""

import sys

from redis.cluster import RedisCluster

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])


def main():
    client = RedisCluster(host="127.0.0.1", port=PORT, protocol=PROTOCOL)
    assert len(client.get_nodes()) == 2, client.get_nodes()
    for number in range(300):
        assert client.set(f"key:{number}", number)
    for number in range(300):
        assert client.get(f"key:{number}") == str(number).encode()
    owners = {client.get_node_from_key(f"key:{number}").port for number in range(300)}
    assert len(owners) == 2, owners
    assert client.mset_nonatomic({f"many:{number}": number for number in range(100)})
    values = client.mget_nonatomic([f"many:{number}" for number in range(100)])
    assert values == [str(number).encode() for number in range(100)]
    assert client.mset({"{tag}a": 1, "{tag}b": 2})
    assert client.mget("{tag}a", "{tag}b") == [b"1", b"2"]
    assert client.delete("key:1", "key:2", "key:3") == 3
    assert client.keyslot("key:4") == client.cluster_keyslot("key:4")
    slot = client.keyslot("{tag}a")
    assert client.cluster_countkeysinslot(slot) == 2
    assert sorted(client.cluster_get_keys_in_slot(slot, 10)) in (["{tag}a", "{tag}b"], [b"{tag}a", b"{tag}b"])
    pipeline = client.pipeline()
    for number in range(10, 200):
        pipeline.get(f"key:{number}")
    assert pipeline.execute() == [str(number).encode() for number in range(10, 200)]
    assert client.dbsize(target_nodes=RedisCluster.PRIMARIES) == 300 - 3 + 100 + 2
    assert len(set(client.scan_iter("key:*", count=50))) == 297
    assert client.flushall(target_nodes=RedisCluster.PRIMARIES)
    client.close()


main()
