// The console as people use it: in a browser, with a mouse, with keys, on a phone, by day and by night.
//
//   LOCKSLEY_SERVER=path/to/locksley-server node --test        (locksley-bench lies beside it)
//
// Nothing here waits for a time: each step waits for what it expects to see. A page notes every error, every violation of
// its policy and every request to elsewhere; each test ends by looking at these notes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { contrasts, faultsOfMarkup } from "./audit.mjs";
import { launch, open, ready, said } from "./browser.mjs";
import { Server, until } from "./server.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser.close();
});

/** Runs `body` with a server that is gone behind it. */
async function withServer(options, body) {
  const server = await Server.start(options);
  try {
    await body(server);
  } finally {
    await server.end();
  }
}

/** The page's own copy of a state, asked for anew. */
async function state(server, password) {
  const headers = password ? { Authorization: `Bearer ${password}` } : {};
  return (await fetch(new URL("/console/state", server.url), { headers })).json();
}

const digits = (text) => Number(text.replaceAll(",", ""));

for (const shards of [1, 2]) {
  test(`figures move under load and agree with INFO, with ${shards} shard(s)`, async () => {
    await withServer({ shards, maxmemory: "16mb" }, async (server) => {
      const page = await open(browser, server.url);
      await ready(page);
      assert.equal(await page.locator("#shards tr").count(), shards);
      const load = server.load();
      const seen = new Set();
      await until("operations that change", async () => {
        const value = await said(page, "#figure-ops .value");
        if (value !== "\u2013" && value !== "0") seen.add(value);
        return seen.size >= 3;
      });
      await until("a line in the chart", async () => (await page.locator("#throughput .line").getAttribute("d")).length > 40);
      await until("hot keys", async () => (await page.locator("#hot .key-link").count()) > 3);
      await until("commands", async () => (await said(page, "#commands")).includes("get"));
      assert.match(await said(page, "#figure-latency .reading"), /^[\d.,]+\s*(ns|\u00b5s|ms)$/);
      assert.match(await page.title(), /\/s \u00b7 127\.0\.0\.1:\d+ \u00b7 Locksley$/);
      await load.end();

      // Nothing counts any more but the page itself, which reads no key.
      const info = await until("a server at rest", async () => {
        const [one, other] = [await server.info(), await server.info()];
        const isSame = (name) => one[name] === other[name];
        return isSame("keyspace_hits") && isSame("keyspace_misses") && isSame("used_memory_dataset") && other;
      });
      const { total, shards: parts } = await state(server);
      const pairs = {
        keyspace_hits: total.hits,
        keyspace_misses: total.misses,
        evicted_keys: total.evicted,
        expired_keys: total.expired,
        used_memory_dataset: total.memory_payload,
        locksley_slab_bytes: total.memory_slab,
        locksley_table_bytes: total.memory_tables,
        total_error_replies: total.errors,
      };
      for (const [name, number] of Object.entries(pairs)) assert.equal(String(number), info[name], name);
      const keys = parts.map((part) => part.keys);
      assert.equal(keys.reduce((sum, count) => sum + count), Number(/keys=(\d+)/.exec(info.db0)[1]));
      await until("the same numbers on the page", async () => {
        const shown = await page.locator("#shards td:nth-child(7)").allInnerTexts();
        return JSON.stringify(shown.map(digits)) === JSON.stringify(keys);
      });
      const hits = Number(info.keyspace_hits);
      const rate = ((100 * hits) / (hits + Number(info.keyspace_misses))).toFixed(1);
      assert.equal(await said(page, "#figure-hits .note"), `${rate} % since the start`);
      const used = (await page.locator("#memory-parts td:nth-child(2)").allInnerTexts()).length;
      assert.ok(used >= 5, "the ring has its legend");
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  });
}

test("the page comes with fields that keep it safe", async () => {
  await withServer({ shards: 1 }, async (server) => {
    const page = await fetch(server.url);
    const policy = page.headers.get("content-security-policy");
    for (const rule of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(rule), rule);
    }
    assert.equal(page.headers.get("x-content-type-options"), "nosniff");
    const tag = page.headers.get("etag");
    const again = await fetch(server.url, { headers: { "If-None-Match": tag } });
    assert.equal(again.status, 304);
  });
});

test("a password is asked for, and a wrong one is said to be wrong", async () => {
  await withServer({ shards: 2, requirepass: "s\u00e9cret!" }, async (server) => {
    const page = await open(browser, server.url, { expected: [/401 \(Unauthorized\)/] });
    const dialog = page.getByRole("dialog", { name: "This server has a password" });
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "login-password");
    assert.equal(await said(page, "#login-wrong"), "");
    await page.keyboard.press("Escape");
    assert.ok(await dialog.isVisible(), "there is no way around it");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "That is not the password." }).waitFor();
    assert.equal(await page.locator("body[data-ready]").count(), 0);
    await page.getByLabel("Password", { exact: true }).fill("s\u00e9cret!");
    await page.getByRole("button", { name: "Log in" }).click();
    await ready(page);
    assert.ok(!(await dialog.isVisible()));
    await server.call("SET", "k", "v");
    await page.fill("#lookup-key", "k");
    await page.keyboard.press("Enter");
    await until("the value", async () => (await said(page, "#lookup-result")).includes("v"));
    await page.reload();
    await ready(page);
    assert.equal(await page.context().cookies().then((cookies) => cookies.length), 0);
    await page.getByRole("button", { name: "Log out" }).click();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("a changed password ends the view of who knows the old one", async () => {
  await withServer({ shards: 1, requirepass: "old" }, async (server) => {
    const page = await open(browser, server.url, { expected: [/401 \(Unauthorized\)/] });
    await page.getByLabel("Password", { exact: true }).fill("old");
    await page.keyboard.press("Enter");
    await ready(page);
    await server.call("CONFIG", "SET", "requirepass", "new");
    server.password = "new";
    await page.getByRole("dialog").waitFor({ timeout: 30_000 });
    await page.getByLabel("Password", { exact: true }).fill("new");
    await page.keyboard.press("Enter");
    await ready(page);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("what clients chose is text, whatever it looks like", async () => {
  await withServer({ shards: 2, "slowlog-log-slower-than": 0 }, async (server) => {
    const evil = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
    const client = await server.connect();
    await client.call("CLIENT", "SETNAME", "<b>bold</b>");
    const page = await open(browser, server.url);
    await ready(page);
    await until("the key among the hot ones", async () => {
      for (let count = 0; count < 50; count += 1) await client.call("SET", evil, evil);
      return (await page.locator("#hot .key-link").allInnerTexts()).includes(evil);
    });
    await client.call("CONFIG", "SET", "slowlog-log-slower-than", "-1");
    await until("the client's name", async () => (await said(page, "#clients")).includes("<b>bold</b>"));
    await until("the slow command", async () => (await said(page, "#slow")).includes("<img src=x"));
    await page.locator("#hot .key-link").filter({ hasText: "onerror" }).first().click();
    await until("its value", async () => (await page.locator("#lookup-result pre").innerText()) === evil);
    assert.equal(await page.locator("main img, main script, main b:not(.stage-key b)").count(), 0);
    client.end();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("a key is looked up with its version and the time it has left", async () => {
  await withServer({ shards: 2 }, async (server) => {
    const page = await open(browser, server.url);
    await ready(page);
    const lookUp = async (key, db = "0") => {
      await page.fill("#lookup-key", key);
      await page.fill("#lookup-db", db);
      await page.getByRole("button", { name: "Look up" }).click();
    };
    const answers = async (pattern) => until(`an answer like ${pattern}`, async () => pattern.test(await said(page, "#lookup-result")));

    await server.call("SET", "user:7/a b?c%d#e", "h\u00e9llo", "EX", "3600");
    await lookUp("user:7/a b?c%d#e");
    await answers(/Time to live\s+59 min \d+ s[\s\S]*Version\s+\d+[\s\S]*Flags\s+0[\s\S]*6 B[\s\S]*h\u00e9llo/);
    const first = await said(page, "#lookup-result dd");
    await until("time that runs down", async () => (await said(page, "#lookup-result dd")) !== first);

    await lookUp("nobody");
    await answers(/There is no key nobody\./);
    await server.call("SETABSENT", "nothing");
    await lookUp("nothing");
    await answers(/It is noted that there is nothing/);
    await server.call("SET", "..", "dots");
    await lookUp("..");
    await answers(/dots/);
    await server.call("SET", "bytes", Buffer.from([0xff, 0xfe, 0xfd]));
    await lookUp("bytes");
    await answers(/3 B, shown in base64[\s\S]*\/\/79/);
    await lookUp("x".repeat(251));
    await answers(/A key has 1 to 250 bytes/);
    await server.call("LOCK", "lock", "60000");
    await lookUp("lock");
    await answers(/of a type that this door does not serve/);
    await server.call("SET", "big", "v".repeat(100_000));
    await lookUp("big");
    await answers(/97\.7 KiB[\s\S]*96,000 more/);
    await server.call("SWAPDB", "0", "3");
    await lookUp("..", "3");
    await answers(/dots/);
    assert.deepEqual(page.faults.filter((fault) => !/40[049]/.test(fault)), []);
    await page.context().close();
  });
});

test("a lost line is said to be lost, and taken up again", async () => {
  await withServer({ shards: 1 }, async (server) => {
    const page = await open(browser, server.url, { expected: [/ERR_|Failed to load/] });
    await ready(page);
    await server.stop();
    await until("word of it", async () => (await said(page, "#link")).startsWith("Connection lost"));
    assert.equal(await said(page, "#announcer"), "Connection lost");
    await page.getByRole("button", { name: "Try now" }).click();
    await until("another try in vain", async () => (await said(page, "#link")).startsWith("Connection lost"));
    await server.run();
    await until("a line again", async () => (await said(page, "#link")) === "Live");
    await until("word of that", async () => (await said(page, "#announcer")) === "Connected again");
    assert.equal(await page.locator("body.stale").count(), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("a shard that stands still is shown as such, and the page goes on", async () => {
  await withServer({ shards: 2 }, async (server) => {
    const page = await open(browser, server.url);
    await ready(page);
    // The stream's own thread is not to be the one that sleeps: nobody would say so.
    const { shard: home } = await until("the stream among the clients", async () => {
      const { clients } = await state(server);
      return clients.find((client) => client.command === "rest|events" || client.command === "rest|state");
    });
    const shard = 1 - home;
    const client = await server.connect();
    const slept = client.call("DEBUG", "SLEEP", "10", String(shard));
    await until("a stalled shard", async () => (await said(page, `#shards tr:nth-child(${shard + 1})`)).includes("stalled"));
    await page.locator("#alerts li[data-level=critical]").filter({ hasText: `Shard ${shard} has not answered` }).waitFor();
    assert.equal(await said(page, "#link"), "Live");
    await slept;
    await until("both shards again", async () => !(await said(page, "#shards")).includes("stalled"));
    client.end();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("bounds that are passed are alerts", async () => {
  await withServer({ shards: 1, maxmemory: "16mb", maxclients: 60 }, async (server) => {
    const page = await open(browser, server.url);
    await ready(page);
    await page.evaluate(() => {
      window.heard = [];
      const announcer = document.getElementById("announcer");
      new MutationObserver(() => window.heard.push(announcer.textContent)).observe(announcer, { childList: true, subtree: true });
    });
    const client = await server.connect();
    const alert = (text) => page.locator("#alerts li").filter({ hasText: text }).waitFor({ timeout: 30_000 });
    for (let number = 0; number < 40; number += 1) await client.call("GET", `none:${number}`);
    await alert("below 50");
    await until("word of it", () => page.evaluate(() => window.heard.some((text) => text.includes("critical: Hit rate"))));
    assert.equal(await page.locator("#figure-hits").getAttribute("data-level"), "critical");
    await server.fill({ keys: 60_000, "value-size": 400 });
    await alert("of its limit");
    const others = [];
    while (others.length < 50) others.push(await server.connect());
    for (const other of others) await other.call("PING");
    await alert("clients of at most 60");
    for (const other of [client, ...others]) other.end();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("it is readable on a phone, by day and by night", async () => {
  await withServer({ shards: 2, maxmemory: "16mb" }, async (server) => {
    const load = server.load();
    for (const colorScheme of ["light", "dark"]) {
      for (const [width, height] of [[360, 740], [820, 1180], [1440, 1000]]) {
        const page = await open(browser, server.url, { width, height, colorScheme });
        await ready(page);
        await until("hot keys", async () => (await page.locator("#hot .key-link").count()) > 3);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `${width} wide: ${overflow} too much`);
        for (const { text, ratio, large } of await page.evaluate(contrasts)) {
          assert.ok(ratio >= (large ? 3 : 4.5), `"${text}" has a contrast of ${ratio.toFixed(2)} by ${colorScheme}`);
        }
        assert.deepEqual(page.faults, []);
        await page.context().close();
      }
    }
    await load.end();
  });
});

test("who cannot see it finds names, heads and captions", async () => {
  await withServer({ shards: 2 }, async (server) => {
    const load = server.load();
    const page = await open(browser, server.url);
    await ready(page);
    await until("hot keys", async () => (await page.locator("#hot .key-link").count()) > 3);
    await until("words for the chart", async () => page.locator("#throughput").getAttribute("aria-label"));
    assert.deepEqual(await page.evaluate(faultsOfMarkup), []);
    assert.match(await page.locator("#ring").getAttribute("aria-label"), /used .*Keys and values/);
    await load.end();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("all of it is reached by keys", async () => {
  await withServer({ shards: 1 }, async (server) => {
    await server.call("SET", "hot", "value of the hot key");
    const client = await server.connect();
    const page = await open(browser, server.url);
    await ready(page);
    await until("a hot key", async () => {
      for (let count = 0; count < 50; count += 1) await client.call("GET", "hot");
      return page.locator("#hot .key-link").count();
    });
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const reached = [];
    for (let step = 0; step < 40 && !reached.includes("readyz"); step += 1) {
      await page.keyboard.press("Tab");
      const { name, outline } = await page.evaluate(() => {
        const node = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(node);
        return { name: node.id || node.textContent.trim(), outline: outlineStyle !== "none" && outlineWidth !== "0px" };
      });
      assert.ok(outline, `${name} shows that it has the focus`);
      reached.push(name);
    }
    for (const name of ["hot", "lookup-key", "lookup-db", "Look up", "metrics", "readyz"]) assert.ok(reached.includes(name), `${name} of ${reached}`);
    await page.locator("#hot .key-link").first().focus();
    await page.keyboard.press("Enter");
    await until("its value", async () => (await said(page, "#lookup-result")).includes("value of the hot key"));
    assert.equal(await page.evaluate(() => document.activeElement.id), "lookup-key");
    client.end();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
});

test("who wants no motion gets none", async () => {
  await withServer({ shards: 1 }, async (server) => {
    const page = await open(browser, server.url, { reducedMotion: "reduce" });
    await ready(page);
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((node) => {
        const { transitionDuration, animationName } = getComputedStyle(node);
        return transitionDuration.split(", ").some((time) => time !== "0s") || animationName !== "none";
      }).length);
    assert.equal(moving, 0);
    await page.context().close();
  });
});
