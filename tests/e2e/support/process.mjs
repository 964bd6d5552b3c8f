// Programs that a test starts: each is ended by its own pid, and one that dies early fails the test with its output.
import { spawn } from "node:child_process";

export const LIMIT_MS = 30_000; // An upper bound for a busy machine; nothing waits this long for no reason.

// For weir's programs: settings in the environment of whoever runs the tests are not part of the test.
export const PLAIN_ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("WEIR_")),
);

// Fails loudly if `promise` takes longer than the limit.
export function within(promise, what, limit = LIMIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${limit / 1000} s`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Program {
  constructor(command, args, { env } = {}) {
    this.name = [command, ...args].join(" ");
    this.output = "";
    this.child = spawn(command, args, { env: env ?? process.env, stdio: ["ignore", "pipe", "pipe"] });
    this.watchers = new Set();
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        this.output += text;
        for (const watcher of [...this.watchers]) watcher();
      });
    }
    // "close" comes after the last output, "exit" may come before it.
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => resolve(error.message));
      this.child.on("close", (code, signal) => resolve(signal ?? code));
    });
    this.ended.then((result) => {
      this.result = result;
      for (const watcher of [...this.watchers]) watcher();
    });
    started.add(this);
    this.ended.then(() => started.delete(this));
  }

  // The match of `pattern` in what the program has printed, as soon as it is there.
  printed(pattern) {
    let watcher;
    const found = new Promise((resolve, reject) => {
      watcher = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match);
        else if (this.result !== undefined)
          reject(new Error(`${this.name} ended (${this.result}) before it printed ${pattern}:\n${this.output}`));
      };
      this.watchers.add(watcher);
      watcher();
    });
    return within(found, `${pattern} from ${this.name}`)
      .catch((error) => {
        throw new Error(`${error.message}\n${this.output}`);
      })
      .finally(() => this.watchers.delete(watcher));
  }

  // Asks it to end, and returns how it ended: an exit code, or the name of a signal.
  async stop(signal = "SIGTERM") {
    if (this.result === undefined && this.child.pid) this.child.kill(signal);
    try {
      return await within(this.ended, `end of ${this.name}`);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw new Error(`${error.message}\n${this.output}`);
    }
  }
}

// A test that fails half-way must not leave programs behind.
const started = new Set();
process.on("exit", () => {
  for (const program of started) program.child.kill("SIGKILL");
});

// Runs a program to its end; its standard output, or an error with all that it printed.
export async function run(command, args, { input, env } = {}) {
  const child = spawn(command, args, { env: env ?? process.env, stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdin.on("error", () => {}); // A program that ends without reading: its exit code tells.
  child.stdin.end(input ?? "");
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
