// Makes the picture of the console in docs/: `LOCKSLEY_SERVER=... npm --prefix tests/console run screenshot`.
//
// A server with two shards is put under load for two minutes, with clients that give themselves names, a few keys that are
// hotter than others, and a snapshot, so that each part of the page has something to show.

import { setTimeout as sleep } from "node:timers/promises";

import { launch, open, ready } from "./browser.mjs";
import { Server } from "./server.mjs";

const [path, scheme = "light", width = "1280", seconds = "120"] = process.argv.slice(2);
const server = await Server.start({ shards: 2, maxmemory: "112mb", "slowlog-log-slower-than": 4_000, "wal-segment-size": "8mb" });
// Most keys are there before anybody looks, so that most reads find something.
await server.fill({ keys: 150_000, "value-size": "lognormal:260:0.8" });
const loads = [
  server.load({ keys: 220_000, "value-size": "lognormal:260:0.8", distribution: "zipf:0.95", ratio: "1:4", rate: 4_000, connections: 12 }),
  server.load({ keys: 400, "value-size": 900, distribution: "zipf:1.1", ratio: "1:20", rate: 1_500, connections: 3, seed: 7 }),
];
const browser = await launch();
try {
  for (const name of ["billing", "sessions", "search-index"]) {
    const client = await server.connect();
    await client.call("CLIENT", "SETNAME", name);
    await client.call("CLIENT", "SETINFO", "lib-name", "redis-py");
    await client.call("SET", `${name}:config`, `{"version": 7, "flags": ["a", "b"]}`, "EX", "5400");
  }
  const page = await open(browser, server.url, { width: Number(width), height: 900, colorScheme: scheme });
  await ready(page);
  await sleep((Number(seconds) * 1_000) / 2);
  await server.call("BGSAVE");
  await page.fill("#lookup-key", "sessions:config");
  await page.getByRole("button", { name: "Look up" }).click();
  await sleep((Number(seconds) * 1_000) / 2);
  await page.evaluate(() => document.activeElement.blur());
  await page.mouse.move(0, 0);
  // Down to the hot keys, so that the file stays small.
  await page.evaluate(() => window.scrollTo(0, 0));
  const { y, height } = await page.locator("section:has(#hot)").boundingBox();
  const clip = { x: 0, y: 0, width: Number(width), height: Math.ceil(y + height + 6) };
  await page.screenshot({ path, fullPage: true, clip });
  if (page.faults.length > 0) throw new Error(page.faults.join("\n"));
} finally {
  await browser.close();
  for (const load of loads) await load.end();
  await server.end();
}
process.exit(0);
