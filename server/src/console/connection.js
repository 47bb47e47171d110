// The line to the server: a stream of states, or states asked for one by one where no stream is to be had; a line that was
// lost is taken up again, after a pause that grows.

/** A stream that says nothing for so long is dead. */
const SILENCE_MS = 5_000;
/** Milliseconds between two questions where there is no stream. */
const POLL_MS = 1_000;
/** The first pause before another try, and the longest. */
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 15_000;
const PASSWORD = "locksley-password";

/** The server wants a password, or another one. */
class Locked extends Error {}
/** The server has no stream for us. */
class NoStream extends Error {}

export class Connection {
  /** Calls `onState` with each state, and `onChange` when the line itself changes: `connecting`, `live`, `lost`, `locked`. */
  constructor(onState, onChange) {
    this.onState = onState;
    this.onChange = onChange;
    this.pause = PAUSE_MS;
    this.wake = null;
    this.abort = null;
    this.isLeaving = false;
  }

  get password() {
    return sessionStorage.getItem(PASSWORD);
  }

  /** Fields of a request that says the password, if there is one: as Basic, which takes any letter. */
  get fields() {
    if (this.password == null) return {};
    const bytes = new TextEncoder().encode(`default:${this.password}`);
    return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
  }

  /** Goes on as long as the page does. */
  async run() {
    for (;;) {
      try {
        this.onChange("connecting");
        await this.listen();
      } catch (error) {
        if (error instanceof Locked) {
          const isWrong = this.password != null;
          sessionStorage.removeItem(PASSWORD);
          this.onChange("locked", { isWrong });
          await new Promise((resolve) => (this.wake = resolve));
          continue;
        }
      }
      if (this.isLeaving) {
        this.isLeaving = false;
        continue;
      }
      const wait = this.pause * (0.8 + 0.4 * Math.random());
      this.pause = Math.min(2 * this.pause, PAUSE_MS_MAX);
      this.onChange("lost", { until: Date.now() + wait });
      await this.sleep(wait);
    }
  }

  /** Takes a password, and tries it. */
  login(password) {
    sessionStorage.setItem(PASSWORD, password);
    this.retry();
  }

  /** Forgets the password. */
  logout() {
    sessionStorage.removeItem(PASSWORD);
    this.isLeaving = true;
    this.abort?.abort();
    this.retry();
  }

  /** Tries again without waiting any longer. */
  retry() {
    this.pause = PAUSE_MS;
    this.wake?.();
  }

  /** Asks the server something, with the password. */
  async ask(path, options = {}) {
    const response = await fetch(path, {
      ...options,
      headers: { ...options.headers, ...this.fields },
      cache: "no-store",
      credentials: "omit",
    });
    if (response.status === 401) throw new Locked();
    return response;
  }

  async listen() {
    this.abort = new AbortController();
    let heardAt = Date.now();
    const watch = setInterval(() => {
      if (Date.now() - heardAt > SILENCE_MS) this.abort.abort();
    }, 500);
    const hear = (text) => {
      heardAt = Date.now();
      if (text == null) return;
      this.onState(JSON.parse(text));
      this.pause = PAUSE_MS;
      this.onChange("live");
    };
    try {
      await this.stream(hear);
    } catch (error) {
      if (!(error instanceof NoStream)) throw error;
      await this.poll(hear);
    } finally {
      clearInterval(watch);
      this.abort.abort();
    }
  }

  async stream(hear) {
    const response = await this.ask("/console/events", { signal: this.abort.signal });
    if (!response.ok) throw new NoStream();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      hear(null);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        if (event.startsWith("data: ")) hear(event.slice("data: ".length));
      }
    }
  }

  async poll(hear) {
    for (;;) {
      const response = await this.ask("/console/state", { signal: this.abort.signal });
      if (!response.ok) throw new Error(response.statusText);
      hear(await response.text());
      await this.sleep(POLL_MS);
      if (this.abort.signal.aborted) return;
    }
  }

  sleep(millis) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export { Locked };
