// Files that are put together from messages, with a client that does as the test says.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, describe, it } from "node:test";
import { FakeWeir } from "./support/fake_weir.mjs";
import { importSource } from "./support/modules.mjs";

const { FileError, receiveFile } = await importSource("file.ts");

// A file, and the messages that weir-publish-file makes of it.
function fileOf(text, { partBytes = 4, name = "a.txt", sha256 } = {}) {
  const bytes = Buffer.from(text);
  const parts = [];
  for (let offset = 0; offset < bytes.length; offset += partBytes) {
    parts.push({ n: parts.length, offset, base64: bytes.subarray(offset, offset + partBytes).toString("base64") });
  }
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { text, digest, parts, head: { name, size: bytes.length, sha256: sha256 ?? digest, parts: parts.length } };
}
const LETTERS = fileOf("abcdefghijklmnopqrstuvwxyz"); // Seven parts.

describe("a file", () => {
  let weir;
  beforeEach(() => {
    weir = new FakeWeir();
  });
  const send = ({ head, parts }, numbers = parts.keys()) => {
    weir.message(head, "file");
    for (const n of numbers) weir.message(parts[n], "part");
  };
  const failsWith = (promise, message, missing = []) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof FileError);
      assert.equal(error.name, "FileError");
      assert.match(error.message, message);
      assert.deepEqual(error.missing, missing);
      assert.equal(weir.listeners.size, 0);
      return true;
    });

  it("is put together from its parts, whatever else is on the channel, and left then", async () => {
    const progress = [];
    const received = receiveFile(weir, "c", { progress: (...args) => progress.push(args) });
    assert.deepEqual(weir.opened[0].options, { replay: "all" });
    weir.message({ n: 0, base64: "AAAA" }, "part"); // Of a file whose beginning has been missed.
    weir.message("text");
    weir.message(null);
    send(LETTERS);
    assert.equal(weir.listeners.size, 0);
    const { blob, name, sha256 } = await received;
    assert.equal(await blob.text(), LETTERS.text);
    assert.equal(name, "a.txt");
    assert.equal(sha256, LETTERS.digest);
    assert.deepEqual(progress, [[0, 26], [4, 26], [8, 26], [12, 26], [16, 26], [20, 26], [24, 26], [26, 26]]);
  });

  it("may come in any order, and twice", async () => {
    const received = receiveFile(weir, "c", { replay: 100 });
    assert.deepEqual(weir.opened[0].options, { replay: 100 });
    send(LETTERS, [6, 0, 0, 3, 2, 6, 1, 5, 4]);
    assert.equal(await (await received).blob.text(), LETTERS.text);
  });

  it("has its holes filled by the next round", async () => {
    const received = receiveFile(weir, "c", {});
    send(LETTERS, [0, 1, 5]);
    weir.tell("gap", { channel: "c", missed: 3, reason: "slow-client" });
    send(LETTERS, [0, 2, 3, 4, 6]);
    assert.equal(await (await received).blob.text(), LETTERS.text);
  });

  it("that has holes at the end fails, and says which", async () => {
    const received = receiveFile(weir, "c", {});
    send(LETTERS, [0, 1, 2, 4]);
    weir.tell("end");
    await failsWith(received, /^parts 3, 5-6 of 7 are missing$/, [3, 5, 6]);
  });

  it("says of long holes where they begin and end", async () => {
    const received = receiveFile(weir, "c", {});
    const long = fileOf("x".repeat(400), { partBytes: 10 });
    send(long, [...Array(40).keys()].filter((n) => ![3, 7, 8, 9, 39].includes(n)));
    weir.tell("end");
    await failsWith(received, /^parts 3, 7-9, 39 of 40 are missing$/, [3, 7, 8, 9, 39]);
  });

  it("that was never sent fails at the end", async () => {
    const received = receiveFile(weir, "c", {});
    weir.tell("end");
    await failsWith(received, /^the file is missing$/);
  });

  it("that is not what its SHA-256 says fails", async () => {
    const received = receiveFile(weir, "c", {});
    send(fileOf("other", { sha256: LETTERS.digest }));
    await failsWith(received, /SHA-256/);
  });

  it("begins anew when another one comes, and when it comes in other parts", async () => {
    const progress = [];
    const received = receiveFile(weir, "c", { progress: (done, size) => progress.push(`${done}/${size}`) });
    send(fileOf("the first one"), [0, 1]);
    send(fileOf(LETTERS.text, { partBytes: 10 }), [0, 1]);
    send(LETTERS);
    assert.equal(await (await received).blob.text(), LETTERS.text);
    assert.deepEqual(progress.slice(0, 7), ["0/13", "4/13", "8/13", "0/26", "10/26", "20/26", "0/26"]);
  });

  it("may be empty", async () => {
    const received = receiveFile(weir, "c", {});
    send(fileOf(""));
    const { blob } = await received;
    assert.equal(blob.size, 0);
  });

  it("may be one message, which has no name", async () => {
    const progress = [];
    const received = receiveFile(weir, "c", { progress: (...args) => progress.push(args) });
    weir.message({ msg: new TextEncoder().encode(LETTERS.text) });
    const { blob, name, sha256 } = await received;
    assert.equal(await blob.text(), LETTERS.text);
    assert.equal(name, "");
    assert.equal(sha256, LETTERS.digest);
    assert.deepEqual(progress, [[26, 26]]);
    assert.equal(weir.listeners.size, 0);
  });

  it("may be one message without bytes", async () => {
    const received = receiveFile(weir, "c", {});
    weir.message({ msg: new Uint8Array() });
    assert.equal((await received).blob.size, 0);
  });

  it("in parts is not disturbed by a message with bytes", async () => {
    const received = receiveFile(weir, "c", {});
    send(LETTERS, [0, 1]);
    weir.message({ msg: new Uint8Array([1]) });
    send(LETTERS);
    assert.equal(await (await received).blob.text(), LETTERS.text);
  });

  for (const [what, head, parts, message = /^the parts are not of/] of [
    ["more bytes than it has", { ...LETTERS.head, size: 7 }, LETTERS.parts],
    ["fewer parts than were announced", { ...LETTERS.head, size: 4 }, LETTERS.parts],
    ["no size", { ...LETTERS.head, size: undefined }, LETTERS.parts],
    ["a negative size", { ...LETTERS.head, size: -1 }, LETTERS.parts],
    ["too many parts", { ...LETTERS.head, parts: 1e9 }, [], /^too many parts$/],
    ["no number of parts", { ...LETTERS.head, parts: undefined }, [], /^too many parts$/],
  ]) {
    it(`with ${what} is refused`, async () => {
      const received = receiveFile(weir, "c", {});
      send({ head, parts });
      await failsWith(received, message);
    });
  }

  it("ignores parts that it does not have", async () => {
    const received = receiveFile(weir, "c", {});
    send(LETTERS, [0, 1]);
    for (const n of [7, -1, 0.5, "length", undefined]) weir.message({ n, base64: "AAAA" }, "part");
    send(LETTERS);
    assert.equal(await (await received).blob.text(), LETTERS.text);
  });

  it("fails where its channel is refused", async () => {
    const received = receiveFile(weir, "c", {});
    weir.tell("refused", { status: 403, detail: "no", channel: "c" });
    await assert.rejects(received, { name: "RefusedError", refusal: { status: 403, detail: "no", channel: "c" } });
    assert.equal(weir.listeners.size, 0);
  });

  it("is left when it is given up", async () => {
    const stop = new AbortController();
    const received = receiveFile(weir, "c", { signal: stop.signal });
    send(LETTERS, [0]);
    stop.abort(new Error("enough"));
    assert.equal(weir.listeners.size, 0);
    await assert.rejects(received, /enough/);
  });

  it("is not begun when it was given up before", async () => {
    const received = receiveFile(weir, "c", { signal: AbortSignal.abort() });
    assert.equal(weir.listeners.size, 0);
    await assert.rejects(received, { name: "AbortError" });
  });

  it("leaves no listener on the signal, however it ends", async () => {
    let count = 0;
    const signal = {
      addEventListener: () => ++count,
      removeEventListener: (type, listener) => (assert.ok(type === "abort" && listener), --count),
    };
    const whole = receiveFile(weir, "c", { signal });
    send(LETTERS);
    await whole;
    assert.equal(count, 0);
    const broken = receiveFile(weir, "c", { signal });
    weir.tell("end");
    await assert.rejects(broken);
    assert.equal(count, 0);
  });

  it("comes unchecked where there are no digests, and that is said once", async (t) => {
    const warn = t.mock.method(console, "warn", () => {});
    const kept = Object.getOwnPropertyDescriptor(globalThis, "crypto");
    Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
    try {
      for (let i = 0; i < 2; ++i) {
        const received = receiveFile(weir, "c", {});
        send(LETTERS);
        assert.equal((await received).sha256, LETTERS.digest);
      }
      const small = receiveFile(weir, "c", {});
      weir.message({ msg: new Uint8Array([1]) });
      assert.equal((await small).sha256, "");
    } finally {
      Object.defineProperty(globalThis, "crypto", kept);
    }
    assert.equal(warn.mock.callCount(), 1);
  });

  it("may be large", async () => {
    const large = fileOf("x".repeat(20 << 20), { partBytes: 49_152 });
    const received = receiveFile(weir, "c", {});
    send(large);
    assert.equal((await received).sha256, large.digest);
  });
});
