"""What the doors cost: memcached beside memcached, REST beside nginx, and RESP beside itself without them.

The parts, each with all of its servers in the same rounds:

memcached    GET of 32 B by memcached's text commands, at pipeline 1 and 16, of one thread each: processor time an
             operation against memcached; also SET, and the meta commands. Then two threads each, on two cores that they
             share with the load: throughput.
rest         GET of 1 KiB over connections that stay open, pipeline 1: processor time a request against nginx with one
             worker, which serves a file as Debian's settings have it (sendfile, no open_file_cache), but logs nothing
             and never ends a connection. Both are asked for the same path; Locksley also for 100,000 different keys.
resp         GET and SET at pipeline 1, 16 and 64, with all doors open, against an earlier build (`--before`).
leases       GETL of values that are there against GET of the same, at the same pipelines, of one server.
"""

import contextlib
import datetime
import os
import sys

from .process import (
    Programs, fail, introduction, load, machine, measure, ratio, require, rows, serving, table, versions, write
)

# Each with the server of another project that it needs, if it does.
PARTS = {"memcached": "memcached", "rest": "nginx", "resp": None, "leases": None}
REST_KEYS = 100_000
REST_VALUE_BYTES = 1024
# The first key of the load generator: nginx has a file of this path, Locksley an entry.
REST_PATH = "/cache/key:000000000000"

MEMCACHED_LOADS = [
    (f"{protocol} {name} pipeline {pipeline}", ["--protocol", protocol, "--ratio", share, "--pipeline", pipeline, "--value-size", 32], kind)
    for protocol, name, share, kind in [
        ("memcached-text", "GET", "0:1", "reads"),
        ("memcached-text", "SET", "1:0", "writes"),
        ("memcached-meta", "GET", "0:1", "reads"),
    ]
    for pipeline in [1, 16]
]
MEMCACHED_GOALS = {"memcached-text GET pipeline 1": 0.80, "memcached-text GET pipeline 16": 0.25}
RESP_LOADS = [
    (f"RESP {name} pipeline {pipeline}", ["--ratio", share, "--pipeline", pipeline, "--value-size", 32], kind)
    for name, share, kind in [("GET", "0:1", "reads"), ("SET", "1:0", "writes")]
    for pipeline in [1, 16, 64]
]
REST_GOAL, RESP_GOAL, LEASES_GOAL = 1.00, 1.02, 1.10


def add_arguments(parser):
    group = parser.add_argument_group("doors", "with --rounds, --seconds, --connections, --keys and --before as above")
    either = group.add_mutually_exclusive_group()
    either.add_argument("--doors", action="store_true", help="measure memcached and REST, and RESP against --before, alone")
    either.add_argument("--no-doors", action="store_true", help="leave that out of the whole run")
    group.add_argument("--door-parts", default=",".join(PARTS), help="which parts [all; resp needs --before]")


def chosen_parts(arguments):
    """The parts that were asked for, of those that can be measured; ends the program when one is unknown."""
    parts = arguments.door_parts.split(",")
    for part in parts:
        if part not in PARTS:
            fail(f"--door-parts: '{part}' is none of {', '.join(PARTS)}")
    if "resp" in parts and not arguments.before:
        print("without --before, RESP is not compared with what it was", file=sys.stderr)
        parts.remove("resp")
    require(peers_of(parts), "--door-parts")
    return [part for part in PARTS if part in parts]


def peers_of(parts):
    return [PARTS[part] for part in parts if PARTS[part]]


def report(programs, parts, arguments):
    """Measures the parts and writes the result."""
    busy = os.getloadavg()[0]
    date = datetime.date.today().isoformat()
    names = ["locksley", *peers_of(parts)]
    text, document = measure_parts(programs, parts, arguments)
    head = [f"# The doors beside their peers, {date}", "", introduction(programs, names, busy), ""]
    facts = {"date": date, "machine": machine(), "versions": versions(programs, names), "load_average": busy}
    name = "doors" if parts == list(PARTS) else "-".join(parts)
    write(arguments.output, f"{date}-{name}", "\n".join(head + text) + "\n", facts | document)


def measure_parts(programs, parts, arguments):
    """A table of goals with a section for each part, and all of it as a document."""
    goals, sections, document = [], [], {}
    for part in parts:
        text, reached, results = MEASURES[part](programs, arguments)
        check_answers(results)
        sections += ["", *text]
        goals += reached
        document[part] = rows(results)
    document["goals"] = [dict(zip(["figure", "goal", "measured", "reached"], goal)) for goal in goals]
    lines = ["| figure | goal | measured | reached |", "|---|---:|---:|---|"]
    lines += [f"| {figure} | <= {goal:.2f} | {measured:.3f} | {'yes' if reached else 'NO'} |" for figure, goal, measured, reached in goals]
    return lines + sections, document


def check_answers(results):
    """Ends the program when a server did something else than it was measured for."""
    for (name, label), rounds in results.items():
        for one in rounds:
            if one["misses"] or one["refused"]:
                fail(f"{label} had {one['misses']} misses and refused {one['refused']} requests of {name}")


def goal(figure, most, measured):
    return figure, most, measured, measured <= most


def measure_memcached(programs, arguments):
    names = ["locksley", "memcached"]
    common, core = ["--keys", arguments.keys], arguments.load_core
    results, shared = {}, {}
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(serving(name, programs, arguments.server_core, door="memcached-text")) for name in names]
        fill(running, common + ["--value-size", 32], core)
        measure(running, MEMCACHED_LOADS, common, core, arguments, results)
    with contextlib.ExitStack() as stack:
        options = {"door": "memcached-text", "shards": 2}
        running = [stack.enter_context(serving(name, programs, "0,1", **options)) for name in names]
        fill(running, common + ["--value-size", 32], "0,1")
        loads = [
            (f"two threads, {name}", options + ["--threads", 2], kind) for name, options, kind in MEMCACHED_LOADS if name in MEMCACHED_GOALS
        ]
        measure(running, loads, common, "0,1", arguments, shared)
    goals = [
        goal(f"{name}: server CPU an op, of memcached", most, ratio(results[name, "locksley"], results[name, "memcached"], "cpu_us"))
        for name, most in MEMCACHED_GOALS.items()
    ]
    sentence = f"{small_values(arguments)}, one thread a server. Ratios to memcached in the same round."
    text = [
        *section("memcached", arguments, sentence, results, "memcached"),
        "",
        "Two threads a server, on two cores that they share with the load:",
        "",
        *table(shared, "memcached"),
    ]
    return text, goals, results | shared


def measure_rest(programs, arguments):
    core = arguments.load_core
    results = {}
    get = ["--ratio", "0:1", "--pipeline", 1, "--value-size", REST_VALUE_BYTES]
    name, path = "REST GET 1 KiB pipeline 1", ["--http-path", REST_PATH]
    with contextlib.ExitStack() as stack:
        locksley = stack.enter_context(serving("locksley", programs, arguments.server_core, door="http"))
        files = {REST_PATH: b"x" * REST_VALUE_BYTES}
        nginx = stack.enter_context(serving("nginx", programs, arguments.server_core, files=files))
        fill([locksley], ["--keys", REST_KEYS, "--value-size", REST_VALUE_BYTES], core)
        many_keys = locksley.view(f"locksley, {REST_KEYS:,} keys", [])
        views = [locksley.view("locksley", path), nginx.view("nginx", path), many_keys]
        measure(views, [(name, get, "reads")], ["--keys", REST_KEYS], core, arguments, results)
    goals = [
        goal(f"REST GET 1 KiB, {what}: server CPU a request, of nginx", REST_GOAL, ratio(results[name, label], results[name, "nginx"], "cpu_us"))
        for what, label in [("same path", "locksley"), (f"{REST_KEYS:,} keys", many_keys.label)]
    ]
    sentence = (
        f"GET of {REST_VALUE_BYTES:,} B with keep-alive; nginx has one worker and one file, and what of it counts is the worker. "
        "Ratios to nginx in the same round."
    )
    return section("REST", arguments, sentence, results, "nginx"), goals, results


def measure_resp(programs, arguments):
    common, core = ["--keys", arguments.keys], arguments.load_core
    before = Programs(arguments.before, bench=programs.bench)
    results = {}
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(serving("locksley", programs, arguments.server_core, all_doors=True)),
            stack.enter_context(serving("locksley", before, arguments.server_core, label="locksley before")),
        ]
        fill(running, common + ["--value-size", 32], core)
        measure(running, RESP_LOADS, common, core, arguments, results)
    goals = [
        goal(f"{name}: server CPU an op, of before", RESP_GOAL, ratio(results[name, "locksley"], results[name, "locksley before"], "cpu_us"))
        for name, _, _ in RESP_LOADS
    ]
    sentence = f"{small_values(arguments)}, one thread a server. Ratios to the build before in the same round."
    return section("RESP", arguments, sentence, results, "locksley before"), goals, results


def measure_leases(programs, arguments):
    common, core = ["--keys", arguments.keys], arguments.load_core
    loads = [(name.replace("RESP GET", "a hit,"), options, kind) for name, options, kind in RESP_LOADS if "GET" in name]
    results = {}
    with contextlib.ExitStack() as stack:
        locksley = stack.enter_context(serving("locksley", programs, arguments.server_core, all_doors=True))
        fill([locksley], common + ["--value-size", 32], core)
        views = [locksley.view("GETL", ["--read-command", "getl"]), locksley.view("GET", [])]
        measure(views, loads, common, core, arguments, results)
    goals = [
        goal(f"{name}: server CPU of GETL, of GET", LEASES_GOAL, ratio(results[name, "GETL"], results[name, "GET"], "cpu_us"))
        for name, _, _ in loads
    ]
    sentence = f"{small_values(arguments)}, one thread. Ratios to GET in the same round."
    return section("Leases", arguments, sentence, results, "GET"), goals, results


def fill(running, shape, core):
    for server in running:
        load(server, shape + ["--fill", "--requests", 0], core)


def section(title, arguments, sentence, results, baseline):
    return [f"## {title}", "", f"{setting_of(arguments)} {sentence}", "", *table(results, baseline)]


def small_values(arguments):
    return f"{arguments.keys:,} keys of 16 B, values of 32 B"


def setting_of(arguments):
    return (
        f"{arguments.connections} connections; servers on one core, load on another; medians of {arguments.rounds} interleaved rounds of "
        f"{arguments.seconds:g} s."
    )


MEASURES = {"memcached": measure_memcached, "rest": measure_rest, "resp": measure_resp, "leases": measure_leases}
