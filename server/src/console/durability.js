// How log and snapshots stand, and how far loading is.

import { byId, element, mark, say, show, sync } from "/console/dom.js";
import { age, percent, size, span, text, whole } from "/console/format.js";

export class Durability {
  draw(state, history) {
    const { durability, at_ms: now } = state;
    this.loading(durability);
    this.snapshot(durability);
    const pairs = [...logPairs(durability, state, history), ...snapshotPairs(durability, now), ...loadPairs(durability)];
    const make = () => element("div", "", element("dt"), element("dd"));
    sync(byId("durability"), pairs, ({ name }) => name, make, (line, { name, value, level }) => {
      mark(line, "data-level", level ?? "good");
      say(line.firstChild, name);
      say(line.lastChild, value);
    });
    say(byId("durability-aside"), durability.is_logging ? `log synced: ${durability.appendfsync}` : "no log is kept");
  }

  loading(durability) {
    show(byId("loading"), durability.is_loading);
    if (!durability.is_loading) return;
    const { load_share: share, loaded_bytes: loaded, load_total_bytes: total } = durability;
    const amount = total > 0 ? `${text(size(loaded))} of ${text(size(total))}` : "Looking for what there is";
    say(byId("loading-text"), `${amount} \u00b7 commands that need keys are refused until it is done`);
    byId("loading-bar").value = share;
  }

  snapshot(durability) {
    const { snapshot_running_ms: running, snapshot_share: share } = durability;
    show(byId("snapshot-progress"), running != null);
    if (running == null) return;
    const done = share == null ? "" : `${text(percent(share))}, `;
    say(byId("snapshot-text"), `A snapshot is being taken: ${done}${age(running)}`);
    const bar = byId("snapshot-bar");
    if (share == null) bar.removeAttribute("value");
    else bar.value = share;
  }
}

function logPairs(durability, state, history) {
  if (!durability.is_logging) return [];
  const { log, write_failure: failure } = durability;
  const waiting = Math.max(0, log.appended - log.durable);
  const mean = log.syncs > 0 ? text(span((log.sync_micros / log.syncs) * 1000)) : "\u2013";
  const stalls = state.total.log_stalls;
  return [
    { name: "Log", value: failure || "written", level: failure ? "critical" : "good" },
    { name: "Bytes since the last snapshot", value: text(size(durability.log_bytes_since_snapshot)) },
    { name: "Changes not yet durable", value: whole(waiting) },
    { name: "Syncs", value: `${whole(log.syncs)} \u00b7 mean ${mean} \u00b7 longest ${text(span(log.sync_micros_max * 1000))}` },
    ...(stalls > 0 ? [{ name: "Writes that waited for room", value: whole(stalls), level: "warning" }] : []),
  ];
}

function snapshotPairs(durability, now) {
  const { is_last_snapshot_good: isGood, last_snapshot_error: error, snapshot_count: count } = durability;
  const took = durability.last_snapshot_ms == null ? "" : ` in ${text(span(durability.last_snapshot_ms * 1e6))}`;
  const last = `${age(now - durability.last_snapshot_at_ms)} ago \u00b7 ${text(size(durability.last_snapshot_bytes))}${took}`;
  return [
    { name: "Last snapshot", value: count > 0 ? last : "none since the start" },
    ...(isGood ? [] : [{ name: "Snapshot failed", value: error || "see the log", level: "critical" }]),
    { name: "Changes since", value: whole(durability.changes_since_snapshot) },
  ];
}

function loadPairs(durability) {
  const count = durability.loaded_items + durability.loaded_records;
  if (durability.is_loading || count === 0) return [];
  const value = `${whole(count)} entries and records in ${text(span(durability.load_ms * 1e6))}`;
  return [{ name: "Loaded at the start", value }];
}
