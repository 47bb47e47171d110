"""redis-py against one server, in the dialect given: standalone.py PORT PROTOCOL."""

import sys
import threading

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, protocol=PROTOCOL, **options)


def check_strings(client):
    assert client.ping() is True
    assert client.set("key", "value") is True
    assert client.get("key") == b"value"
    assert client.get("missing") is None
    assert client.set("key", "other", nx=True) is None
    assert client.set("key", "other", xx=True, get=True) == b"value"
    assert client.set("binary", bytes(range(256))) is True
    assert client.get("binary") == bytes(range(256))
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "none", "b") == [b"1", None, b"2"]
    assert client.msetnx({"a": 9, "c": 9}) in (False, 0)
    assert client.incr("n", 10) == 10
    assert client.decr("n", 3) == 7
    assert client.incrbyfloat("f", 0.5) == 0.5
    assert client.append("key", "!") == 6
    assert client.strlen("key") == 6
    assert client.getrange("key", 0, 1) == b"ot"
    assert client.setrange("key", 0, "OT") == 6
    assert client.getset("key", "last") == b"OTher!"
    assert client.getdel("key") == b"last"
    assert client.lcs("a", "b", len=True) == 0
    assert client.setbit("bits", 7, 1) == 0
    assert client.getbit("bits", 7) == 1
    assert client.bitcount("bits") == 1
    assert client.bitpos("bits", 1) == 7
    assert client.bitop("NOT", "inverse", "bits") == 1
    assert client.bitfield("bits").get("u8", 0).execute() == [1]


def check_expiry(client):
    client.set("key", "value", ex=100)
    assert 99 <= client.ttl("key") <= 100
    assert client.expire("key", 200, gt=True) in (True, 1)
    assert client.persist("key") in (True, 1)
    assert client.ttl("key") == -1
    assert client.getex("key", px=100_000) == b"value"
    assert 99_000 <= client.pttl("key") <= 100_000
    assert client.expireat("key", 33_177_117_420) in (True, 1)
    assert client.expiretime("key") == 33_177_117_420
    assert client.ttl("missing") == -2


def check_keys(client):
    client.flushall()
    client.mset({f"key:{number}": number for number in range(500)})
    assert client.dbsize() == 500
    assert len(set(client.scan_iter("key:*", count=50))) == 500
    assert len(client.keys("key:1?")) == 10
    assert client.type("key:1") == b"string"
    assert client.exists("key:1", "key:2", "none") == 2
    assert client.delete("key:1", "key:2", "none") == 2
    assert client.unlink("key:3") == 1
    assert client.touch("key:4", "none") == 1
    assert client.rename("key:4", "renamed") is True
    assert client.renamenx("renamed", "key:5") in (False, 0)
    assert client.copy("renamed", "copied") in (True, 1)
    assert client.randomkey() is not None
    assert client.object("encoding", "renamed") == b"int"
    assert client.move("renamed", 3) in (True, 1)
    assert connect(db=3).get("renamed") == b"4"
    assert client.swapdb(0, 3) is True
    assert client.dbsize() == 1
    assert client.flushdb() is True
    assert client.dbsize() == 0


def check_pipelines(client):
    pipeline = client.pipeline(transaction=False)
    for number in range(10_000):
        pipeline.set(f"pipe:{number}", number)
    assert all(pipeline.execute())
    for number in range(10_000):
        pipeline.get(f"pipe:{number}")
    assert pipeline.execute() == [str(number).encode() for number in range(10_000)]
    pipeline.set("text", "x").incr("text").get("text")
    replies = pipeline.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == b"x"


def check_server(client):
    assert client.info()["redis_version"].startswith("7.")
    assert client.info("memory")["used_memory"] > 0
    assert client.config_get("maxmemory*")["maxmemory-policy"]
    assert client.config_set("timeout", 300) is True
    assert client.config_get("timeout") == {"timeout": "300"}
    assert client.config_set("timeout", 0) is True
    assert client.config_resetstat() is True
    assert client.client_setname("worker") is True
    assert client.client_getname() in ("worker", b"worker")
    assert client.client_id() > 0
    assert any(row["name"] == "worker" for row in client.client_list())
    assert client.client_info()["name"] == "worker"
    assert len(client.time()) == 2
    assert client.echo("words") == b"words"
    assert "get" in client.command() or b"get" in client.command()
    assert client.command_count() > 70
    assert client.slowlog_len() >= 0
    assert isinstance(client.slowlog_get(10), list)
    assert client.memory_usage("text") > 0
    assert client.memory_stats()["total.allocated"] > 0
    assert client.lolwut()


def check_errors(client):
    for words, text in [
        (("GET",), "wrong number of arguments for 'get' command"),
        (("NOSUCH",), "unknown command 'NOSUCH'"),
        (("SET", "k", "v", "EX", "0"), "invalid expire time in 'set' command"),
    ]:
        try:
            client.execute_command(*words)
        except redis.ResponseError as error:
            assert text in str(error), error
        else:
            raise AssertionError(f"{words} should fail")


def check_monitor(client):
    with client.monitor() as monitor:
        connect().set("watched", "value")
        for event in monitor.listen():
            if "watched" in event["command"]:
                assert event["command"] == "SET watched value", event
                break


def check_threads(client):
    client.set("shared", 0)

    def work():
        for _ in range(500):
            client.incr("shared")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("shared") == b"4000"


def main():
    client = connect()
    for check in [
        check_strings,
        check_expiry,
        check_keys,
        check_pipelines,
        check_server,
        check_errors,
        check_monitor,
        check_threads,
    ]:
        print(check.__name__, flush=True)
        check(client)
    client.flushall()


main()
