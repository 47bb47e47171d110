// Servers and load for the tests: started on free ports, in directories of their own, and gone with their test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const SERVER = process.env.LOCKSLEY_SERVER;
assert.ok(SERVER, "LOCKSLEY_SERVER names the server to be tested");
const BENCH = join(dirname(SERVER), "locksley-bench");

/** Waits until `look` comes to something that counts, and returns that; fails after a while, with `what` was waited for. */
export async function until(what, look, millis = 30_000) {
  const end = Date.now() + millis;
  let last;
  for (;;) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited in vain for ${what}: ${last}`, { cause: last });
    await sleep(50);
  }
}

async function freePort() {
  const holder = net.createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address();
  holder.close();
  await once(holder, "close");
  return port;
}

/** One server; `options` are settings, as on the command line. */
export class Server {
  static async start(options = {}) {
    const server = new Server();
    server.directory = await mkdtemp(join(tmpdir(), "locksley-console-"));
    const [port, memcachedPort, httpPort] = [await freePort(), await freePort(), await freePort()];
    Object.assign(server, { port, httpPort, password: options.requirepass });
    server.settings = {
      port,
      "memcached-port": memcachedPort,
      "http-port": httpPort,
      dir: server.directory,
      "wal-segment-size": "1mb",
      "enable-debug-command": "yes",
      ...options,
    };
    await server.run();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.httpPort}/`;
  }

  /** Starts the process, once more after a `stop`. */
  async run() {
    const args = Object.entries(this.settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.output = "";
    this.process = spawn(SERVER, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (data) => (this.output += data));
    await until("a server", async () => {
      assert.equal(this.process.exitCode, null, this.output);
      return (await fetch(new URL("/readyz", this.url))).ok;
    });
  }

  /** Ends the process, and waits for that. */
  async stop() {
    this.process.kill("SIGTERM");
    if (this.process.exitCode == null && this.process.signalCode == null) await once(this.process, "exit");
  }

  async end() {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A connection that speaks RESP. */
  async connect() {
    const resp = new Resp(net.connect(this.port, "127.0.0.1"));
    if (this.password) await resp.call("AUTH", this.password);
    return resp;
  }

  /** Runs one command on a connection of its own. */
  async call(...words) {
    const resp = await this.connect();
    try {
      return await resp.call(...words);
    } finally {
      resp.end();
    }
  }

  /** The fields of INFO. */
  async info() {
    const lines = (await this.call("INFO", "everything")).split("\r\n");
    return Object.fromEntries(lines.filter((line) => line.includes(":")).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    }));
  }

  /** Stores each of some keys once. */
  async fill({ keys, ...options }) {
    const all = { port: this.port, keys, distribution: "sequential", ratio: "1:0", requests: keys, connections: 4, pipeline: 16, ...options };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const bench = spawn(BENCH, [...args, "--quiet"], { stdio: "ignore" });
    const [status] = await once(bench, "exit");
    assert.equal(status, 0, "the keys were stored");
  }

  /** Puts the server under load until `end` of what is returned is called. */
  load(options = {}) {
    const all = {
      port: this.port,
      connections: 8,
      keys: 20_000,
      "value-size": "lognormal:200:0.7",
      distribution: "zipf:0.99",
      ratio: "1:4",
      rate: 4_000,
      duration: 3_600,
      ...(this.password ? { password: this.password } : {}),
      ...options,
    };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const bench = spawn(BENCH, [...args, "--quiet"], { stdio: "ignore" });
    return {
      async end() {
        bench.kill("SIGKILL");
        if (bench.exitCode == null && bench.signalCode == null) await once(bench, "exit");
      },
    };
  }
}

/** A client of RESP2, as small as one can be: one command at a time. */
class Resp {
  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.waiting = null;
    socket.on("data", (data) => {
      this.bytes = Buffer.concat([this.bytes, data]);
      const reply = parse(this.bytes, 0);
      if (!reply || !this.waiting) return;
      this.bytes = this.bytes.subarray(reply.end);
      const { resolve, reject } = this.waiting;
      this.waiting = null;
      if (reply.value instanceof Error) reject(reply.value);
      else resolve(reply.value);
    });
    socket.on("error", (error) => this.waiting?.reject(error));
  }

  call(...words) {
    const parts = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    this.socket.write(`*${parts.length}\r\n`);
    for (const part of parts) this.socket.write(Buffer.concat([Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]));
    return new Promise((resolve, reject) => (this.waiting = { resolve, reject }));
  }

  end() {
    this.socket.destroy();
  }
}

/** The reply that begins at `start`, and where it ends; nothing if it is not all there. */
function parse(bytes, start) {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd < 0) return null;
  const [kind, line] = [String.fromCharCode(bytes[start]), bytes.toString("utf8", start + 1, lineEnd)];
  let end = lineEnd + 2;
  if (kind === "+") return { value: line, end };
  if (kind === "-") return { value: new Error(line), end };
  if (kind === ":") return { value: Number(line), end };
  const count = Number(line);
  if (count < 0) return { value: null, end };
  if (kind === "$") {
    if (bytes.length < end + count + 2) return null;
    return { value: bytes.toString("utf8", end, end + count), end: end + count + 2 };
  }
  const value = [];
  while (value.length < count) {
    const element = parse(bytes, end);
    if (!element) return null;
    value.push(element.value);
    end = element.end;
  }
  return { value, end };
}
