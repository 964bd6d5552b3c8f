// One stream of several channels (GET /events?form=json) that never gives up: it reconnects, and resumes each channel at
// the position where it was. It knows no listeners and no tabs.
import { parseEventStream, type Block } from "./event_stream.ts";
import { refusalOf, type Link } from "./link.ts";
import type { Gap, Message, Refusal, Replay, Status } from "./weir.ts";

// What happens on a stream, in order.
export type Item =
  // `isOld`: of the replay that `began` has named, or published during it.
  | { kind: "message"; channel: string; value: Message; isOld?: boolean }
  | { kind: "gap"; channel: string; value: Gap }
  // The stream has the channel now.
  | { kind: "began"; channel: string; value: Began }
  | { kind: "live"; channel: string; value?: { replayed: number } }
  | { kind: "end"; channel: string; value?: unknown }
  | { kind: "refused"; channel: string; value: Refusal }
  | { kind: "status"; channel?: never; value: Status };

// How a channel begins: at the position `from`; or, without one, with the replay that the tab `by` has asked for.
export interface Began {
  from?: string | undefined;
  by?: string | undefined;
  replay?: Replay | undefined;
}
export type Channels = Map<string, Began>;

// A position: what follows `id` on these channels has not been seen. Of other channels the id says nothing.
export interface Spot {
  id?: string | undefined;
  channels: string[];
  silence?: number | undefined; // How long the stream may be silent, in ms, if that is known.
}

export interface Stream {
  // Those that are followed: not those that ended or were refused.
  readonly channels: Channels;
  // Follows these channels from now on, and no others. Reconnects if they are not the same as before.
  follow(channels: Channels): void;
  // Says once more that these channels began, if the stream is open and has them.
  repeat(channels: Iterable<string>): void;
  // Reconnects at once if it is waiting to.
  wake(): void;
  close(): void;
}

const WAIT_MAX = 30_000;
const RETRY_AFTER_MAX = 3_600_000;
const SILENCE_MAX = 180_000; // If no first comment has told the interval of the heartbeat.

// `emit` is called for each piece of the stream that comes, with what is in it (which may be nothing) and the position
// behind it.
export function openStream(link: Link, emit: (items: Item[], spot: Spot) => void, start: Spot): Stream {
  const channels: Channels = new Map(start.channels.map((channel) => [channel, {}]));
  const covered = new Set(start.channels); // The channels of which `id` is a position.
  let { id } = start;
  let status: Status = { state: "connecting", bus: "up" };
  let current: AbortController | undefined; // Of the request that counts.
  let isOpen: boolean | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined; // Until the next request.
  let renewal: ReturnType<typeof setTimeout> | undefined;
  let retry = 3_000;
  let failures = 0;
  let silence: number | undefined; // What counts as silence, in ms.

  const tell = (items: Item[], change?: Partial<Status>) => {
    if (change) items.push({ kind: "status", value: (status = { ...status, error: undefined, ...change }) });
    emit(items, { id, channels: [...covered], silence });
  };
  const leave = (channel: string) => {
    channels.delete(channel);
    covered.delete(channel);
  };
  const stop = () => {
    clearTimeout(timer);
    clearTimeout(renewal);
    timer = isOpen = undefined;
    current?.abort();
  };
  const finish = (change: Partial<Status>, last?: (channel: string, began: Began) => Item[]) => {
    const items = [...channels].flatMap(([channel, began]) => last?.(channel, began) ?? []);
    stop();
    [...channels.keys()].forEach(leave);
    tell(items, change);
  };

  const path = () => {
    let query = "/events?form=json";
    for (const [channel, { replay }] of channels) {
      const name = encodeURIComponent(channel);
      query += `&channel=${name}`;
      if (covered.has(channel)) continue;
      if (id) query += `&new=${name}`;
      if (replay !== undefined) query += `&replay.${name}=${replay}`;
    }
    // In the query: a header would cost a preflight for each URL.
    return id ? `${query}&lastEventId=${encodeURIComponent(id)}` : query;
  };

  // Reads a response to its end. Returns after how many ms to reconnect, if the gateway has said so.
  const read = async (response: Response, mine: AbortController, watch: () => void): Promise<number | undefined> => {
    const from = id;
    const replayed = new Set<string>(); // Channels that began with a replay, until it is over.
    let wait: number | undefined;
    let items: Item[] = [];
    let change: Partial<Status> | undefined;
    const goLive = () => {
      replayed.clear();
      for (const channel of channels.keys()) {
        if (id) covered.add(channel);
        items.push({ kind: "live", channel });
      }
    };
    const begin = () => {
      isOpen = true;
      failures = 0;
      change = { state: "open", bus: "up" };
      for (const [channel, began] of channels) {
        const isFresh = !covered.has(channel);
        items.push({ kind: "began", channel, value: isFresh ? began : { from } });
        if (isFresh && began.replay !== undefined) replayed.add(channel);
        else if (id) covered.add(channel);
      }
      if (!from && !replayed.size) goLive();
    };
    const parse = parseEventStream(({ "": comment = "", event, data, id: position, retry: time }: Block) => {
      silence = +(/heartbeat=([\d.]+)/.exec(comment)?.[1] ?? 0) * 3_000 || silence;
      if (time) retry = +time;
      if (/token-expired/.test(comment) && link.renew()) wait = 0;
      if (event === "weir:overloaded") wait = retry;
      if (wait !== undefined) return;
      id = position ?? id;
      if (!isOpen) begin();
      if (!data) return;
      const value = JSON.parse(data, /"Buffer"/.test(data) ? toBytes : undefined);
      const { channel } = value;
      if (!event) {
        // Beside a position the id does not move along a replay: cut in the middle, it is asked for again.
        if (id && !(from && replayed.has(channel))) covered.add(channel);
        items.push({ kind: "message", channel, value, isOld: replayed.has(channel) });
      }
      if (event === "weir:gap") items.push({ kind: "gap", channel, value });
      if (event === "weir:live") goLive();
      if (event === "weir:bus") change = { ...(change ?? status), bus: value.state };
      if (event === "weir:end") {
        leave(channel);
        items.push({ kind: "end", channel, value: value.data });
      }
      if (event === "weir:token-expiring") {
        // Half of what is left, so that tokens of a few seconds are no storm.
        const left = Math.min(value.expires * 1_000 - Date.now(), WAIT_MAX);
        clearTimeout(renewal);
        renewal = setTimeout(() => link.renew() && connect(), Math.max(left / 2, 1_000));
      }
    });
    const decoder = new TextDecoder();
    const reader = response.body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || mine !== current) return wait;
      parse(decoder.decode(value, { stream: true }));
      watch(); // Now that the interval of the heartbeat is known.
      tell(items, change);
      items = [];
      change = undefined;
    }
  };

  const connect = async () => {
    stop();
    if (!channels.size) return;
    if (![...channels.keys()].some((channel) => covered.has(channel))) id = undefined; // All are new.
    const mine = (current = new AbortController());
    let alarm: ReturnType<typeof setTimeout> | undefined;
    const watch = (ms = silence ?? SILENCE_MAX) => {
      clearTimeout(alarm);
      alarm = setTimeout(() => mine.abort(), ms);
    };
    let wait: number | undefined;
    let error: Refusal | undefined;
    watch(Math.min(silence ?? WAIT_MAX, link.timeout));
    try {
      const response = await link.request(path(), { signal: mine.signal, headers: { Accept: "text/event-stream" } });
      const { status: code, headers } = response;
      if (mine !== current) return;
      if (code === 204) {
        return finish({ state: "ended" }, (channel, value) => [
          { kind: "began", channel, value },
          { kind: "end", channel },
        ]);
      }
      if (code === 200 && /^text\/event-stream/.test(headers.get("Content-Type")!)) {
        wait = await read(response, mine, watch);
      } else {
        const { refusal } = await refusalOf(response);
        if (mine !== current) return;
        if (code >= 400 && code < 500 && ![408, 425, 429].includes(code)) return refuse(refusal);
        error = refusal;
        // A date is taken for nothing. A timer of more than 24 days would fire at once.
        wait = Math.min(+headers.get("Retry-After")! * 1_000, RETRY_AFTER_MAX) || undefined;
      }
    } catch (thrown) {
      error = { status: 0, detail: `${thrown}` };
    } finally {
      clearTimeout(alarm);
    }
    if (mine !== current) return;
    if (!channels.size) return finish({ state: "ended" });
    if (isOpen) wait ??= mine.signal.aborted ? 0 : retry; // After a silence what follows is on its way.
    stop();
    timer = setTimeout(connect, wait ?? Math.min(WAIT_MAX, retry * 2 ** failures++) * (0.5 + Math.random() / 2));
    tell([], { state: "connecting", error });
  };
  const refuse = (error: Refusal) => {
    const { channel } = error;
    if (!channel || !channels.has(channel) || channels.size < 2) {
      return finish({ state: "refused", error }, (each) => [{ kind: "refused", channel: each, value: error }]);
    }
    // One channel takes nobody else's stream away.
    leave(channel);
    tell([{ kind: "refused", channel, value: error }]);
    connect();
  };

  return {
    channels,
    follow(wanted) {
      const isSame = channels.size === wanted.size && [...channels.keys()].every((channel) => wanted.has(channel));
      if (isSame && (timer || current)) return;
      // What is left out now begins anew when it comes back.
      [...channels.keys()].filter((channel) => !wanted.has(channel)).forEach(leave);
      for (const [channel, began] of wanted) channels.set(channel, began);
      tell([], { state: wanted.size ? "connecting" : "ended" });
      connect();
    },
    repeat(names) {
      if (!isOpen) return;
      const mine = [...names].filter((channel) => channels.has(channel));
      const began = mine.map((channel): Item => ({ kind: "began", channel, value: { from: id ?? "" } }));
      const live = mine.map((channel): Item => ({ kind: "live", channel }));
      if (mine.length) tell([...began, ...live], status);
    },
    wake() {
      if (timer) connect();
    },
    close() {
      stop();
      current = undefined;
    },
  };
}

// A Node Buffer in JSON.
function toBytes(_: string, value: any) {
  return value?.type === "Buffer" && Array.isArray(value.data) ? new Uint8Array(value.data) : value;
}
