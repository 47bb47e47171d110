// Numbers as people read them. A reading is a pair: the digits, and the unit behind them.

const THIN = "\u202f";
const NONE = "\u2013";

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** Three digits that count, of a number of at least one. */
function three(value) {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : grouped.format(value);
}

/** A whole number with its thousands apart. */
export function whole(value) {
  return value == null ? NONE : grouped.format(Math.round(value));
}

/** A quantity, shortened from ten thousand on. */
export function quantity(value, unit = "") {
  if (value == null) return [NONE, ""];
  if (value < 9999.5) {
    return [value > 0 && value < 9.95 ? trimmed(value.toFixed(1)) : grouped.format(value), unit];
  }
  if (value < 999_500) return [three(value / 1e3), "k" + unit];
  if (value < 999_500_000) return [three(value / 1e6), "M" + unit];
  return [three(value / 1e9), "G" + unit];
}

/** A size in bytes. */
export function size(bytes, unit = "") {
  if (bytes == null) return [NONE, ""];
  if (bytes < 1000) return [grouped.format(bytes), "B" + unit];
  let value = bytes / 1024;
  for (const name of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 999.5 || name === "TiB") return [value < 1 ? value.toFixed(2) : three(value), name + unit];
    value /= 1024;
  }
}

/** A short time, from nanoseconds. */
export function span(nanos) {
  if (nanos == null) return [NONE, ""];
  if (nanos < 999.5) return [grouped.format(nanos), "ns"];
  if (nanos < 999_500) return [three(nanos / 1e3), "\u00b5s"];
  if (nanos < 999_500_000) return [three(nanos / 1e6), "ms"];
  return [three(nanos / 1e9), "s"];
}

/** A long time, from milliseconds, in its two greatest units. */
export function age(millis) {
  if (millis == null) return NONE;
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const units = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([length]) => seconds >= length);
  if (first < 0) return `0${THIN}s`;
  const [length, name] = units[first];
  const text = `${Math.floor(seconds / length)}${THIN}${name}`;
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % length) / next[0]) : 0;
  return rest > 0 ? `${text} ${rest}${THIN}${next[1]}` : text;
}

/** A share of one, in percent. */
export function percent(share) {
  if (share == null) return [NONE, ""];
  const value = share * 100;
  return [value > 0 && value < 99.95 ? value.toFixed(1) : String(Math.round(value)), "%"];
}

/** A reading in one word. */
export function text([digits, unit]) {
  return unit ? `${digits}${THIN}${unit}` : digits;
}

/** A time of day. */
export function clock(millis) {
  return new Date(millis).toLocaleTimeString("en-GB");
}

function trimmed(digits) {
  return digits.endsWith(".0") ? digits.slice(0, -2) : digits;
}
