#!/usr/bin/env python3
"""Whether MEMORY CURVE is right: what a server predicts against servers with that much memory.

A load is played against a server, which then says what hit rate other sizes of its memory would give. The same load is
then played against servers with these sizes, and their own counters say what it was. Of each run the first half warms
up. Clients do what clients of a cache do: they read, in batches, and write what they missed.

    bench/peers/curve.py --server target/release/locksley-server [--policies allkeys-s3fifo,...] [--loads zipf,...]

The exit status is 1 if a prediction is more than --points (2) off.
"""

import argparse
import array
import bisect
import itertools
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time

POLICIES = "allkeys-s3fifo,allkeys-lru,allkeys-lfu,allkeys-random"
SIZES = [0.25, 0.5, 2.0, 4.0]
KEY_COUNT = 200_000
VALUE_BYTES = 600
BATCH = 200
# Requests a second where values expire: all runs have to take as long.
PACE = 60_000


class Load:
    """Which keys are asked for, how long their values are, and how many seconds they live."""

    def __init__(self, exponent=0.99, scan=False, sizes=False, expires=False):
        self.exponent, self.scan, self.sizes, self.expires = exponent, scan, sizes, expires

    def keys(self, count):
        chance = random.Random(7)
        sums = list(itertools.accumulate(rank ** -self.exponent for rank in range(1, KEY_COUNT + 1)))
        keys = array.array("L", (bisect.bisect_left(sums, chance.random() * sums[-1]) for _ in range(count)))
        if self.scan:
            # Every tenth batch of 100 reads what nobody else reads.
            for index in range(count):
                if index // (BATCH * 100) % 10 == 9:
                    keys[index] = KEY_COUNT + index
        return keys

    def value_bytes(self, key):
        """A few are long, most are short."""
        mixed = key * 2_654_435_761 % 4_294_967_296
        return (8000 if mixed % 40 == 0 else 50 + mixed % 800) if self.sizes else VALUE_BYTES

    def seconds(self, key):
        """One key in four stays."""
        return 3 + key % 7 if self.expires and key % 4 else 0


LOADS = {
    "zipf": Load(),
    "flat": Load(exponent=0.7),
    "scan": Load(scan=True),
    "mixed": Load(sizes=True, expires=True),
}


class Connection:
    """A connection that knows of replies what it needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb", buffering=1 << 18)

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest

    def ask(self, *words):
        self.socket.sendall(command(*words))
        return self.reply()


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def play(connection, load, keys):
    """Reads all keys, and writes those that are missed."""
    values = {}
    began = time.monotonic()
    for start in range(0, len(keys), BATCH):
        if load.expires:
            time.sleep(max(0.0, began + start / PACE - time.monotonic()))
        batch = keys[start:start + BATCH]
        connection.socket.sendall(b"".join(b"*2\r\n$3\r\nGET\r\n$10\r\nk%09d\r\n" % key for key in batch))
        missed = [key for key in batch if connection.reply() is None]
        written = []
        for key in missed:
            length, seconds = load.value_bytes(key), load.seconds(key)
            value = values.setdefault(length, b"v" * length)
            words = [b"SET", b"k%09d" % key, value]
            written.append(command(*words, b"EX", seconds) if seconds else command(*words))
        connection.socket.sendall(b"".join(written))
        for _ in missed:
            connection.reply()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(server, policy, memory_bytes, load, keys, shards):
    """The hit rate of the second half, and the curve."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        flags = {
            "port": port, "memcached-port": 0, "http-port": 0, "maxmemory": memory_bytes, "maxmemory-policy": policy,
            "shards": shards, "dir": directory, "appendonly": "no", "save": "",
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        log = open(pathlib.Path(directory) / "log", "wb")
        process = subprocess.Popen([server, *words], stdout=log, stderr=log)
        try:
            connection = connect(port, process)
            half = len(keys) // 2
            play(connection, load, keys[:half])
            connection.ask("CONFIG", "RESETSTAT")
            play(connection, load, keys[half:])
            info = dict(line.split(b":", 1) for line in connection.ask("INFO", "stats").split(b"\r\n") if b":" in line)
            hits, misses = int(info[b"keyspace_hits"]), int(info[b"keyspace_misses"])
            answer = connection.ask("MEMORY", "CURVE")
            return hits / (hits + misses), dict(zip(answer[::2], answer[1::2]))
        finally:
            process.terminate()
            process.wait()


def connect(port, process):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit("the server ended")
        try:
            connection = Connection(port)
            connection.ask("DBSIZE")
            return connection
        except (OSError, RuntimeError):
            # It does not listen yet, or it says that it is loading.
            time.sleep(0.05)
    sys.exit("the server does not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/release/locksley-server")
    parser.add_argument("--policies", default=POLICIES)
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--mebibytes", type=int, default=32, help="maxmemory of the server that predicts [32]")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--points", type=float, default=2.0)
    arguments = parser.parse_args()
    base = arguments.mebibytes << 20
    worst = 0.0
    print("| load | policy | memory | curve | server | off |\n|---|---|--:|--:|--:|--:|", flush=True)
    for name in arguments.loads.split(","):
        load = LOADS[name]
        keys = load.keys(arguments.requests)
        for policy in arguments.policies.split(","):
            now, answer = run(arguments.server, policy, base, load, keys, arguments.shards)
            curve = {float(size): float(rate) for size, _, rate in answer[b"curve"]}
            for size in sorted([1.0, *SIZES]):
                real = now if size == 1.0 else run(arguments.server, policy, int(base * size), load, keys, arguments.shards)[0]
                off = (curve[size] - real) * 100
                worst = max(worst, abs(off))
                print(f"| {name} | {policy} | {size} | {curve[size]:.2%} | {real:.2%} | {off:+.2f} |", flush=True)
    print(f"\nThe worst prediction is {worst:.2f} points off.")
    sys.exit(worst > arguments.points)


if __name__ == "__main__":
    main()
