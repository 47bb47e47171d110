// Looks a key up: its value, version, flags, and the time it has left.

import { Locked } from "/console/connection.js";
import { byId, element, say } from "/console/dom.js";
import { age, size, text, whole } from "/console/format.js";

/** Letters of a value that are shown. */
const SHOWN_MAX = 4_000;

export class LookUp {
  constructor(connection) {
    this.connection = connection;
    this.result = byId("lookup-result");
    this.key = byId("lookup-key");
    this.db = byId("lookup-db");
    /** The bytes of a key that the field cannot hold, and how it shows them. */
    this.chosen = null;
    byId("lookup").addEventListener("submit", (event) => {
      event.preventDefault();
      const isChosen = this.chosen?.shown === this.key.value;
      const bytes = isChosen ? this.chosen.bytes : new TextEncoder().encode(this.key.value);
      this.ask(bytes, this.db.value || "0", this.key.value);
    });
  }

  /** Looks up a key that was chosen elsewhere on the page. */
  choose(bytes, db, shown) {
    this.chosen = { bytes, shown };
    [this.key.value, this.db.value] = [shown, String(db)];
    byId("lookup-title").scrollIntoView({ block: "center", behavior: "auto" });
    this.key.focus({ preventScroll: true });
    this.ask(bytes, String(db), shown);
  }

  async ask(bytes, db, shown) {
    clearInterval(this.timer);
    try {
      const response = await this.connection.ask(...request(bytes, db));
      this.tell(await answer(response, bytes), shown);
    } catch (error) {
      const isLocked = error instanceof Locked;
      this.sentence(isLocked ? "The server wants another password." : "The server did not answer.", "wrong");
    }
  }

  tell(found, shown) {
    if (found.error) return this.sentence(found.error, "wrong");
    if (found.note) return this.sentence(found.note, "");
    if (!found.hit) return this.sentence(`There is no key ${shown}.`, "");
    const left = element("dd");
    const pairs = element("dl", "pairs");
    const pair = (name, value) => pairs.append(element("div", "", element("dt", "", name), value));
    pair("Time to live", left);
    pair("Version", element("dd", "", String(found.version)));
    pair("Flags", element("dd", "", String(found.flags)));
    pair("Value", element("dd", "", described(found)));
    const value = element("pre", "value-text", found.value.slice(0, SHOWN_MAX));
    value.tabIndex = 0;
    if (found.value.length > SHOWN_MAX) value.append(element("span", "cut", ` \u2026 ${whole(found.value.length - SHOWN_MAX)} more`));
    this.result.replaceChildren(pairs, value);
    this.count(left, found.ttl_remaining);
  }

  /** Lets the time to live run down. */
  count(node, seconds) {
    const until = seconds == null ? null : Date.now() + seconds * 1000;
    const draw = () => {
      const rest = until == null ? null : until - Date.now();
      say(node, rest == null ? "none: it stays" : rest <= 0 ? "over" : age(rest));
      if (rest != null && rest <= 0) clearInterval(this.timer);
    };
    draw();
    if (until != null) this.timer = setInterval(draw, 1000);
    // What runs down is not to be read out each second.
    node.setAttribute("aria-live", "off");
  }

  sentence(words, className) {
    this.result.replaceChildren(element("p", `answer ${className}`.trim(), words));
  }
}

/** Path and options of a request for a key. A key that browsers take for a step in a path goes into a batch. */
function request(bytes, db) {
  const letters = [...bytes].map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9_~-]/.test(letter) ? letter : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  });
  const name = new TextDecoder().decode(bytes);
  if (name !== "." && name !== "..") return [`/cache/${letters.join("")}?db=${encodeURIComponent(db)}`];
  const body = JSON.stringify({ get: [name], db: Number(db) });
  return ["/cache/batch", { method: "POST", headers: { "Content-Type": "application/json" }, body }];
}

async function answer(response, bytes) {
  const body = await response.json();
  if (body.code === "absent") return { note: "It is noted that there is nothing under this key." };
  if (body.error) return { error: `${body.error[0].toUpperCase()}${body.error.slice(1)}.` };
  if (!body.found) return body;
  const entry = body.found[new TextDecoder().decode(bytes)];
  return { hit: Boolean(entry), ...entry };
}

function described({ value, encoding }) {
  if (encoding === "base64") return `${text(size(Math.floor((value.length * 3) / 4)))}, shown in base64`;
  return text(size(new TextEncoder().encode(value).length));
}
