// Makes web/dist, the files that the gateway serves and the npm package consists of.
//
//   node build.mjs               writes ../dist
//   node build.mjs --into DIR    writes there
//   node build.mjs --check       compares ../dist with what would be written, and the sizes with their limits
//
// The output is the same, byte for byte, for the same sources and lockfile.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
// The most bytes of each program, gzipped: what a page pays. file.js and react.js come on top of weir.js.
const LIMITS = { "weir.js": 5_600, "file.js": 1024, "react.js": 1024 };

async function write(folder) {
  mkdirSync(folder, { recursive: true });
  for (const entry of Object.keys(LIMITS)) {
    const { outputFiles } = await build({
      entryPoints: [join(here, "src", entry.replace(".js", ".ts"))],
      write: false,
      bundle: true,
      format: "esm",
      target: "es2022",
      charset: "utf8",
      external: ["react", "./file.js", "./weir.js"],
      logLevel: "warning",
    });
    // Some 5 % smaller than what esbuild makes of it.
    const { code } = await minify(outputFiles[0].text, {
      module: true,
      ecma: 2022,
      compress: { passes: 3, unsafe: true },
      format: { preamble: `// @weir/client ${version}, MIT license` },
    });
    writeFileSync(join(folder, entry), `${code}\n`);
  }
  // Declarations of the three entries; what is not exported by them stays out.
  const types = mkdtempSync(join(tmpdir(), "weir-types-"));
  try {
    const tsc = join(here, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [
      tsc, "-p", here, "--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--rewriteRelativeImportExtensions",
      "--outDir", types,
    ], { stdio: "inherit" });
    for (const entry of Object.keys(LIMITS)) {
      const name = entry.replace(".js", ".d.ts");
      const text = readFileSync(join(types, name), "utf8").replaceAll(/from "(\.\/\w+)\.ts"/g, 'from "$1.js"');
      writeFileSync(join(folder, name), text);
    }
  } finally {
    rmSync(types, { recursive: true, force: true });
  }
}

// The programs that are larger than their limits.
function tooLarge(folder) {
  return Object.entries(LIMITS).flatMap(([name, limit]) => {
    const size = gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
    console.log(`${name}: ${size} bytes gzipped, of ${limit}`);
    return size > limit ? [`${name} is larger than ${limit} bytes`] : [];
  });
}

// The files of one folder that the other does not have, or has otherwise.
function differences(made, kept) {
  const names = new Set([...readdirSync(made), ...readdirSync(kept)]);
  const read = (folder, name) => {
    try {
      return readFileSync(join(folder, name));
    } catch {
      return Buffer.alloc(0);
    }
  };
  return [...names].filter((name) => !read(made, name).equals(read(kept, name))).map((name) => `web/dist/${name} is not what the sources make`);
}

const [flag, folder] = process.argv.slice(2);
const dist = join(here, "../dist");
if (flag === "--check") {
  const made = mkdtempSync(join(tmpdir(), "weir-dist-"));
  await write(made);
  const mistakes = [...differences(made, dist), ...tooLarge(made)];
  rmSync(made, { recursive: true, force: true });
  for (const mistake of mistakes) console.error(`web/client: ${mistake}`);
  if (mistakes.length > 0) process.exit(1);
} else {
  const target = flag === "--into" ? resolve(folder) : dist;
  rmSync(target, { recursive: true, force: true });
  await write(target);
  tooLarge(target);
}
