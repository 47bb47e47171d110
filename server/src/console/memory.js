// Where the memory is, and what hit rate another amount of it would give.

import { CurveChart, Ring } from "/console/charts.js";
import { byId, element, mark, say, sync } from "/console/dom.js";
import { age, percent, size, text, whole } from "/console/format.js";

/** The parts of the ring, clockwise: the entries first, what nobody uses last. */
function parts({ server, total }) {
  const found = [
    { name: "payload", title: "Keys and values", bytes: total.memory_payload },
    { name: "cells", title: "Headers and rounding", bytes: total.memory_cells - total.memory_payload },
    { name: "tables", title: "Index", bytes: total.memory_tables },
    { name: "books", title: "Expiry, eviction, sketches", bytes: total.memory_bookkeeping },
    { name: "free", title: "Free in slabs", bytes: total.memory_slab - total.memory_cells },
  ].map((part) => ({ ...part, bytes: Math.max(0, part.bytes) }));
  const used = found.reduce((sum, part) => sum + part.bytes, 0);
  if (server.memory_max_bytes > used) {
    found.push({ name: "unused", title: "Up to the limit", bytes: server.memory_max_bytes - used });
  }
  const whole = Math.max(1, found.reduce((sum, part) => sum + part.bytes, 0));
  return found.map((part) => ({ ...part, share: part.bytes / whole }));
}

export class Memory {
  constructor() {
    this.ring = new Ring(byId("ring"));
    this.describedAt = 0;
  }

  draw(state) {
    const { server, total } = state;
    const found = parts(state);
    const limit = server.memory_max_bytes;
    const of = limit > 0 ? `of ${text(size(limit))}` : "no limit";
    this.ring.draw(found, text(size(total.memory_used)), of);
    const make = ({ name }) => {
      const head = Object.assign(element("th", "", element("i", `swatch part-${name}`), element("span")), { scope: "row" });
      return element("tr", "", head, element("td", "number"), element("td", "number minor"));
    };
    sync(byId("memory-parts"), found, ({ name }) => name, make, (line, part) => {
      say(line.cells[0].lastChild, part.title);
      say(line.cells[1], text(size(part.bytes)));
      say(line.cells[2], text(percent(part.share)));
    });
    const resident = `resident ${text(size(server.resident_bytes))}`;
    say(byId("memory-aside"), `${server.memory_policy} \u00b7 peak ${text(size(total.memory_peak))} \u00b7 ${resident}`);
    if (state.at_ms - this.describedAt < 5_000) return;
    this.describedAt = state.at_ms;
    const sentence = found.map((part) => `${part.title} ${text(size(part.bytes))}`).join(", ");
    mark(byId("ring"), "aria-label", `${text(size(total.memory_used))} used ${of}: ${sentence}`);
  }
}

export class Curve {
  constructor() {
    this.chart = new CurveChart(byId("curve"));
    this.describedAt = 0;
  }

  draw(state) {
    const { curve } = state;
    const panel = byId("curve");
    const isKnown = curve?.points?.length > 0 && curve.references > 0;
    panel.classList.toggle("blank", !isKnown);
    byId("curve-note").classList.toggle("instead", !isKnown);
    if (!isKnown) {
      say(byId("curve-aside"), "");
      say(byId("curve-note"), "Not enough reads yet to tell what more memory, or less, would do.");
      mark(panel, "aria-label", "Hit rate by memory: not enough reads yet");
      return;
    }
    const points = curve.points.map(({ ratio, bytes, hit_rate: rate }) => ({ ratio, bytes, rate }));
    const goal = curve.memory_for_95_bytes ? curve.memory_for_95_bytes / curve.memory_bytes : null;
    const times = (ratio) => (ratio < 1 ? `1/${1 / ratio}` : ratio === 1 ? "today" : `\u00d7${ratio}`);
    this.chart.draw(points, {
      goal,
      label: (ratio, isNarrow) => (isNarrow ? times(ratio) : `${times(ratio)} \u00b7 ${text(size(ratio * curve.memory_bytes))}`),
      describe: ({ ratio, bytes, rate }) => `${text(percent(rate))} with ${text(size(bytes))}${ratio === 1 ? ", today" : ""}`,
    });
    say(byId("curve-aside"), `from ${whole(curve.references)} reads in ${age(curve.window_ms)}`);
    const now = points.find(({ ratio }) => ratio === 1);
    const twice = points.find(({ ratio }) => ratio === 2);
    const gain = now && twice ? `Twice the memory would give ${text(percent(twice.rate))}. ` : "";
    const need = curve.memory_for_95_bytes
      ? `95\u202f% takes ${text(size(curve.memory_for_95_bytes))}.`
      : "95\u202f% is out of reach of four times the memory.";
    say(byId("curve-note"), gain + need);
    if (state.at_ms - this.describedAt < 5_000) return;
    this.describedAt = state.at_ms;
    const sentence = points.map(({ bytes, rate }) => `${text(percent(rate))} with ${text(size(bytes))}`).join(", ");
    mark(panel, "aria-label", `Hit rate by memory: ${sentence}`);
  }
}
