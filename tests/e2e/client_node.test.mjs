// The client library in Node, and its types.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { SOURCE } from "./support/pages.mjs";
import { Program, run, within } from "./support/process.mjs";
import { range } from "./support/publisher.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { CLIENT } from "./support/weir_page.mjs";

const LIBRARY = pathToFileURL(join(CLIENT, "weir.js")).href;
const skip = Number(process.versions.node.split(".")[0]) < 20 && "the client takes Node 20";

describe("the client in Node", { skip }, () => {
  let redis, broker, connect, weir, channel;

  before(async () => {
    redis = await startRedis();
    broker = await startBroker({ redis, args: ["--retry-ms", "100", "--history-messages", "3", "--durable", "kept.*"] });
    ({ connect } = await import(LIBRARY));
  });
  after(async () => {
    await broker?.stop();
    await redis?.stop();
  });
  beforeEach((test) => {
    channel = `node-${Math.random().toString(36).slice(2)}`;
    weir = connect(broker.url);
    test.after(() => weir.close());
  });

  // Resolved when the stream is there: from then on it misses nothing.
  const isOpen = () =>
    within(new Promise((resolve) => (weir.onstate = ({ state }) => state === "open" && resolve())), "open stream");
  // Follows the channel; the kinds and values that it is told. Resolved when it is live.
  async function following(options) {
    const told = [];
    const waiting = new Set();
    const tell = (kind) => (value) => {
      told.push([kind, value]);
      for (const check of [...waiting]) check();
    };
    const until = (condition, what) =>
      within(new Promise((resolve) => {
        const check = () => condition() && resolve(told);
        waiting.add(check);
        check();
      }), what);
    const handlers = Object.fromEntries(["message", "batch", "gap", "live", "end", "refused"].map((kind) => [kind, tell(kind)]));
    const off = weir.on(channel, handlers, options);
    await until(() => told.some(([kind]) => kind === "live"), "live");
    const of = (wanted) => told.filter(([kind]) => kind === wanted).map(([, value]) => value);
    return { told, off, of, wait: (kind, count = 1) => until(() => of(kind).length >= count, `${kind} ${count}`) };
  }

  it("tells its listeners what comes, until they leave", async () => {
    const listener = await following();
    await redis.publish(channel, "0");
    await listener.wait("batch");
    assert.deepEqual(listener.of("message"), [0]);
    assert.deepEqual(listener.of("batch").flat().map(({ data }) => data), [0]);
    listener.off();
    await broker.subscribers(channel, 0);
  });

  it("publishes, and says who got it", async () => {
    const listener = await following();
    assert.deepEqual(await weir.publish(channel, { total: 3 }), { channel, receivers: 1, subscribers: 1 });
    await listener.wait("message");
    assert.deepEqual(listener.of("message"), [{ total: 3 }]);
  });

  it("publishes data that looks like an envelope as it is, and texts", async () => {
    const listener = await following();
    const all = [{ data: 1 }, { data: { type: "x" }, type: "y" }, "text", "", null, [1], "two\nlines", 0.5, true];
    for (const data of all) await weir.publish(channel, data);
    await listener.wait("message", all.length);
    assert.deepEqual(listener.of("message"), all);
  });

  it("publishes with a type and an id", async () => {
    const messages = weir.read(channel);
    const first = messages.next();
    await isOpen();
    await weir.publish(channel, 1, { type: "order", id: "o-1", retry: 2_000 });
    const { value } = await within(first, "message");
    assert.deepEqual([value.data, value.type], [1, "order"]);
    assert.match(value.id, /~o-1$/);
    await messages.return();
    await broker.subscribers(channel, 0);
  });

  it("publishes once under an idempotency key of a durable channel", async () => {
    const kept = `kept.${channel}`;
    const first = await weir.publish(kept, 1, { idempotencyKey: "a" });
    const second = await weir.publish(kept, 1, { idempotencyKey: "a" });
    assert.equal(first.repeated, undefined);
    assert.equal(second.repeated, true);
    assert.equal(second.id, first.id);
  });

  const readAll = async (options) => {
    const data = [];
    for await (const message of weir.read(channel, options)) data.push(message.data);
    return data;
  };

  it("reads a channel up to its end", async () => {
    const read = readAll();
    await isOpen();
    for (const n of range(3)) await weir.publish(channel, n);
    await weir.end(channel, { exit: 0 });
    assert.deepEqual(await within(read, "end of read()"), range(3));
  });

  it("is told what the publisher gave with the end", async () => {
    const listener = await following();
    await weir.end(channel, { exit: 0 });
    await listener.wait("end");
    assert.deepEqual(listener.of("end"), [{ exit: 0 }]);
  });

  it("reads to its end a channel that is joined just before its end", async () => {
    const listener = await following();
    const read = readAll();
    await weir.end(channel);
    await listener.wait("end");
    await within(read, "end of read()");
  });

  it("throws GapError where messages are missing", async () => {
    const listener = await following();
    await redis.publishAll(channel, range(5).map(String));
    await listener.wait("message", 5);
    const data = [];
    const read = async () => {
      for await (const message of weir.read(channel, { replay: "all" })) data.push(message.data);
    };
    await assert.rejects(within(read(), "end of read()"), (error) => {
      assert.equal(error.name, "GapError");
      assert.deepEqual(error.gap, { channel, missed: 2, reason: "history" });
      return true;
    });
    assert.deepEqual(data, []); // Three are left, behind the gap.
  });

  it("stops reading at a signal", async () => {
    const abort = new AbortController();
    const next = weir.read(channel, { signal: abort.signal }).next();
    await broker.subscribers(channel, 1);
    abort.abort(new Error("enough"));
    await assert.rejects(within(next, "end of read()"), /enough/);
    await broker.subscribers(channel, 0);
  });

  it("throws what a publish is refused with", async () => {
    await assert.rejects(weir.publish("no name!", 1), ({ name, refusal }) => name === "RefusedError" && refusal.status === 400);
    const nobody = connect("http://127.0.0.1:9");
    await assert.rejects(nobody.publish(channel, 1), TypeError);
    nobody.close();
  });

  it("tells nothing after close()", async () => {
    const listener = await following();
    let states = 0;
    weir.onstate = () => (states += 1);
    weir.close();
    await broker.subscribers(channel, 0);
    await redis.publish(channel, "0");
    assert.deepEqual(listener.of("message"), []);
    assert.equal(states, 0);
  });

  it("lets a program end after close(), and prints nothing", async () => {
    const text = `
      import { connect } from ${JSON.stringify(LIBRARY)};
      const weir = connect(${JSON.stringify(broker.url)});
      weir.on("${channel}", { live: () => weir.publish("${channel}", "hello"), message: () => weir.close() });`;
    const program = new Program(process.execPath, ["--input-type=module", "-e", text]);
    assert.equal(await within(program.ended, "end of the program"), 0);
    assert.equal(program.output, "");
  });
});

describe("the types of the client", { skip }, () => {
  const USES = `
import { connect, GapError, RefusedError, type ConnectOptions, type Gap, type Message, type Published, type Status, type Weir } from "@weir/client";

interface Order { total: number }
const options: ConnectOptions = {
  token: async () => "token", key: "me", credentials: "omit", resume: false, share: false, timeout: 1_000,
};
const weir: Weir = connect("https://example.com", options);
weir.onstate = ({ state, bus, error }: Status) => console.log(state === "open", bus === "up", error?.status);
const off: () => void = weir.on<Order>("orders", {
  message(order, message) { console.log(order.total, message.channel, message.type?.length, message.id, message.time); },
  batch(messages) { const orders: Message<Order>[] = messages; console.log(orders[0]?.data.total); },
  gap({ missed, reason }: Gap) { if (missed !== null) console.log(missed + 1, reason); },
  live({ replayed }) { console.log(replayed + 1); },
  end(data) { console.log(data); },
  refused({ status, detail, channel }) { console.log(status, detail, channel); },
}, { replay: "all" });
weir.on("orders", {}, { replay: 20 });
// @ts-expect-error: a replay is a number or "all".
weir.on("orders", {}, { replay: "some" });
off();
try {
  for await (const { data } of weir.read<Order>("orders", { replay: 1, signal: new AbortController().signal })) console.log(data.total);
} catch (error) {
  if (error instanceof GapError) console.log(error.gap.missed);
  if (error instanceof RefusedError) console.log(error.refusal.status);
}
const published: Published = await weir.publish("orders", { total: 1 }, { type: "order", id: "1", retry: 1_000, idempotencyKey: "k" });
console.log(published.subscribers, published.receivers, published.id, published.repeated);
await weir.end("orders", { exit: 0 });
const { blob, name, sha256 } = await weir.file("file", { progress(done, size) { console.log(done / size); }, replay: "all" });
console.log(blob.size, name, sha256);
weir.close();
`;
  const FILE = 'import { FileError } from "@weir/client/file";\nexport const isHole = (error: unknown) => error instanceof FileError && error.missing;\n';

  // Compiles programs as somebody does who has the package, and no more than it.
  async function compile(lib, types) {
    const client = join(SOURCE, "web/client");
    const folder = mkdtempSync(join(tmpdir(), "weir-types-"));
    try {
      mkdirSync(join(folder, "node_modules/@weir/client"), { recursive: true });
      cpSync(join(client, "package.json"), join(folder, "node_modules/@weir/client/package.json"));
      cpSync(CLIENT, join(folder, "node_modules/@weir/client/dist"), { recursive: true });
      if (types.length) symlinkSync(join(client, "node_modules/@types"), join(folder, "node_modules/@types"));
      if (types.length) symlinkSync(join(client, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
      writeFileSync(join(folder, "package.json"), '{"type":"module"}');
      writeFileSync(join(folder, "uses.ts"), USES);
      writeFileSync(join(folder, "file.ts"), FILE);
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
        compilerOptions: {
          strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true,
          module: "NodeNext", target: "ES2022", lib, types,
        },
        files: ["uses.ts", "file.ts"],
      }));
      await run(process.execPath, [join(client, "node_modules/typescript/bin/tsc"), "-p", folder]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it("are right for a page, in strict mode", () => compile(["ES2022", "DOM", "DOM.Iterable"], []));
  it("are right for a program of Node, in strict mode", () => compile(["ES2022"], ["node"]));
});
