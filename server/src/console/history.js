// The last minutes, from states that come twice a second: counters become rates, histograms become percentiles.

/** Milliseconds that are kept. */
const WINDOW_MS = 300_000;
/** What charts show of it: more as more is known. */
const WINDOWS_MS = [60_000, 120_000, WINDOW_MS];
/** Milliseconds over which a rate is taken: two states, so that one that comes late makes no spike. */
const RATE_MS = 950;
/** Milliseconds over which percentiles are taken. */
const PERCENTILE_MS = 2_900;

export class History {
  constructor() {
    this.forget();
  }

  forget() {
    this.states = [];
    this.points = [];
    this.run = null;
  }

  /** Takes in a state. */
  push(state) {
    const last = this.last;
    const isNew = state.server.run_id !== this.run || (last && state.total.calls < last.total.calls);
    if (isNew) {
      this.forget();
      this.run = state.server.run_id;
    }
    if (last && !isNew && state.at_ms <= last.at_ms) {
      // A clock was set back: what is kept has no place before it.
      if (last.at_ms - state.at_ms > 2_000) this.forget();
      else return;
    }
    this.states.push(slim(state));
    this.points.push(this.point(state));
    const oldest = state.at_ms - WINDOW_MS - 2_000;
    while (this.states[0].at_ms < oldest) {
      this.states.shift();
      this.points.shift();
    }
  }

  /** The newest state. */
  get last() {
    return this.states[this.states.length - 1];
  }

  /** The newest point. */
  get now() {
    return this.points[this.points.length - 1];
  }

  /** Milliseconds that charts show. */
  get window() {
    const known = this.last.at_ms - this.states[0].at_ms;
    return WINDOWS_MS.find((millis) => known <= millis) ?? WINDOW_MS;
  }

  /** The newest state that is at least `millis` older than the last; the oldest if none is. */
  before(millis) {
    const limit = this.last.at_ms - millis;
    let index = this.states.length - 1;
    while (index > 0 && this.states[index].at_ms > limit) index -= 1;
    return this.states[index];
  }

  /** By how much a counter of all shards grew in the last `millis`, and in how many it really was. */
  growth(name, millis) {
    const [from, to] = [this.before(millis), this.last];
    return { count: to.total[name] - from.total[name], millis: to.at_ms - from.at_ms };
  }

  /** What share of the counted reads of the last `millis` found their entry; null where there was none. */
  hitRate(millis) {
    const [hits, misses] = [this.growth("hits", millis).count, this.growth("misses", millis).count];
    return hits + misses > 0 ? hits / (hits + misses) : null;
  }

  /** One moment of all that is drawn. */
  point(state) {
    const from = this.before(RATE_MS);
    const wide = this.before(PERCENTILE_MS);
    const seconds = (state.at_ms - from.at_ms) / 1000;
    const rate = (newer, older) => (seconds > 0 ? Math.max(0, newer - older) / seconds : null);
    const rates = (newer, older) => ({
      ops: rate(newer.calls, older?.calls),
      evicted: rate(newer.evicted, older?.evicted),
      received: rate(newer.received_bytes, older?.received_bytes),
      sent: rate(newer.sent_bytes, older?.sent_bytes),
    });
    const shards = state.shards.map((shard) => {
      const [older, oldest] = [from.shards[shard.id], wide.shards[shard.id]];
      if (shard.is_silent || !shard.histogram || !older || !oldest?.histogram) return {};
      const counts = difference(shard.histogram, oldest.histogram);
      const busy = seconds > 0 && shard.busy_nanos != null ? (shard.busy_nanos - older.busy_nanos) / 1e9 / seconds : null;
      const reads = shard.hits + shard.misses - oldest.hits - oldest.misses;
      return {
        ...rates(shard, older),
        counts,
        p50: percentile(counts, 0.5),
        p99: percentile(counts, 0.99),
        busy,
        hitRate: reads > 0 ? (shard.hits - oldest.hits) / reads : null,
      };
    });
    const all = shards.reduce((sum, shard) => (shard.counts ? added(sum, shard.counts) : sum), []);
    const cpu = cpuSeconds(state) - cpuSeconds(wide);
    const wideSeconds = (state.at_ms - wide.at_ms) / 1000;
    return {
      at: state.at_ms,
      ...rates(state.total, from.total),
      p50: percentile(all, 0.5),
      p99: percentile(all, 0.99),
      clients: clientCount(state.total),
      cpu: wideSeconds > 0 ? cpu / wideSeconds / state.server.shard_count : null,
      shards,
    };
  }
}

/** Clients of all doors. */
export function clientCount(total) {
  return total.clients ?? total.resp_clients + total.memcached_clients + total.http_clients;
}

/**
 * The duration in nanoseconds that a share of the counted ones does not exceed, as the server reads it: bucket n counts
 * those above 2^(n-1) and up to 2^n, evenly spread.
 */
export function percentile(counts, share) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = total * share;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const [low, high] = [bucket === 0 ? 0 : 2 ** (bucket - 1), 2 ** bucket];
      return low + ((high - low) * (rank - below)) / count;
    }
    below += count;
  }
  return 2 ** (counts.length - 1);
}

function difference(newer, older) {
  return newer.map((count, bucket) => Math.max(0, count - older[bucket]));
}

function added(sum, counts) {
  return counts.map((count, bucket) => count + (sum[bucket] ?? 0));
}

function cpuSeconds(state) {
  return state.server.cpu_user_seconds + state.server.cpu_system_seconds;
}

/** Of a state what later ones are compared with. */
function slim(state) {
  const { at_ms, total, shards, server, commands, stages } = state;
  return { at_ms, total, shards, stages, server, calls: new Map(commands.map((command) => [command.name, command.calls])) };
}
