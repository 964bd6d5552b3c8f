// The hooks on a server. In a browser, tests/e2e has them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { FakeWeir } from "./support/fake_weir.mjs";

describe("on a server", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-react-"));
  let page;

  before(async () => {
    const outfile = join(folder, "page.cjs");
    await build({
      stdin: {
        contents: `export { createElement } from "react";
          export { renderToString } from "react-dom/server";
          export * from "./react.ts";`,
        resolveDir: fileURLToPath(new URL("../src", import.meta.url)),
      },
      bundle: true,
      platform: "node",
      format: "cjs",
      outfile,
    });
    page = createRequire(import.meta.url)(outfile);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const hook of ["useChannel", "useFeed", "useText"]) {
    it(`${hook} gives the empty state, and follows nothing`, () => {
      const weir = new FakeWeir();
      for (const args of [[weir, "c", { replay: 5, pick: String, map: String }], [undefined, "c"], [weir, undefined]]) {
        const Component = () => {
          const { status, messages, unread, text, done } = page[hook](...args);
          return JSON.stringify(hook === "useText" ? [status, text, done] : [status, messages, unread]);
        };
        const shown = page.renderToString(page.createElement(Component)).replaceAll("&quot;", '"');
        const status = { state: "connecting", bus: "up" };
        assert.deepEqual(JSON.parse(shown), hook === "useText" ? [status, "", false] : [status, [], 0]);
      }
      assert.equal(weir.opened.length, 0);
      assert.equal(weir.watchers.size, 0);
    });
  }

  it("openai takes the text of a chunk", () => {
    const chunk = (delta) => ({ choices: [{ index: 0, delta }] });
    const texts = [chunk({ role: "assistant", content: "" }), chunk({ content: "Hi" }), chunk({}), { choices: [] }, "[DONE]", null].map(page.openai);
    assert.deepEqual(texts, ["", "Hi", undefined, undefined, undefined, undefined]);
  });
});
