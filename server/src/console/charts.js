// Charts, drawn as SVG: a line in a table, a chart of the last minutes, a ring, a curve.

import { mark, say, shape } from "/console/dom.js";

/** A path through `points`, pairs of x and y; where y is null the line is broken. */
function path(points) {
  let text = "";
  let isDown = false;
  for (const [x, y] of points) {
    if (y == null || !Number.isFinite(y)) {
      isDown = false;
      continue;
    }
    text += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    isDown = true;
  }
  return text;
}

/** The same, filled down to `bottom`, each unbroken piece by itself. */
function area(points, bottom) {
  let text = "";
  let piece = [];
  const close = () => {
    if (piece.length > 1) {
      const [first, last] = [piece[0][0], piece[piece.length - 1][0]];
      text += `${path(piece)}L${last.toFixed(1)} ${bottom}L${first.toFixed(1)} ${bottom}Z`;
    }
    piece = [];
  };
  for (const point of points) {
    if (point[1] == null) close();
    else piece.push(point);
  }
  close();
  return text;
}

/** The least of 1, 2, 2.5 and 5 times a power of ten that is not below `value`. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999999) * power;
}

/** A line without axes. `lines` are arrays of numbers or null. */
export class Spark {
  constructor(svg) {
    this.svg = svg;
    this.area = svg.appendChild(shape("path", { class: "area" }));
    this.paths = ["line line-strong", "line line-soft"].map((name) => svg.appendChild(shape("path", { class: name })));
  }

  /** Draws `[at, value]` pairs of the last `millis` before `end`. */
  draw(lines, end, { millis = 60_000, floor = 0 } = {}) {
    const { clientWidth: width, clientHeight: height } = this.svg;
    if (!width || !height) return;
    mark(this.svg, "viewBox", `0 0 ${width} ${height}`);
    const most = Math.max(floor, ...lines.flat().map(([, value]) => value ?? 0)) || 1;
    const place = ([at, value]) => [
      width - ((end - at) / millis) * width,
      value == null ? null : height - 1.5 - (value / most) * (height - 4),
    ];
    const placed = lines.map((line) => line.map(place));
    mark(this.area, "d", area(placed[0], height));
    this.paths.forEach((node, index) => mark(node, "d", path(placed[index] ?? [])));
  }
}

const LEFT = 46;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 22;
/** A chart of less than this has room for short labels only. */
const NARROW = 620;

/** Axes, grid, lines, and a reading where the pointer is: what charts over an axis have in common. */
class Frame {
  constructor(svg) {
    this.svg = svg;
    this.grid = svg.appendChild(shape("g", { class: "grid" }));
    this.labels = svg.appendChild(shape("g", { class: "labels" }));
    this.plot = svg.appendChild(shape("g"));
    this.cursor = svg.appendChild(shape("g", { class: "cursor", visibility: "hidden" }));
    this.cursorLine = this.cursor.appendChild(shape("line"));
    this.cursorText = this.cursor.appendChild(shape("text"));
    this.pointer = null;
    svg.addEventListener("pointermove", (event) => {
      this.pointer = event.offsetX;
      this.point();
    });
    svg.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.point();
    });
  }

  /** Takes the size that the chart has now; whether it has one. */
  measure() {
    const { clientWidth, clientHeight } = this.svg;
    if (!clientWidth || !clientHeight) return false;
    [this.width, this.height] = [clientWidth, clientHeight];
    [this.right, this.bottom] = [clientWidth - RIGHT, clientHeight - BOTTOM];
    mark(this.svg, "viewBox", `0 0 ${clientWidth} ${clientHeight}`);
    return true;
  }

  /** Places one label for each of `ticks`, `{x, y, text}`, with a line of the grid where it has `line`. */
  tick(ticks) {
    const lines = ticks.filter((tick) => tick.line);
    fit(this.grid, "line", lines.length).forEach((node, index) => {
      const { x1, y1, x2, y2 } = lines[index].line;
      for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) mark(node, name, value);
    });
    fit(this.labels, "text", ticks.length).forEach((node, index) => {
      const { x, y, text, anchor } = ticks[index];
      mark(node, "x", x);
      mark(node, "y", y);
      mark(node, "text-anchor", anchor);
      say(node, text);
    });
  }

  /** A horizontal line of the grid at `y`, with its label. */
  level(y, text) {
    return { x: LEFT - 8, y: y + 3.5, text, anchor: "end", line: { x1: LEFT, y1: y, x2: this.right, y2: y } };
  }

  /** Shows what `read` says of the place `x`, or nothing. */
  point() {
    const reading = this.pointer == null ? null : this.read?.(this.pointer);
    mark(this.cursor, "visibility", reading ? null : "hidden");
    if (!reading) return;
    const { x, text } = reading;
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: TOP, y2: this.bottom })) mark(this.cursorLine, name, value);
    const isLeft = x < this.width / 2;
    mark(this.cursorText, "x", isLeft ? x + 8 : x - 8);
    mark(this.cursorText, "y", TOP + 10);
    mark(this.cursorText, "text-anchor", isLeft ? "start" : "end");
    say(this.cursorText, text);
  }
}

/** Makes `count` children of one kind, keeping those that are there. */
function fit(group, name, count) {
  while (group.childElementCount > count) group.lastChild.remove();
  while (group.childElementCount < count) group.appendChild(shape(name));
  return [...group.children];
}

/** Lines over the last minutes; the first is filled. */
export class TimeChart extends Frame {
  constructor(svg, { label, isLogarithmic = false, classes }) {
    super(svg);
    this.label = label;
    this.isLogarithmic = isLogarithmic;
    this.area = this.plot.appendChild(shape("path", { class: "area" }));
    this.paths = classes.map((name) => this.plot.appendChild(shape("path", { class: `line ${name}` })));
  }

  /** Draws lines of `[at, value]` pairs of the last `millis` before `end`; `describe` tells of one moment. */
  draw(lines, end, millis, describe) {
    if (!this.measure() || lines[0].length === 0) return;
    const values = lines.flat().map(([, value]) => value).filter((value) => value != null);
    const scale = this.isLogarithmic ? this.powers(values) : this.steps(values);
    const x = (at) => this.right - ((end - at) / millis) * (this.right - LEFT);
    const parts = millis > 120_000 ? 5 : 4;
    const times = Array.from({ length: parts }, (_, index) => {
      const before = (millis * (parts - index)) / parts;
      const name = millis > 60_000 ? `${before / 60_000}\u202fmin` : `${before / 1000}\u202fs`;
      const place = { x: x(end - before), y: this.height - 6 };
      return { ...place, text: `\u2212${name}`, anchor: index === 0 ? "start" : "middle" };
    });
    const now = { x: this.right, y: this.height - 6, text: "now", anchor: "end" };
    this.tick([...scale.levels, ...times, now]);
    const begin = end - millis;
    const placed = lines.map((line) =>
      line.filter(([at]) => at >= begin).map(([at, value]) => [x(at), value == null ? null : scale.y(value)]));
    mark(this.area, "d", this.isLogarithmic ? "" : area(placed[0], this.bottom));
    this.paths.forEach((node, index) => mark(node, "d", path(placed[index])));
    this.read = (pointer) => {
      const at = end - ((this.right - pointer) / (this.right - LEFT)) * millis;
      const index = nearest(lines[0], at);
      const found = lines[0][index];
      if (!found || Math.abs(found[0] - at) > 2_000) return null;
      return { x: x(found[0]), text: describe(index) };
    };
    this.point();
  }

  steps(values) {
    const most = Math.max(1, ...values);
    const step = nice((most * 1.08) / 4);
    const top = step * Math.ceil((most * 1.04) / step);
    const y = (value) => this.bottom - (value / top) * (this.bottom - TOP);
    const levels = [];
    for (let value = 0; value <= top * 1.0001; value += step) levels.push(this.level(y(value), this.label(value)));
    return { y, levels };
  }

  powers(values) {
    const known = values.filter((value) => value > 0);
    const low = Math.floor(Math.log10(Math.min(1_000, ...known)));
    const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(10_000, ...known) * 1.05)));
    const y = (value) =>
      this.bottom - ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (this.bottom - TOP);
    const levels = [];
    for (let power = low; power <= high; power += 1) levels.push(this.level(y(10 ** power), this.label(10 ** power)));
    return { y, levels };
  }
}

/** The place in `line`, which ascends, whose time is closest to `at`. */
function nearest(line, at) {
  let [low, high] = [0, line.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (line[middle][0] < at) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at - line[low - 1][0] < line[low][0] - at ? low - 1 : low;
}

/** A ring of parts, with a reading in the middle. */
export class Ring {
  constructor(svg) {
    this.parts = svg.appendChild(shape("g", { class: "ring-parts" }));
    this.value = svg.appendChild(shape("text", { class: "ring-value", x: 100, y: 104 }));
    this.note = svg.appendChild(shape("text", { class: "ring-note", x: 100, y: 124 }));
  }

  /** Draws `parts`, each with its share of the whole and its class. */
  draw(parts, value, note) {
    const radius = 82;
    const around = 2 * Math.PI * radius;
    const gap = 2;
    let start = 0;
    const nodes = fit(this.parts, "circle", parts.length);
    parts.forEach(({ name, share }, index) => {
      const node = nodes[index];
      const length = Math.max(0, share * around - gap);
      const attributes = {
        cx: 100,
        cy: 100,
        r: radius,
        class: `part part-${name}`,
        "stroke-dasharray": `${length.toFixed(2)} ${(around - length).toFixed(2)}`,
        "stroke-dashoffset": (-start * around).toFixed(2),
        visibility: share * around < 0.4 ? "hidden" : "visible",
      };
      for (const [key, text] of Object.entries(attributes)) mark(node, key, text);
      start += share;
    });
    say(this.value, value);
    say(this.note, note);
  }
}

/** Hit rates over memory, on an axis of powers of two, with the present point marked. */
export class CurveChart extends Frame {
  constructor(svg) {
    super(svg);
    this.area = this.plot.appendChild(shape("path", { class: "area" }));
    this.line = this.plot.appendChild(shape("path", { class: "line line-strong" }));
    this.goal = this.plot.appendChild(shape("line", { class: "goal" }));
    this.present = this.plot.appendChild(shape("line", { class: "present" }));
    this.dots = this.plot.appendChild(shape("g", { class: "dots" }));
    this.words = this.plot.appendChild(shape("text", { class: "present-text" }));
  }

  /** Draws `points` of `{ratio, rate}`; `describe` tells of one of them. */
  draw(points, { goal, label, describe }) {
    if (!this.measure()) return;
    const [low, high] = [Math.log2(points[0].ratio), Math.log2(points[points.length - 1].ratio)];
    const x = (ratio) => LEFT + ((Math.log2(ratio) - low) / (high - low)) * (this.right - LEFT);
    const y = (rate) => this.bottom - rate * (this.bottom - TOP);
    const levels = [0, 0.25, 0.5, 0.75, 1].map((rate) => this.level(y(rate), `${rate * 100} %`));
    const isNarrow = this.width < NARROW;
    const sizes = points.filter(({ ratio }) => Number.isInteger(Math.log2(ratio)));
    const places = sizes.map(({ ratio }, index) => ({
      x: x(ratio),
      y: this.height - 6,
      text: label(ratio, isNarrow),
      anchor: index === 0 ? "start" : index === sizes.length - 1 ? "end" : "middle",
    }));
    this.tick([...levels, ...places]);
    const placed = points.map(({ ratio, rate }) => [x(ratio), y(rate)]);
    mark(this.area, "d", area(placed, this.bottom));
    mark(this.line, "d", path(placed));
    const hasGoal = goal >= points[0].ratio && goal <= points[points.length - 1].ratio;
    this.across(this.goal, hasGoal ? x(goal) : null);
    const now = points.find(({ ratio }) => ratio === 1);
    this.across(this.present, now ? x(1) : null);
    fit(this.dots, "circle", points.length).forEach((node, index) => {
      const [cx, cy] = placed[index];
      const isNow = points[index] === now;
      for (const [name, value] of Object.entries({ cx, cy, r: isNow ? 5 : 2.5, class: isNow ? "dot-now" : "dot" })) {
        mark(node, name, value);
      }
    });
    if (now) {
      const isLeft = x(1) < this.width / 2;
      mark(this.words, "x", isLeft ? x(1) + 9 : x(1) - 9);
      mark(this.words, "text-anchor", isLeft ? "start" : "end");
      mark(this.words, "y", isLeft ? Math.min(this.bottom - 8, y(now.rate) + 20) : Math.max(TOP + 10, y(now.rate) - 12));
      say(this.words, describe(now));
    }
    this.read = (pointer) => {
      const distance = ({ ratio }) => Math.abs(x(ratio) - pointer);
      const found = points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
      return { x: x(found.ratio), text: describe(found) };
    };
    this.point();
  }

  across(line, x) {
    mark(line, "visibility", x == null ? "hidden" : null);
    if (x != null) for (const [name, value] of Object.entries({ x1: x, x2: x, y1: TOP, y2: this.bottom })) mark(line, name, value);
  }
}
