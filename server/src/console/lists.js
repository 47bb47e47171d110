// The tables: hot keys, commands, slow commands, clients.

import { byId, element, explain, mark, row, say, sync } from "/console/dom.js";
import { age, clock, quantity, size, span, text, whole } from "/console/format.js";

/** Bytes as they may be in a state: text, or base64. */
function bytesOf({ key, key_encoding: encoding }) {
  if (encoding === "base64") return Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0));
  return new TextEncoder().encode(key);
}

/** A key as people read it: what is not text, escaped. */
function shown(entry) {
  if (entry.key_encoding !== "base64") {
    return entry.key.replace(/[\u0000-\u001f\u007f]/g, (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`);
  }
  const letters = [...bytesOf(entry)].map((byte) =>
    byte > 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`);
  return letters.join("");
}

export class HotKeys {
  /** `lookUp` is called with the bytes and the database of a key that is chosen. */
  constructor(lookUp) {
    this.body = byId("hot");
    this.lookUp = lookUp;
  }

  draw(state) {
    const keys = state.hot_keys ?? [];
    const most = Math.max(1, ...keys.map((entry) => entry.requests_per_second));
    say(byId("hot-aside"), keys.length > 0 ? "choose one to look it up" : "");
    sync(this.body, keys, (entry) => `${entry.db} ${entry.key_encoding ?? ""} ${entry.key}`, (entry) => this.make(entry), (line, entry) => {
      const [, db, shard, requests, bytes] = line.cells;
      line.style.setProperty("--share", entry.requests_per_second / most);
      say(db, String(entry.db));
      say(shard, String(entry.shard));
      say(requests, text(quantity(entry.requests_per_second)));
      say(bytes, text(size(entry.bytes_per_second)));
    });
    explain(this.body, keys.length > 0 ? null : "No key is used much at the moment.");
  }

  make(entry) {
    const line = row(this.body);
    const button = element("button", "key-link", shown(entry));
    button.type = "button";
    button.title = shown(entry);
    button.addEventListener("click", () => this.lookUp(bytesOf(entry), entry.db, shown(entry)));
    line.cells[0].append(button);
    mark(line, "class", "barred");
    return line;
  }
}

export class Commands {
  constructor() {
    this.body = byId("commands");
  }

  draw(state, history) {
    const older = history.before(2_900);
    const seconds = (state.at_ms - older.at_ms) / 1000;
    const commands = state.commands.filter((command) => command.calls > 0).map((command) => ({
      ...command,
      rate: seconds > 0 ? Math.max(0, command.calls - (older.calls.get(command.name) ?? 0)) / seconds : 0,
    }));
    commands.sort((a, b) => b.calls - a.calls);
    const body = this.body;
    sync(body, commands.slice(0, 12), ({ name }) => name, () => row(body), (line, command) => {
      const [name, rate, calls, p50, p99, failed] = line.cells;
      say(name, command.name.replace("|", " "));
      say(rate, text(quantity(command.rate)));
      say(calls, whole(command.calls));
      say(p50, text(span(command.p50_micros * 1000)));
      say(p99, text(span(command.p99_micros * 1000)));
      say(failed, whole(command.failed + command.rejected));
    });
    explain(body, commands.length > 0 ? null : "No command has run yet.");
  }
}

export class SlowLog {
  constructor() {
    this.body = byId("slow");
  }

  draw(state) {
    const entries = state.slow_log;
    const body = this.body;
    say(byId("slow-aside"), entries.length > 0 ? `the newest ${entries.length}` : "");
    sync(body, entries, ({ id }) => id, () => row(body), (line, entry) => {
      const [took, when, command, client] = line.cells;
      say(took, text(span(entry.micros * 1000)));
      say(when, clock(entry.at_ms));
      say(command, entry.command);
      mark(command, "title", entry.command);
      say(client, entry.name || entry.address || "\u2013");
    });
    explain(body, entries.length > 0 ? null : "No command was slow.");
  }
}

export class Clients {
  constructor() {
    this.body = byId("clients");
  }

  draw(state) {
    const clients = state.clients;
    const body = this.body;
    const count = state.total.clients;
    say(byId("clients-aside"), count > clients.length ? `${clients.length} of ${whole(count)}, those active last` : "");
    sync(body, clients, ({ id }) => id, () => this.make(), (line, client) => {
      const [who, door, command, idle, old, received, sent] = line.cells;
      say(who.firstChild, client.name || client.address);
      say(who.lastChild, [client.name && client.address, client.library].filter(Boolean).join(" \u00b7 "));
      mark(who, "title", `${client.address} on shard ${client.shard}`);
      say(door, client.door);
      say(command, client.command.replace("|", " "));
      say(idle, age(client.idle_ms));
      say(old, age(client.age_ms));
      say(received, text(size(client.received_bytes)));
      say(sent, text(size(client.sent_bytes)));
    });
    explain(body, clients.length > 0 ? null : "Nobody is connected.");
  }

  make() {
    const line = row(this.body);
    line.cells[0].append(element("span", "who"), element("span", "who-note"));
    return line;
  }
}
