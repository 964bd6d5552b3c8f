// Those who wait until something is true of an object that changes. It says so by changed().
import { within } from "./process.mjs";

export class Watchers {
  #all = new Set();

  // Resolved with what `condition` returns, as soon as that is true.
  until(condition, what, limit) {
    let watcher;
    const done = new Promise((resolve) => {
      watcher = () => {
        const value = condition();
        if (value) resolve(value);
      };
      this.#all.add(watcher);
      watcher();
    });
    return within(done, what, limit).finally(() => this.#all.delete(watcher));
  }
  changed() {
    for (const watcher of [...this.#all]) watcher();
  }
}
