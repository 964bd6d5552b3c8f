// weir.file() in a browser: what weir-publish-file sends is put together again, byte for byte, or it is said what is missing.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { startFaultProxy } from "./support/fault_proxy.mjs";
import { PLAIN_ENVIRONMENT, run, within } from "./support/process.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

const LARGE = 20 << 20;
const digestOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

let browser, pages, redis, broker, folder;
let proxy, context, tab, channel;

before(async () => {
  redis = await startRedis();
  pages = await serveClient();
  broker = await startBroker({
    redis,
    args: [
      "--cors-origin", pages.url, "--retry-ms", "100", "--durable", "kept.*",
      "--history-messages", "1000", "--history-bytes", "64M", "--queue-bytes", "64M",
    ],
  });
  browser = await launchBrowser();
  folder = mkdtempSync(join(tmpdir(), "weir-e2e-file-"));
});
after(async () => {
  await browser?.close();
  await broker?.stop();
  await redis?.stop();
  await pages?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  channel = `file-${Math.random().toString(36).slice(2)}`;
  proxy = await startFaultProxy(broker.url);
  context = await browser.newContext();
  tab = await openTab(context, pages);
  await tab.connect(proxy.url);
});
afterEach(async () => {
  await context.close();
  await proxy.stop();
  assert.deepEqual(tab.problems, []);
});

// A file of random bytes, and its digest.
function makeFile(size, name = "photo.jpg") {
  const bytes = randomBytes(size);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, size, sha256: digestOf(bytes), name };
}
const send = ({ path }, ...flags) =>
  run(join(process.env.WEIR_BIN, "weir-publish-file"), ["--to", broker.url, "--channel", channel, "--rate", "0", ...flags, path], {
    env: PLAIN_ENVIRONMENT,
  });
// Receives the file. Returns what came of it: {size, sha256, name, digest} or {error, message, missing}, and the progress.
async function receive(options = {}, limit) {
  const work = tab.page.evaluate(
    async ([name, settings]) => {
      const progress = (window.progress = []);
      try {
        const { blob, ...rest } = await window.weir.file(name, { ...settings, progress: (done, size) => progress.push([done, size]) });
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
        const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
        return { ...rest, size: blob.size, digest: hex, progress };
      } catch (error) {
        return { error: error.name, message: error.message, missing: error.missing, refusal: error.refusal, progress };
      }
    },
    [channel, options],
  );
  return within(work, "file", limit).catch(async (error) => {
    const seen = await tab.page.evaluate(() => [window.progress.at(-1), window.recorder.states.slice(-5)]);
    throw new Error(`${error.message}; the page has: ${JSON.stringify(seen)}; ${proxy.asked.map(({ url }) => url)}`);
  });
}
function isWhole(result, { size, sha256, name }) {
  const { progress, ...rest } = result;
  assert.deepEqual(rest, { name, size, sha256, digest: sha256 });
  const steps = progress.map(([done]) => done);
  assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
  assert.equal(steps.at(-1), size);
  assert.ok(progress.every(([, all]) => all === size));
}

// A file of `parts` bytes in as many parts, as weir-publish-file would send it; without those parts that are left out.
function letters(parts, { without = [], sha256 } = {}) {
  const bytes = Buffer.from(Array.from({ length: parts }, (_, n) => 97 + n));
  const file = { name: "letters.txt", size: parts, sha256: sha256 ?? digestOf(bytes), parts };
  const part = (n) => ({ type: "part", data: { n, offset: n, base64: bytes.subarray(n, n + 1).toString("base64") } });
  const numbers = [...bytes.keys()].filter((n) => !without.includes(n));
  return { ...file, messages: [{ type: "file", data: file }, ...numbers.map(part)] };
}
const publish = (messages) => redis.publishAll(channel, messages.map((message) => JSON.stringify(message)));
const END = { type: "weir:end" };

describe("a file of 20 MB", () => {
  for (const kind of ["live", "durable"]) {
    it(`is received whole from a ${kind} channel, while it is sent`, async () => {
      if (kind === "durable") channel = `kept.${channel}`;
      const file = makeFile(LARGE);
      const received = receive({}, 120_000);
      await proxy.begun(1); // From now on it misses nothing.
      await send(file, "--rate", "16M");
      isWhole(await received, file);
    });
  }

  it("is received whole though the connection is cut in the middle", async () => {
    channel = `kept.${channel}`;
    const file = makeFile(LARGE);
    const received = receive({}, 120_000);
    await proxy.begun(1); // From now on it misses nothing.
    const sent = send(file, "--rate", "16M");
    for (let n = 1; n <= 3; n++) {
      await proxy.begun(n);
      await proxy.passed(n * 4_000_000);
      proxy.cut();
    }
    await sent;
    isWhole(await received, file);
    assert.ok(proxy.asked.length >= 4);
  });

  it("is received whole by who comes when it was sent", async () => {
    channel = `kept.${channel}`;
    const file = makeFile(LARGE);
    await send(file);
    isWhole(await receive({}, 120_000), file);
  });
});

describe("a file", () => {
  it("that is small and comes in one message is received", async () => {
    channel = `kept.${channel}`;
    const file = makeFile(1_000, "small.bin");
    await send(file, "--form", "buffer");
    const { digest, size, progress } = await receive();
    assert.deepEqual([digest, size, progress.at(-1)], [file.sha256, 1_000, [1_000, 1_000]]);
  });

  it("that is empty is received", async () => {
    channel = `kept.${channel}`;
    const file = makeFile(0, "empty.bin");
    await send(file, "--form", "parts");
    const { digest, size } = await receive();
    assert.deepEqual([digest, size], [file.sha256, 0]);
  });

  it("of which parts got lost fails, and says which", async () => {
    const received = receive();
    await proxy.begun(1); // From now on it misses nothing.
    await publish([...letters(10, { without: [3, 7, 8] }).messages, END]);
    const { error, message, missing } = await received;
    assert.equal(error, "FileError");
    assert.deepEqual(missing, [3, 7, 8]);
    assert.match(message, /3/);
    assert.match(message, /7/);
  });

  it("whose holes the second round fills is received", async () => {
    const received = receive();
    await proxy.begun(1); // From now on it misses nothing.
    const file = letters(10);
    await publish([...letters(10, { without: [3, 7] }).messages, ...letters(10, { without: [0, 9] }).messages, END]);
    isWhole(await received, file);
  });

  it("whose parts come twice and in another order is received", async () => {
    const received = receive();
    await proxy.begun(1); // From now on it misses nothing.
    const { messages: [head, ...parts], ...file } = letters(10);
    await publish([head, ...parts.reverse(), ...parts, END]);
    isWhole(await received, file);
  });

  it("that is another one than its sender said fails", async () => {
    const received = receive();
    await proxy.begun(1); // From now on it misses nothing.
    await publish([...letters(3, { sha256: digestOf("something else") }).messages, END]);
    const { error, message } = await received;
    assert.equal(error, "FileError");
    assert.match(message, /SHA-256/);
  });

  it("that never begins fails at the end of the channel", async () => {
    const received = receive();
    await proxy.begun(1); // From now on it misses nothing.
    await publish([END]);
    assert.equal((await received).error, "FileError");
  });

  it("of a channel that is refused fails with the gateway's words", async () => {
    proxy.fail({ status: 403, headers: { "Content-Type": "application/json" }, body: '{"error":"forbidden","detail":"not for you"}' });
    const { error, refusal } = await receive();
    assert.equal(error, "RefusedError");
    assert.equal(refusal.detail, "not for you");
  });

  it("that nobody wants any more is left", async () => {
    const outcome = tab.page.evaluate(
      (name) => window.recorder.outcome(window.weir.file(name, { signal: (window.abort = new AbortController()).signal })),
      channel,
    );
    await proxy.begun(1); // From now on it misses nothing.
    await tab.page.evaluate(() => window.abort.abort());
    assert.equal((await within(outcome, "outcome")).error, "AbortError");
    await broker.subscribers(channel, 0);
  });
});
