"""Server processes under measurement, the load on them, and what the kernel says of them.

Settings are given by name, the same for Locksley and redis-server, whose names Locksley has; memcached, nginx and the
stub take none. Unless a measurement asks for more, nothing is logged and no snapshot is taken, and Locksley is reached
by RESP alone.
"""

import contextlib
import copy
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASELINE = "redis-server"
NO_DURABILITY = {"appendonly": "no", "save": ""}
DOOR_FLAGS = {"memcached": "--memcached-port", "http": "--http-port"}
DEFAULT_DOORS = {"memcached": "memcached-text", "nginx": "http"}
# By protocol, what is sent to a server that starts, and how an answer begins.
GREETINGS = {
    "resp": (b"*1\r\n$4\r\nPING\r\n", b"+PONG"),
    "memcached": (b"version\r\n", b"VERSION"),
    "http": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 "),
}
# As Debian's nginx.conf has it, but for the log, the end of connections after 1,000 requests, and where files are.
NGINX_CONFIGURATION = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
worker_processes {workers};
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    gzip on;
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
    }}
}}
"""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Programs:
    """Where the programs of this repository are; of another build only the server counts, and may be named itself."""

    def __init__(self, folder, bench=None):
        self.locksley, self.bench, self.stub = (str(folder / name) for name in ["locksley-server", "locksley-bench", "examples/stub"])
        if folder.is_file():
            self.locksley = str(folder)
        self.bench = bench or self.bench

    def closed_doors(self):
        """Flags that keep a server from the well-known ports of other protocols; a build from before them knows none."""
        known = run([self.locksley, "--help"])
        return [word for flag in DOOR_FLAGS.values() if flag in known for word in [flag, "0"]]


def fail(message):
    sys.exit(f"bench-peers: {message}")


def run(command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def build():
    """Builds the programs."""
    packages = ["-p", "locksley-server", "-p", "locksley-bench"]
    subprocess.run(["cargo", "build", "--release", *packages, "--bins", "--example", "stub"], check=True, cwd=ROOT)
    metadata = json.loads(run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT))
    return Programs(pathlib.Path(metadata["target_directory"]) / "release")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A server process; with a data directory of its own unless it is given one.

    It is loaded through `door`, a protocol's name in the load generator; by default the only one that it has, or RESP.
    Locksley's other doors are closed unless `all_doors` is set. nginx gets `files`, contents by path.
    """

    def __init__(
        self, name, programs, cores, shards=1, label=None, settings=None, directory=None, door=None, all_doors=False, files=None
    ):
        self.name = name
        self.label = label or name
        self.programs = programs
        self.door = door or DEFAULT_DOORS.get(name, "resp2")
        self.has_all_doors = all_doors or self.protocol != "resp"
        self.ports = {protocol: free_port() for protocol in GREETINGS}
        self.port = self.ports[self.protocol]
        self.load_options = []
        self.worker_pid = None
        self.temporary = None
        if directory is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="bench-peers-")
            directory = self.temporary.name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        for path, content in (files or {}).items():
            file = self.directory / "files" / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self.log = tempfile.TemporaryFile("w+")
        command = ["taskset", "-c", cores] + self.command(shards, NO_DURABILITY | (settings or {}))
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd=self.directory)

    def command(self, shards, settings):
        port = str(self.port)
        place = ["--port", str(self.ports["resp"]), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        for setting, value in settings.items():
            place += [f"--{setting}", value]
        if self.name == "locksley":
            open_doors = [word for protocol, flag in DOOR_FLAGS.items() for word in [flag, str(self.ports[protocol])]]
            doors = open_doors if self.has_all_doors else self.programs.closed_doors()
            return [self.programs.locksley, *place, "--shards", str(shards), *doors]
        if self.name == "redis-server":
            return ["redis-server", *place]
        if self.name == "stub":
            return [self.programs.stub, port]
        is_root = os.geteuid() == 0
        if self.name == "nginx":
            user = "user root;" if is_root else ""
            text = NGINX_CONFIGURATION.format(user=user, directory=self.directory, workers=shards, port=port)
            (self.directory / "nginx.conf").write_text(text)
            return [find("nginx"), "-e", "stderr", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf")]
        user = ["-u", "root"] if is_root else []
        return ["memcached", "-p", port, "-U", "0", "-l", "127.0.0.1", "-t", str(shards), "-m", "8192", "-c", "4096"] + user

    def wait_until_it_serves(self, seconds_max=30, seconds_between=0.05):
        """Seconds from the start of the process to its first answer that is no refusal."""
        greeting, answer = GREETINGS[self.protocol]
        while time.monotonic() < self.started_at + seconds_max:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(greeting)
                if client.recv(64).startswith(answer):
                    self.find_worker()
                    return time.monotonic() - self.started_at
            time.sleep(seconds_between)
        self.fail("does not serve")

    def fail(self, what):
        self.log.seek(0)
        fail(f"{self.label} {what} (port {self.port}):\n{self.log.read()[-2000:]}")

    def find_worker(self):
        """Finds the process that does the work, where it is not the one that was started."""
        if self.name == "nginx":
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if len(children) != 1:
                self.fail(f"has {len(children)} workers in place of one")
            self.worker_pid = int(children[0])

    def view(self, label, load_options):
        """The same process under another name, to be loaded with options of its own."""
        view = copy.copy(self)
        view.label, view.load_options = label, load_options
        return view

    @property
    def pid(self):
        return self.worker_pid or self.process.pid

    @property
    def protocol(self):
        """What is spoken behind the door: resp, memcached or http."""
        return "resp" if self.door.startswith("resp") else self.door.partition("-")[0]

    def status_bytes(self, field):
        """A field of /proc/PID/status that is an amount of memory, as VmRSS."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        return 0

    def rss_bytes(self):
        return self.status_bytes("VmRSS")

    def cpu_seconds(self):
        """Processor time of the threads there are, to the nanosecond."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def cpu_seconds_in_all(self):
        """Processor time of all threads, those that ended included, to the tick of the kernel's clock: in all, in the kernel."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = (int(ticks) / TICKS_PER_SECOND for ticks in fields[11:13])
        return user + system, system

    def ask(self, *words):
        """The reply to one command, as text; of an array only the lines."""
        try:
            client = socket.create_connection(("127.0.0.1", self.port), timeout=600)
        except OSError as error:
            self.fail(f"is not there any more: {error}")
        with client:
            request = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(word).encode() for word in words))
            # QUIT's reply comes last, so nothing needs to be parsed to know where the other one ends.
            client.sendall(b"*%d\r\n%s*1\r\n$4\r\nQUIT\r\n" % (len(words), request))
            reply = b""
            while not reply.endswith(b"+OK\r\n") and (chunk := client.recv(65536)):
                reply += chunk
        reply = reply.removesuffix(b"+OK\r\n").decode(errors="replace")
        if reply.startswith("-"):
            fail(f"{self.label} answers {' '.join(map(str, words))} with {reply.strip()}")
        return reply

    def info(self, section):
        """The fields of a section of INFO."""
        lines = (line.partition(":") for line in self.ask("INFO", section).splitlines())
        return {name: value for name, colon, value in lines if colon}

    def wait_for_snapshot(self):
        """Waits until neither a snapshot nor a rewrite of the log is under way."""
        while True:
            fields = self.info("persistence")
            names = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]
            if all(fields[name] == "0" for name in names):
                return
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.temporary:
            self.temporary.cleanup()


@contextlib.contextmanager
def serving(name, programs, cores, **options):
    """A server that answers, stopped at the end."""
    server = Server(name, programs, cores, **options)
    try:
        server.wait_until_it_serves()
        yield server
    finally:
        server.stop()


def load_command(server, options, core):
    command = ["taskset", "-c", core, server.programs.bench, "--port", str(server.port), "--server-pid", str(server.pid)]
    if "--protocol" not in options:
        command += ["--protocol", server.door]
    return command + ["--quiet", "--json"] + [str(option) for option in [*options, *server.load_options]]


def load(server, options, core):
    """One run of the load generator, as its JSON report."""
    done = subprocess.run(load_command(server, options, core), text=True, capture_output=True)
    if done.returncode != 0:
        fail(f"the load on {server.label} failed: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout) if done.stdout else {}


def summary(report, kind):
    """What counts of a report of the load generator; `kind` tells which latencies."""
    return {
        "cpu_us": report["server_us_per_operation"],
        "rate": report["operations_per_second"],
        "p50_us": report[kind]["percentiles_us"]["p50"],
        "p99_us": report[kind]["percentiles_us"]["p99"],
        "p99.9_us": report[kind]["percentiles_us"]["p99.9"],
        "max_us": report[kind]["max_us"],
        "server_cores": report["server_cores"],
        "client_cores": report["client_cores"],
        "hits": report["hits"],
        "misses": report["misses"],
        "refused": report["refused"],
    }


def measure(running, loads, common, core, arguments, results, after=lambda server: None):
    """Interleaved rounds of every load on every server; `after` tidies up behind each, outside the measurement."""
    for name, options, kind in loads:
        for number in range(arguments.rounds):
            # Every other round goes the other way, so that no server always follows the same one.
            for server in running if number % 2 == 0 else reversed(running):
                timing = ["--duration", arguments.seconds, "--warmup", 0.5, "--connections", arguments.connections]
                report = load(server, options + common + timing, core)
                results.setdefault((name, server.label), []).append(summary(report, kind))
                after(server)
                print(".", end="", flush=True, file=sys.stderr)
        print(f" {name}", file=sys.stderr)


def median(rounds, field):
    return statistics.median(one[field] for one in rounds)


def ratio(rounds, baseline, field):
    """The median of the rounds' ratios."""
    return statistics.median(one[field] / other[field] for one, other in zip(rounds, baseline))


def rows(results):
    """Results as the JSON file has them."""
    return [{"load": name, "server": label, "rounds": rounds} for (name, label), rounds in results.items()]


def table(results, baseline):
    lines = [
        "| load | server | CPU us/op | ratio | op/s | ratio | p50 us | ratio | p99 us | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, label), rounds in results.items():
        other = results.get((name, baseline))
        cells = [name, label]
        for field, form in [("cpu_us", "{:.3f}"), ("rate", "{:,.0f}"), ("p50_us", "{:,.0f}"), ("p99_us", "{:,.0f}")]:
            cells.append(form.format(median(rounds, field)))
            cells.append(f"{ratio(rounds, other, field):.2f}" if other else "")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def find(name):
    """The path of a program, which may lie where only root's PATH leads."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def require(names, option="--servers"):
    """Ends the program when a server of another project is not installed."""
    for name in names:
        if name not in ("locksley", "stub") and not find(name):
            fail(f"{name} is not installed (apt-get install {name}), or leave it out with {option}")


def versions(programs, names):
    commands = {
        "locksley": [programs.locksley, "--version"],
        "redis-server": ["redis-server", "--version"],
        "memcached": ["memcached", "-V"],
        # It says so on its standard error.
        "nginx": ["sh", "-c", f"{find('nginx')} -v 2>&1"],
    }
    found = {name: run(commands[name]).strip().split(" sha")[0] for name in names if name in commands}
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        found["commit"] = run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]).strip()
    return found


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}"


def introduction(programs, names, busy):
    """The line that says where the figures come from."""
    line = f"{machine()}. " + "; ".join(versions(programs, names).values()) + "."
    if busy > 1:
        line += f" Other work was running (load {busy:.0f}): trust ratios, not times."
    return line


def write(folder, name, text, document):
    """Prints a result and writes it as NAME.md and NAME.json."""
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
