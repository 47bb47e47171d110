// The console: takes states from the connection and has each part of the page draw them.

import { Alerts } from "/console/alerts.js";
import { Connection } from "/console/connection.js";
import { byId, mark, say, show } from "/console/dom.js";
import { Durability } from "/console/durability.js";
import { Figures, TimeCharts } from "/console/figures.js";
import { age, text, quantity } from "/console/format.js";
import { History } from "/console/history.js";
import { Clients, Commands, HotKeys, SlowLog } from "/console/lists.js";
import { LookUp } from "/console/lookup.js";
import { Curve, Memory } from "/console/memory.js";
import { Shards } from "/console/shards.js";

const history = new History();
const connection = new Connection(take, change);
const lookUp = new LookUp(connection);
const parts = [
  new Alerts(announce),
  new Figures(),
  new TimeCharts(),
  new Shards(),
  new Memory(),
  new Curve(),
  new HotKeys((bytes, db, shown) => lookUp.choose(bytes, db, shown)),
  new Commands(),
  new Durability(),
  new SlowLog(),
  new Clients(),
];

let newest = null;
let isDrawn = true;
let countdown = null;
let line = "connecting";

/** Takes in a state; it is drawn with the next picture, which a hidden page has none of. */
function take(state) {
  history.push(state);
  newest = state;
  if (isDrawn) {
    isDrawn = false;
    requestAnimationFrame(draw);
  }
}

function draw() {
  isDrawn = true;
  if (!newest || !history.now) return;
  const { server } = newest;
  const host = location.host;
  const doors = [["RESP", server.port], ["memcached", server.memcached_port], ["HTTP", server.http_port]]
    .filter(([, port]) => port > 0).map(([name, port]) => `${name} ${port}`);
  const threads = server.shard_count === 1 ? "1 shard" : `${server.shard_count} shards`;
  say(byId("facts"), [`${location.hostname}`, threads, ...doors, `up ${age(server.uptime_ms)}`].join(" \u00b7 "));
  say(byId("foot"), `Locksley ${server.version} \u00b7 process ${server.process_id} \u00b7 ${server.system} \u00b7 ${server.directory}`);
  document.title = `${text(quantity(history.now.ops ?? 0, "/s"))} \u00b7 ${host} \u00b7 Locksley`;
  byId("lookup-db").max = String((server.databases ?? 16) - 1);
  for (const part of parts) part.draw(newest, history);
  document.body.dataset.ready = "yes";
}

/** Says how the line to the server is. */
function change(kind, facts = {}) {
  clearInterval(countdown);
  const link = byId("link");
  const before = line;
  line = kind;
  mark(link, "data-state", kind);
  document.body.classList.toggle("stale", kind === "lost" || (kind === "connecting" && before === "lost"));
  show(byId("retry"), kind === "lost");
  show(byId("logout"), kind === "live" && connection.password != null);
  if (kind === "live") say(byId("link-text"), "Live");
  if (kind === "connecting") say(byId("link-text"), before === "lost" ? "Connecting again" : "Connecting");
  if (kind === "lost") {
    const tell = () => {
      const seconds = Math.max(1, Math.ceil((facts.until - Date.now()) / 1000));
      say(byId("link-text"), `Connection lost \u00b7 again in ${seconds}\u202fs`);
    };
    tell();
    countdown = setInterval(tell, 250);
  }
  if (kind === "locked") askPassword(facts.isWrong);
  if (kind === "lost" && before === "live") announce("Connection lost");
  if (kind === "live" && wasLost) announce("Connected again");
  wasLost = kind === "lost" || (kind === "connecting" && wasLost);
}

let wasLost = false;

function askPassword(isWrong) {
  say(byId("link-text"), "Locked");
  say(byId("login-wrong"), isWrong ? "That is not the password." : "");
  const field = byId("login-password");
  field.value = "";
  mark(field, "aria-invalid", isWrong ? "true" : null);
  history.forget();
  delete document.body.dataset.ready;
  if (!byId("login").open) byId("login").showModal();
  field.focus();
}

/** Tells who listens rather than looks. */
function announce(sentence) {
  say(byId("announcer"), sentence);
}

byId("login").addEventListener("cancel", (event) => event.preventDefault());
byId("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const password = byId("login-password").value;
  byId("login").close();
  connection.login(password);
});
byId("retry").addEventListener("click", () => connection.retry());
byId("logout").addEventListener("click", () => connection.logout());
new ResizeObserver(() => requestAnimationFrame(draw)).observe(byId("main"));
connection.run();
