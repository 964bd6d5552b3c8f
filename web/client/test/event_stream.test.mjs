// The parser of text/event-stream.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importSource } from "./support/modules.mjs";

const { parseEventStream } = await importSource("event_stream.ts");

function parse(...pieces) {
  const blocks = [];
  const feed = parseEventStream((block) => blocks.push(block));
  pieces.forEach(feed);
  return blocks;
}

describe("parseEventStream", () => {
  it("gives the fields of each block, also of those without data", () => {
    assert.deepEqual(parse(": weir heartbeat=15\nretry: 3000\nid: g1.7\n\nevent: weir:gap\ndata: {}\n\n"), [
      { "": "weir heartbeat=15", retry: "3000", id: "g1.7" },
      { event: "weir:gap", data: "{}" },
    ]);
  });
  it("joins lines of the same name", () => {
    assert.deepEqual(parse("data: {\ndata:  1}\n\n"), [{ data: "{\n 1}" }]);
    assert.deepEqual(parse(": a\n: b\n\n"), [{ "": "a\nb" }]);
  });
  it("keeps colons, blanks and odd line ends in a value", () => {
    assert.deepEqual(parse("data: a: b  \n\n"), [{ data: "a: b  " }]);
    assert.deepEqual(parse('data: "\u2028\u2029\r"\n\n'), [{ data: '"\u2028\u2029\r"' }]);
  });
  it("gives an empty value where nothing follows the colon", () => {
    assert.deepEqual(parse("data:\n\n", "data: \n\n"), [{ data: "" }, { data: "" }]);
  });
  it("takes a stream in pieces of any size", () => {
    const text = ": weir heartbeat=15\nretry: 3000\nid: g1.7\n\ndata: one\nid: g1.8\n\n:\n\ndata: two\n\n";
    const whole = parse(text);
    for (let size = 1; size < text.length; ++size) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
      assert.deepEqual(parse(...pieces), whole);
    }
  });
  it("drops a block that no blank line ends", () => {
    assert.deepEqual(parse("data: one\n\ndata: two\n"), [{ data: "one" }]);
  });
});
