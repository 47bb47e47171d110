// What an operator should know at once: the bounds of docs/alerts.yml, as they are at this moment, and what stands still.

import { byId, element, mark, say, show, sync } from "/console/dom.js";
import { age, percent, quantity, size, span, text } from "/console/format.js";
import { clientCount } from "/console/history.js";

const MINUTE_MS = 60_000;
/** A turn that takes so long is a stall. */
const STALL_MS = 1_000;
/** Milliseconds between two announcements. */
const QUIET_MS = 10_000;

/** `good`, `warning` or `critical`, by bounds that are to be passed downwards. */
export function hitRateState(rate) {
  return rate == null ? null : rate < 0.5 ? "critical" : rate < 0.8 ? "warning" : "good";
}

/** The same for a share that should stay small. */
export function fillState(share) {
  return share == null ? null : share > 0.95 ? "critical" : share > 0.8 ? "warning" : "good";
}

/** Whether a shard does not go on with its work. */
export function isStalled(shard) {
  return shard.is_silent || shard.turn_ms >= STALL_MS;
}

/** What is wrong, worst first: `{id, level, text}`. */
export function alerts(state, history) {
  const found = [];
  const say = (id, level, sentence) => found.push({ id, level, text: sentence });
  const { server, total, durability } = state;

  for (const shard of state.shards.filter(isStalled)) {
    const since = shard.turn_ms > 0 ? ` for ${age(shard.turn_ms)}` : "";
    say(`stalled-${shard.id}`, "critical", `Shard ${shard.id} has not answered${since}; its figures are those of before`);
  }
  if (durability.write_failure) say("write", "critical", `Writes are refused: ${durability.write_failure}`);
  if (!durability.is_last_snapshot_good) {
    say("snapshot", "critical", `The last snapshot failed: ${durability.last_snapshot_error || "see the log"}`);
  }

  const rate = history.hitRate(MINUTE_MS);
  const rateState = hitRateState(rate);
  if (rateState === "warning" || rateState === "critical") {
    const bound = rateState === "critical" ? 50 : 80;
    say("hit-rate", rateState, `Hit rate ${text(percent(rate))} over the last minute, below ${bound}\u202f%`);
  }
  const evictions = history.growth("evicted", MINUTE_MS);
  const perMinute = evictions.millis > 0 ? (evictions.count / evictions.millis) * MINUTE_MS : 0;
  if (perMinute > 1_000) say("evictions", "warning", `${text(quantity(perMinute))} evictions a minute, above 1,000`);

  if (server.memory_max_bytes > 0) {
    const share = total.memory_used / server.memory_max_bytes;
    const level = fillState(share);
    if (level !== "good") {
      say("memory", level, `Memory at ${text(percent(share))} of its limit, ${text(size(server.memory_max_bytes))}`);
    }
  }
  const p99 = history.now?.p99;
  if (p99 > 10e6) say("latency", "warning", `p99 of commands is ${text(span(p99))}, above 10\u202fms`);
  const clients = clientCount(total);
  if (clients > 0.8 * server.clients_max) {
    say("clients", "warning", `${clients} clients of at most ${server.clients_max}`);
  }
  const cpu = history.now?.cpu;
  if (cpu > 0.75) say("cpu", "warning", `Processors are ${text(percent(cpu))} busy, above 75\u202f%`);

  const weight = { critical: 0, warning: 1 };
  return found.sort((a, b) => weight[a.level] - weight[b.level]);
}

/** Lists the alerts, and tells who cannot see them when one comes or goes. */
export class Alerts {
  constructor(announce) {
    this.announce = announce;
    this.known = new Map();
    this.announcedAt = 0;
    this.list = byId("alerts");
  }

  draw(state, history) {
    const found = alerts(state, history);
    const make = () => element("li", "", element("strong"), " ", element("span"));
    sync(this.list, found, ({ id }) => id, make, (line, alert) => {
      mark(line, "data-level", alert.level);
      say(line.firstChild, alert.level === "critical" ? "Critical" : "Warning");
      say(line.lastChild, alert.text);
    });
    show(this.list, found.length > 0);
    // What comes and goes at a bound is not to be read out each time.
    if (state.at_ms - this.announcedAt < QUIET_MS) return;
    const fresh = found.filter(({ id, level }) => this.known.get(id) !== level);
    const over = [...this.known.keys()].filter((id) => !found.some((alert) => alert.id === id));
    if (fresh.length > 0) this.announce(fresh.map((alert) => `${alert.level}: ${alert.text}`).join(". "));
    else if (over.length > 0) this.announce(found.length > 0 ? "An alert is over" : "No alerts any more");
    if (fresh.length + over.length > 0) this.announcedAt = state.at_ms;
    this.known = new Map(found.map(({ id, level }) => [id, level]));
  }
}
