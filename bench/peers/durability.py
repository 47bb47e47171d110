"""What durability costs: the log, the wait for the disk, stalls, memory during a snapshot, and restores.

The parts, each against redis-server with the same settings in the same run:

everysec   SET of 32 B with the log synced once a second, at pipeline 1, 16 and 64: processor time an operation; and
           against both servers without a log.
always     SET of 32 B whose reply waits for the disk, at pipeline 1 and 16: throughput.
stall      100,000 SET a second of 100 B + 1 KiB, open loop, everysec: latencies without and during BGSAVE, and the
           most memory; also Locksley without a log, which shows what the machine itself contributes.
restore    see restore.py.

Logs are not shortened by themselves while they are measured (auto-aof-rewrite-percentage 0): a rewrite happens
between the measurements, so that the disk does not fill. What a server does in the background runs on the server's
core, and counts where it is in the server's process: Locksley's keepers do, redis-server's child does not.
"""

import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

from . import restore
from .process import (
    BASELINE, fail, introduction, load, load_command, machine, measure, median, ratio, rows, run, serving, summary, table, versions, write
)

PARTS = ["everysec", "always", "stall", "restore"]
EVERYSEC = {"appendonly": "yes", "appendfsync": "everysec", "auto-aof-rewrite-percentage": "0"}
ALWAYS = EVERYSEC | {"appendfsync": "always"}
STALL_WINDOWS = ["before", "during"]
SNAPSHOT_SECONDS_MAX = 300
MIB = 2**20


def add_arguments(parser):
    group = parser.add_argument_group("durability", "with --rounds, --seconds, --connections and --keys as above")
    group.add_argument("--durability", action="store_true", help="measure the log, snapshots and restores")
    group.add_argument("--parts", default=",".join(PARTS), help="which parts [all]")
    group.add_argument("--entries", type=int, default=2_000_000, help="entries of 100 B + 1 KiB of stall and restore [2,000,000]")
    group.add_argument("--rate", type=int, default=100_000, help="writes a second of the part stall [100,000]")
    group.add_argument("--stall-seconds", type=float, default=10.0, help="length of the window without BGSAVE [10]")
    group.add_argument("--restore-rounds", type=int, default=3, help="starts of each kind [3]")
    group.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("/var/tmp"), help="where the data go: a real disk [/var/tmp]")


def report(programs, arguments):
    """Measures the chosen parts and writes the result."""
    parts = arguments.parts.split(",")
    for part in parts:
        if part not in PARTS:
            fail(f"--parts: '{part}' is none of {', '.join(PARTS)}")
    kind = run(["df", "--output=fstype", str(arguments.directory)]).split()[-1]
    if kind in ("tmpfs", "ramfs"):
        fail(f"--directory: {arguments.directory} is memory ({kind}), and a disk is to be measured")
    busy = os.getloadavg()[0]
    date = datetime.date.today().isoformat()
    names = ["locksley", BASELINE]
    document = {"date": date, "machine": machine(), "versions": versions(programs, names), "load_average": busy}
    goals, lines = [], []
    with tempfile.TemporaryDirectory(prefix="bench-peers-", dir=arguments.directory) as place:
        for part in [part for part in PARTS if part in parts]:
            # A round's results are many; what a part returns is its text, its goals and its part of the document.
            text, reached, document[part] = MEASURES[part](programs, pathlib.Path(place) / part, arguments)
            lines += ["", *text]
            goals += reached
    head = [f"# The price of durability, {date}", "", f"{introduction(programs, names, busy)} Data on {kind}.", ""]
    head += ["| figure | goal | measured | reached |", "|---|---:|---:|---|"]
    head += [f"| {figure} | {goal} | {measured} | {'yes' if is_reached else 'NO'} |" for figure, goal, measured, is_reached in goals]
    document["goals"] = [dict(zip(["figure", "goal", "measured", "reached"], goal)) for goal in goals]
    write(arguments.output, f"{date}-durability", "\n".join(head + lines) + "\n", document)


@contextlib.contextmanager
def variants(programs, place, arguments, chosen):
    """Servers by label: (name, settings)."""
    with contextlib.ExitStack() as stack:
        running = []
        for label, (name, settings) in chosen.items():
            directory = place / label.replace(", ", "-").replace(" ", "-")
            options = {"label": label, "settings": settings, "directory": directory}
            running.append(stack.enter_context(serving(name, programs, arguments.server_core, **options)))
        yield running


def shorten_log(server):
    """Rewrites the log, where there is one, and leaves the disk with nothing to do."""
    if server.info("persistence")["aof_enabled"] == "1":
        server.ask("BGREWRITEAOF")
        server.wait_for_snapshot()
    os.sync()


def set_loads(prefix, pipelines):
    return [(f"{prefix}SET pipeline {pipeline}", ["--ratio", "1:0", "--pipeline", pipeline, "--value-size", 32], "writes") for pipeline in pipelines]


def measure_everysec(programs, place, arguments):
    chosen = {
        "locksley": ("locksley", EVERYSEC),
        "redis-server": ("redis-server", EVERYSEC),
        "locksley, no log": ("locksley", {}),
        "redis-server, no log": ("redis-server", {}),
    }
    results = {}
    with variants(programs, place, arguments, chosen) as running:
        fill_and_measure(running, set_loads("everysec, ", [1, 16, 64]), arguments, results)
    goals, added = [], []
    for (name, label), rounds in results.items():
        if label == "locksley":
            value = ratio(rounds, results[name, BASELINE], "cpu_us")
            if name.endswith(" 16"):
                goals.append((f"{name}: server CPU an op, of redis-server", "<= 0.50", f"{value:.2f}", value <= 0.5))
            without = results[name, "locksley, no log"]
            more = median(rounds, "cpu_us") - median(without, "cpu_us")
            added.append(f"{name.rsplit(' ', 1)[1]}: {more:+.3f} us ({ratio(rounds, without, 'cpu_us'):.2f}x)")
    text = [
        "## appendfsync everysec",
        "",
        f"{setting_of(arguments)} Ratios to redis-server with its log.",
        "",
        *table(results, BASELINE),
        "",
        "What the log adds to Locksley's processor time an operation, by pipeline: " + "; ".join(added) + ".",
    ]
    return text, goals, rows(results)


def measure_always(programs, place, arguments):
    results = {}
    with variants(programs, place, arguments, {name: (name, ALWAYS) for name in ["locksley", BASELINE]}) as running:
        fill_and_measure(running, set_loads("always, ", [1, 16]), arguments, results)
    goals = []
    for (name, label), rounds in results.items():
        if label == "locksley":
            value = ratio(rounds, results[name, BASELINE], "rate")
            goals.append((f"{name}: throughput, of redis-server", ">= 2.00", f"{value:.2f}", value >= 2.0))
    return ["## appendfsync always", "", setting_of(arguments), "", *table(results, BASELINE)], goals, rows(results)


def fill_and_measure(running, loads, arguments, results):
    common, core = ["--keys", arguments.keys], arguments.load_core
    for server in running:
        load(server, common + ["--value-size", 32, "--fill", "--requests", 0], core)
        shorten_log(server)
    measure(running, loads, common, core, arguments, results, after=shorten_log)


def setting_of(arguments):
    return (
        f"{arguments.connections} connections, {arguments.keys:,} keys of 16 B, values of 32 B; server on one core, load on another; "
        f"medians of {arguments.rounds} interleaved rounds of {arguments.seconds:g} s."
    )


class MemoryWatch:
    """The most memory that a process takes while this is entered; looked at ten times a second."""

    FIELDS = ["VmRSS", "RssAnon"]

    def __init__(self, server):
        self.server = server
        self.peaks = dict.fromkeys(self.FIELDS, 0)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while True:
            for field in self.FIELDS:
                self.peaks[field] = max(self.peaks[field], self.server.status_bytes(field))
            if self.is_over.wait(0.1):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def measure_stall(programs, place, arguments):
    watched = EVERYSEC | {"latency-monitor-threshold": "1"}
    chosen = {
        "locksley": ("locksley", watched),
        "redis-server": ("redis-server", watched),
        "locksley, no log": ("locksley", {"latency-monitor-threshold": "1"}),
    }
    core = arguments.load_core
    shape = ["--keys", arguments.entries, "--key-size", 100, "--value-size", 1024]
    options = shape + ["--ratio", "1:0", "--rate", arguments.rate, "--pipeline", 64, "--connections", arguments.connections]
    results = {}
    with variants(programs, place, arguments, chosen) as running:
        for server in running:
            load(server, shape + ["--fill", "--requests", 0], core)
            shorten_log(server)
        for number in range(arguments.rounds):
            for server in running if number % 2 == 0 else reversed(running):
                for window in STALL_WINDOWS:
                    one = stall_window(server, options, window, arguments)
                    results.setdefault((window, server.label), []).append(one)
                    print(".", end="", flush=True, file=sys.stderr)
                shorten_log(server)
    print(" stall", file=sys.stderr)
    return stall_text(results, arguments), stall_goals(results), rows(results)


def stall_window(server, options, window, arguments):
    """One run of the load: `before` for a fixed time, `during` for as long as a snapshot takes."""
    server.ask("LATENCY", "RESET")
    with MemoryWatch(server) as memory:
        if window == "before":
            report = load(server, options + ["--warmup", 2, "--duration", arguments.stall_seconds], arguments.load_core)
            snapshot_seconds = None
        else:
            report, snapshot_seconds = load_during_snapshot(server, options, arguments.load_core)
    one = summary(report, "writes")
    fields = server.info("persistence")
    one["snapshot_seconds"] = snapshot_seconds
    one["rss_bytes"] = memory.peaks["VmRSS"]
    one["anonymous_bytes"] = memory.peaks["RssAnon"]
    # What a fork makes the kernel copy belongs to the child, which is not in this process's memory.
    one["copied_bytes"] = int(fields["rdb_last_cow_size"]) if window == "during" else 0
    one["latency_events"] = latency_events(server)
    one["persistence"] = {name: value for name, value in fields.items() if name.startswith(("wal_", "aof_delayed"))}
    return one


def load_during_snapshot(server, options, core):
    """The load's report of the time from BGSAVE to its end, and how many seconds that was."""
    warmup = 2
    command = load_command(server, options + ["--warmup", warmup, "--duration", SNAPSHOT_SECONDS_MAX, "--until-eof"], core)
    bench = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(warmup + 0.1)
    start = time.monotonic()
    server.ask("BGSAVE")
    server.wait_for_snapshot()
    seconds = time.monotonic() - start
    output, errors = bench.communicate(timeout=60)
    if bench.returncode != 0:
        fail(f"the load on {server.label} failed: {errors.strip()}")
    status = server.info("persistence")["rdb_last_bgsave_status"]
    if status != "ok":
        fail(f"BGSAVE of {server.label} ended with status {status}")
    return json.loads(output), seconds


def latency_events(server):
    """The longest milliseconds by event, as the server's own latency monitor has them."""
    lines = server.ask("LATENCY", "LATEST").splitlines()
    # An event is four elements: its name (a length line before it), when it was last, how long then, how long at most.
    names = [index for index, line in enumerate(lines) if index and lines[index - 1].startswith("$")]
    return {lines[index]: int(lines[index + 3].lstrip(":")) for index in names}


def stall_goals(results):
    goals = []
    ours = {window: results[window, "locksley"] for window in STALL_WINDOWS}
    value = ratio(ours["during"], ours["before"], "p99_us")
    goals.append(("p99 during BGSAVE, of before", "<= 1.50", f"{value:.2f}", value <= 1.5))
    more = max(one["rss_bytes"] - other["rss_bytes"] for one, other in zip(ours["during"], ours["before"])) / MIB
    goals.append(("peak RSS during BGSAVE, beyond before", "<= 64 MiB", f"{more:+.0f} MiB", more <= 64))
    events = [milliseconds for window in STALL_WINDOWS for one in ours[window] for milliseconds in stalls_of(one).values()]
    longest = max(events, default=0)
    measured = f"{longest} ms" if events else "none of 1 ms"
    goals.append(("longest stall by the log or a snapshot (LATENCY)", "<= 1 ms", measured, longest <= 1))
    return goals


def stalls_of(one):
    """The events that held a shard up: a sync is waited for by nobody under everysec."""
    return {name: longest for name, longest in one["latency_events"].items() if "fsync" not in name}


def stall_text(results, arguments):
    lines = [
        "## Stalls",
        "",
        f"{arguments.rate:,} SET a second (open loop), {arguments.entries:,} entries of 100 B + 1,024 B, {arguments.connections} connections, everysec; "
        f"medians of {arguments.rounds} interleaved rounds, of max the median and the most. All that a server does, redis-server's child "
        "too, runs on one core, the load on another. Memory is the peak in the window; copied: what redis-server's child made the kernel copy.",
        "",
        "| window | server | op/s | p50 us | p99 us | to before | p99.9 us | max ms | most ms | RSS MiB | copied MiB | BGSAVE s | longest events (ms) |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for (window, label), rounds in results.items():
        events = {}
        for one in rounds:
            for name, longest in one["latency_events"].items():
                events[name] = max(longest, events.get(name, 0))
        during = window == "during"
        cells = [window, label] + [f"{median(rounds, field):,.0f}" for field in ["rate", "p50_us", "p99_us"]]
        cells.append(f"{ratio(rounds, results['before', label], 'p99_us'):.2f}" if during else "")
        cells.append(f"{median(rounds, 'p99.9_us'):,.0f}")
        cells += [f"{median(rounds, 'max_us') / 1e3:.1f}", f"{max(one['max_us'] for one in rounds) / 1e3:.1f}"]
        cells += [f"{max(one[field] for one in rounds) / MIB:,.0f}" for field in ["rss_bytes", "copied_bytes"]]
        cells.append(f"{median(rounds, 'snapshot_seconds'):.1f}" if during else "")
        cells.append(", ".join(f"{name} {longest}" for name, longest in events.items()) or "none")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


MEASURES = {"everysec": measure_everysec, "always": measure_always, "stall": measure_stall, "restore": restore.measure_restore}
