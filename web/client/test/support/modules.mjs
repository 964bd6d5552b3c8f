// Imports modules of src/ as Node runs them: TypeScript bundled, with nothing left out.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export async function importSource(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../src/${name}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["react", "./file.js"],
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
