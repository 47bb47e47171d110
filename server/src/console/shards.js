// The shards, a row each: what each does, and whether it does it.

import { isStalled } from "/console/alerts.js";
import { Spark } from "/console/charts.js";
import { byId, element, mark, row, say, shape, sync } from "/console/dom.js";
import { age, percent, quantity, size, span, text, whole } from "/console/format.js";
import { clientCount } from "/console/history.js";

const SPARK_MS = 60_000;

export class Shards {
  constructor() {
    this.body = byId("shards");
  }

  draw(state, history) {
    const stalled = state.shards.filter(isStalled).length;
    const count = state.shards.length;
    say(byId("shards-aside"), stalled > 0 ? `${stalled} of ${count} stalled` : `${count}, each a thread of its own`);
    sync(this.body, state.shards, ({ id }) => id, (shard) => this.make(shard), (line, shard) => {
      this.update(line, shard, history);
    });
  }

  make() {
    const line = row(this.body);
    const [id, state, ops, times, busy] = line.cells;
    id.replaceWith(Object.assign(element("th"), { scope: "row" }));
    state.append(element("span", "pill"));
    for (const cell of [ops, times]) {
      const svg = shape("svg", { class: "spark", "aria-hidden": "true" });
      cell.append(element("div", "with-spark", element("span", "numbers"), svg));
      (line.sparks ??= []).push(new Spark(svg));
    }
    busy.append(element("div", "with-bar", element("span", "bar-small", element("span", "bar-fill")), element("span", "numbers")));
    busy.querySelector(".bar-small").setAttribute("aria-hidden", "true");
    return line;
  }

  update(line, shard, history) {
    const [id, state, ops, times, busy, hits, keys, memory, clients] = line.cells;
    const now = history.now.shards[shard.id] ?? {};
    const isStill = isStalled(shard);
    mark(line, "data-level", isStill ? "critical" : "good");
    say(id, String(shard.id));
    say(state.firstChild, isStill ? `stalled ${shard.turn_ms > 0 ? age(shard.turn_ms) : ""}`.trim() : "running");
    say(ops.querySelector(".numbers"), isStill ? "\u2013" : text(quantity(now.ops, "/s")));
    const both = `${text(span(now.p50))} \u00b7 ${text(span(now.p99))}`;
    say(times.querySelector(".numbers"), now.p99 == null ? "\u2013" : both);
    const ofShard = (name) => history.points.map((point) => [point.at, point.shards[shard.id]?.[name] ?? null]);
    line.sparks[0].draw([ofShard("ops")], history.now.at, { millis: SPARK_MS, floor: 10 });
    line.sparks[1].draw([ofShard("p99"), ofShard("p50")], history.now.at, { millis: SPARK_MS, floor: 10_000 });
    busy.querySelector(".bar-fill").style.inlineSize = `${100 * Math.min(1, now.busy ?? 0)}%`;
    say(busy.querySelector(".numbers"), text(percent(now.busy)));
    const reads = shard.hits + shard.misses;
    say(hits, text(percent(now.hitRate ?? (reads > 0 ? shard.hits / reads : null))));
    say(keys, whole(shard.keys));
    say(memory, text(size(shard.memory_used)));
    say(clients, shard.calls == null ? "\u2013" : whole(clientCount(shard)));
  }
}
