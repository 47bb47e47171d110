// The key figures at the top of the page, and the charts of the last minutes.

import { fillState, hitRateState } from "/console/alerts.js";
import { Spark, TimeChart } from "/console/charts.js";
import { byId, element, mark, say, show, sync } from "/console/dom.js";
import { clock, percent, quantity, size, span, text, whole } from "/console/format.js";

const SPARK_MS = 60_000;

/** One figure: a reading, a line or a gauge, a note. */
class Figure {
  constructor(id) {
    const root = byId(id);
    const find = (name) => root.querySelector(name);
    [this.value, this.unit, this.state] = [find(".value"), find(".unit"), find(".state")];
    [this.note, this.fill] = [find(".note"), find(".gauge-fill")];
    this.root = root;
    this.spark = find(".spark") && new Spark(find(".spark"));
  }

  read([digits, unit], note) {
    say(this.value, digits);
    say(this.unit, unit);
    say(this.note, note);
  }

  /** Shows a share of one on the gauge, with its state in words. */
  gauge(share, state) {
    this.fill.style.inlineSize = `${100 * Math.min(1, share ?? 0)}%`;
    mark(this.root, "data-level", state);
    say(this.state, state && state !== "good" ? state : "");
  }
}

export class Figures {
  constructor() {
    const names = ["ops", "hits", "latency", "memory", "evictions", "clients"];
    for (const name of names) this[name] = new Figure(`figure-${name}`);
  }

  draw(state, history) {
    const { server, total } = state;
    const { now, points } = history;
    const line = (name) => points.map((point) => [point.at, point[name]]);
    const spark = (figure, name, floor) => figure.spark.draw([line(name)], now.at, { millis: SPARK_MS, floor });

    this.ops.read(quantity(now.ops, "/s"), `${whole(total.calls)} since the start`);
    spark(this.ops, "ops", 10);

    const rate = history.hitRate(SPARK_MS);
    const reads = total.hits + total.misses;
    this.hits.read(percent(rate), reads > 0 ? `${text(percent(total.hits / reads))} since the start` : "no reads yet");
    this.hits.gauge(rate, hitRateState(rate));

    this.latency.read(span(now.p99), `p50 ${text(span(now.p50))}`);
    mark(this.latency.root, "data-level", now.p99 > 10e6 ? "warning" : "good");
    spark(this.latency, "p99", 10_000);

    const limit = server.memory_max_bytes;
    const share = limit > 0 ? total.memory_used / limit : null;
    const of = limit > 0 ? `${text(percent(share))} of ${text(size(limit))}` : "no limit";
    this.memory.read(size(total.memory_used), of);
    this.memory.gauge(share ?? total.memory_used / server.machine_memory_bytes, share == null ? null : fillState(share));

    const evictions = history.growth("evicted", SPARK_MS);
    const perMinute = evictions.millis > 0 ? (evictions.count * 60_000) / evictions.millis : 0;
    this.evictions.read(quantity(perMinute, "/min"), `${whole(total.expired)} expired since the start`);
    mark(this.evictions.root, "data-level", perMinute > 1_000 ? "warning" : "good");
    spark(this.evictions, "evicted", 2);

    const cpu = now.cpu == null ? "" : `processors ${text(percent(now.cpu))} busy`;
    this.clients.read([whole(now.clients), ""], cpu);
    mark(this.clients.root, "data-level", now.clients > 0.8 * server.clients_max ? "warning" : "good");
    spark(this.clients, "clients", 4);
  }
}

/** Operations and times over the last minutes. */
export class TimeCharts {
  constructor() {
    const amount = (value) => text(quantity(value));
    this.throughput = new TimeChart(byId("throughput"), { label: amount, classes: ["line-strong"] });
    const time = (nanos) => text(span(nanos)).replace(".00", "");
    const latency = { label: time, isLogarithmic: true, classes: ["line-strong", "line-soft"] };
    this.latency = new TimeChart(byId("latency"), latency);
    this.stages = ["queue", "execute", "log", "send"];
    this.describedAt = 0;
  }

  draw(state, history) {
    const { now, points } = history;
    const line = (name) => points.map((point) => [point.at, point[name]]);
    this.throughput.draw([line("ops")], now.at, history.window, (index) => {
      const point = points[index];
      return `${whole(point.ops)} a second at ${clock(point.at)}`;
    });
    this.latency.draw([line("p99"), line("p50")], now.at, history.window, (index) => {
      const point = points[index];
      return `p50 ${text(span(point.p50))}, p99 ${text(span(point.p99))} at ${clock(point.at)}`;
    });
    const network = `${text(size(now.received, "/s"))} in \u00b7 ${text(size(now.sent, "/s"))} out`;
    say(byId("throughput-aside"), now.received == null ? "" : network);
    this.split(history);
    // A reader who is at a chart is not to be told of each half second.
    if (now.at - this.describedAt < 5_000) return;
    this.describedAt = now.at;
    const known = points.map((point) => point.ops).filter((ops) => ops != null);
    const extremes = known.length > 0 ? `, least ${whole(Math.min(...known))}, most ${whole(Math.max(...known))}` : "";
    mark(byId("throughput"), "aria-label", `Operations a second over five minutes: now ${whole(now.ops)}${extremes}`);
    const times = `p50 ${text(span(now.p50))}, p99 ${text(span(now.p99))}`;
    mark(byId("latency"), "aria-label", `Time of a command over five minutes: now ${times}`);
  }

  /** Where the time of a request went of late, on average. */
  split(history) {
    const [older, newer] = [history.before(10_000), history.last];
    show(byId("stages"), Boolean(newer.stages));
    if (!newer.stages) return;
    const parts = this.stages.map((name) => {
      const count = newer.stages[name].count - (older.stages?.[name].count ?? 0);
      const nanos = newer.stages[name].nanos - (older.stages?.[name].nanos ?? 0);
      return { name, mean: count > 0 ? nanos / count : 0 };
    });
    const sum = parts.reduce((total, part) => total + part.mean, 0);
    const bar = byId("stage-bar");
    sync(bar, parts, ({ name }) => name, ({ name }) => element("span", `stage stage-${name}`), (node, part) => {
      node.style.flexGrow = sum > 0 ? part.mean / sum : 0;
    });
    const key = ({ name }) => element("li", `stage-key stage-key-${name}`, element("span"), " ", element("b"));
    sync(byId("stage-keys"), parts, ({ name }) => name, key, (node, part) => {
      say(node.firstChild, part.name);
      say(node.lastChild, sum > 0 ? text(span(part.mean)) : "\u2013");
    });
    if (newer.at_ms - this.describedAt < 5_000) return;
    const sentence = parts.map((part) => `${part.name} ${text(span(part.mean))}`).join(", ");
    mark(bar, "aria-label", `Where the time of a request goes, on average: ${sentence}`);
  }
}
