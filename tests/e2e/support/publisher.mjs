// Publishes numbers at a steady rate, for tests of what comes while something else happens.

const SLICE_MS = 100;

// 0, 1, 2, … on `channel`, so many a second by the wall clock. stop() returns how many there were.
export function startPublisher(redis, channel, perSecond, { payload = String } = {}) {
  const start = Date.now();
  let count = 0;
  let isStopped = false;
  const loop = (async () => {
    while (!isStopped) {
      const due = Math.ceil(((Date.now() - start) / 1000) * perSecond);
      if (due > count) await redis.publishAll(channel, Array.from({ length: due - count }, (_, n) => payload(count + n)));
      count = Math.max(count, due);
      await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    }
    return count;
  })();
  return {
    get count() {
      return count;
    },
    // Waits until so many more were published.
    async more(number) {
      for (const goal = count + number; count < goal; ) await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    },
    stop() {
      isStopped = true;
      return loop;
    },
  };
}

// 0 … count - 1: what everybody must have got, in order, nothing missing and nothing twice.
export const range = (count) => Array.from({ length: count }, (_, n) => n);
