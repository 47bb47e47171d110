"""How long a start takes that finds data, and what 64 GB would take.

Entries of 100 B + 1 KiB are written once; then the server is started again and again on what it left: a snapshot
(redis-server: RDB), or a log without one (redis-server: an AOF of commands, aof-use-rdb-preamble no). The time is that from the
start of the process to the first PING that is not answered by LOADING; then the entries are counted. Each server
has one core, whichever threads it uses; `locksley, 2 shards` has two, as a server on two cores would.

A virtual machine may have to fetch memory from its host at the first use, which costs several times what the start
itself does, and hits whoever asks for memory in larger pieces: so before each start more memory than any of the
servers needs is touched and given back.

Warm: all files are read before the start, so that the page cache has them. Cold: the page cache is emptied before (that needs
root); a start then cannot be faster than the disk, whose rate is that of reading the same files before, cold too.
"""

import contextlib
import mmap
import os
import pathlib
import statistics
import sys
import time

from .process import BASELINE, fail, load, median, ratio, serving, Server

SNAPSHOT = {"appendonly": "no"}
LOG = {"appendonly": "yes", "appendfsync": "everysec", "auto-aof-rewrite-percentage": "0", "aof-use-rdb-preamble": "no"}
SOURCES = {"snapshot": SNAPSHOT, "log": LOG}
START_SECONDS_MAX = 600
DROP_CACHES = pathlib.Path("/proc/sys/vm/drop_caches")
TOUCHED_BYTES_AN_ENTRY = 2_500
MADV_POPULATE_WRITE = 23  # Linux 5.14; Python has no name for it
NODE_BYTES = 64e9
CORES_PROJECTED = [1, 8, 16]


class Kept:
    """A data directory that a server has filled and left."""

    def __init__(self, label, name, source, entries, place, programs, arguments):
        self.label, self.name, self.source, self.entries, self.programs = label, name, source, entries, programs
        self.shards = 2 if "2 shards" in label else 1
        self.cores = ",".join({arguments.server_core: 0, arguments.load_core: 0}) if self.shards == 2 else arguments.server_core
        self.directory = place / f"{label}-{source}-{entries}".replace(", ", "-").replace(" ", "-")
        self.settings = SOURCES[source]
        options = {"shards": self.shards, "settings": self.settings, "directory": self.directory}
        with serving(name, programs, self.cores, **options) as server:
            empty_bytes = server.rss_bytes()
            shape = ["--keys", entries, "--key-size", 100, "--value-size", 1024]
            load(server, shape + ["--fill", "--requests", 0], arguments.load_core)
            self.resident_bytes = (server.rss_bytes() - empty_bytes) / entries
            if source == "snapshot":
                server.ask("SAVE")
        os.sync()
        self.file_bytes = sum(path.stat().st_size for path in self.files())

    def files(self):
        return [path for path in self.directory.rglob("*") if path.is_file()]

    def read(self):
        """Reads every file to its end; the bytes a second."""
        start = time.monotonic()
        size = 0
        buffer = bytearray(1 << 20)
        for path in self.files():
            with open(path, "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    size += count
        return size / (time.monotonic() - start)

    def start(self, cache):
        """One start, with the page cache `warm` or `cold`."""
        if cache == "cold":
            drop_caches()
        else:
            self.read()
        touch_memory(self.entries * TOUCHED_BYTES_AN_ENTRY)
        server = Server(
            self.name, self.programs, self.cores, shards=self.shards, label=self.label, settings=self.settings, directory=self.directory
        )
        try:
            seconds = server.wait_until_it_serves(START_SECONDS_MAX, 0.005)
            cpu_seconds, kernel_seconds = server.cpu_seconds_in_all()
            found = int(server.ask("DBSIZE").strip().lstrip(":"))
            if found != self.entries:
                fail(f"{self.label} came back from its {self.source} with {found:,} of {self.entries:,} entries")
            times = {"seconds": seconds, "cpu_seconds": cpu_seconds, "kernel_seconds": kernel_seconds}
            return times | {"rss_bytes": server.rss_bytes()}
        finally:
            server.stop()


def touch_memory(size):
    with contextlib.suppress(OSError), mmap.mmap(-1, size) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        memory.madvise(MADV_POPULATE_WRITE)


def drop_caches():
    os.sync()
    DROP_CACHES.write_text("3\n")


def measure_restore(programs, place, arguments):
    caches = ["warm", "cold"] if os.access(DROP_CACHES, os.W_OK) else ["warm"]
    results, kept, rates = {}, {}, []
    for source in SOURCES:
        labels = {"locksley": "locksley", BASELINE: BASELINE, "locksley, 2 shards": "locksley"}
        here = [Kept(label, name, source, arguments.entries, place, programs, arguments) for label, name in labels.items()]
        kept |= {(source, one.label): one for one in here}
        for cache in caches:
            rounds(here, cache, arguments, results)
        if "cold" in caches:
            drop_caches()
            rates.append(here[0].read())
        half = Kept("locksley", "locksley", source, arguments.entries // 2, place, programs, arguments)
        kept[source, "half"] = half
        rounds([half], "warm", arguments, results, suffix=", half")
    document = {"disk_bytes_per_second": rates}
    document["starts"] = [
        {"source": source, "cache": cache, "server": label, "rounds": rounds} for (source, cache, label), rounds in results.items()
    ]
    document["directories"] = [
        {"source": source, "server": label, "entries": one.entries, "file_bytes": one.file_bytes, "resident_bytes_an_entry": one.resident_bytes}
        for (source, label), one in kept.items()
    ]
    document["projection"] = projection(results, kept, rates, arguments)
    return text(results, kept, document["projection"], caches, arguments), goals(results), document


def rounds(kept, cache, arguments, results, suffix=""):
    for number in range(arguments.restore_rounds):
        for one in kept if number % 2 == 0 else reversed(kept):
            results.setdefault((one.source, cache, one.label + suffix), []).append(one.start(cache))
            print(".", end="", flush=True, file=sys.stderr)
    print(f" restore from {kept[0].source}, {cache}{suffix}", file=sys.stderr)


def goals(results):
    reached = []
    for source in SOURCES:
        ours, theirs = results[source, "warm", "locksley"], results[source, "warm", BASELINE]
        for figure, field in [("seconds", "seconds"), ("processor time", "cpu_seconds")]:
            value = ratio(ours, theirs, field)
            reached.append((f"restore from {source}, warm: {figure}, of redis-server", "<= 0.50", f"{value:.2f}", value <= 0.5))
    return reached


def text(results, kept, projected, caches, arguments):
    lines = [
        "## Restore",
        "",
        f"{arguments.entries:,} entries of 100 B + 1,024 B; from the start of the process to the first answer; each server on one core "
        f"(2 shards: on two); medians of {arguments.restore_rounds} interleaved starts.",
        "",
        "| from | page cache | server | seconds | ratio | CPU s | ratio | in the kernel | entries/s | on disk MB |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (source, cache, label), starts in results.items():
        one = kept[source, "half" if label.endswith("half") else label]
        baseline = results.get((source, cache, BASELINE)) if one.entries == arguments.entries else None
        cells = [source, cache, label]
        for field in ["seconds", "cpu_seconds"]:
            cells.append(f"{median(starts, field):.2f}")
            cells.append(f"{ratio(starts, baseline, field):.2f}" if baseline else "")
        cells.append(f"{median(starts, 'kernel_seconds'):.2f}")
        cells += [f"{one.entries / median(starts, 'seconds'):,.0f}", f"{one.file_bytes / 1e6:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    if "cold" not in caches:
        lines += ["", "Starts with a cold page cache need root and were left out."]
    return lines + ["", "### What 64 GB would take", "", projected["text"]]


def projection(results, kept, rates, arguments):
    """A line through the starts with half and all of the entries, drawn out to as many as 64 GB of memory hold."""
    whole, half = arguments.entries, arguments.entries // 2
    snapshot = kept["snapshot", "locksley"]
    entries = NODE_BYTES / snapshot.resident_bytes
    seconds, slopes = {}, {}
    for source in SOURCES:
        longer, shorter = (median(results[source, "warm", label], "seconds") for label in ["locksley", "locksley, half"])
        slopes[source] = (longer - shorter) / (whole - half)
        seconds[source] = longer + slopes[source] * (entries - whole)
    by_cores = {source: {cores: seconds[source] / cores for cores in CORES_PROJECTED} for source in SOURCES}
    file_bytes = snapshot.file_bytes / whole * entries
    sentences = [
        f"64 GB of memory hold {entries / 1e6:.0f} million entries of 100 B + 1,024 B ({snapshot.resident_bytes:,.0f} B each with everything "
        f"around them), a snapshot of {file_bytes / 1e9:.0f} GB.",
        "A start from it takes the processor "
        + ", ".join(f"{by_cores['snapshot'][cores]:.0f} s with {cores} {'shard' if cores == 1 else 'shards'}" for cores in CORES_PROJECTED)
        + " (a shard a core; each has its own loader and reads its own files), and the disk "
        + f"{file_bytes / 1e9:.0f} s at 1 GB/s, {file_bytes / 4e9:.0f} s at 4 GB/s; the longer of the two counts.",
    ]
    sentences.append(
        "A log that has grown as long as the snapshot, which is when the next one is taken unless `auto-aof-rewrite-percentage` says otherwise, adds "
        + ", ".join(f"{by_cores['log'][cores]:.0f} s with {cores}" for cores in CORES_PROJECTED)
        + " and the same reading again."
    )
    sentences.append(
        f"Projected from starts on one core with {half:,} and {whole:,} entries, page cache warm: {slopes['snapshot'] * 1e6:.2f} us an entry from a "
        f"snapshot, {slopes['log'] * 1e6:.2f} us from the log, taken to stay the same up to 64 GB."
    )
    if rates:
        rate = statistics.median(rates)
        cold = median(results["snapshot", "cold", "locksley"], "seconds")
        warm = median(results["snapshot", "warm", "locksley"], "seconds")
        sentences.append(
            f"With a cold page cache the start with {whole:,} entries took {cold:.1f} s in place of {warm:.1f} s, on a disk that needs "
            f"{snapshot.file_bytes / rate:.1f} s to read the files ({rate / 1e9:.2f} GB/s)."
        )
    return {"text": " ".join(sentences), "entries": entries, "seconds_one_core": seconds, "us_an_entry": {k: v * 1e6 for k, v in slopes.items()}}
