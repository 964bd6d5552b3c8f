// The listeners of one tab: where each is in its channel, and what it is told.
//
// A listener *waits* until the leader's stream has its channel ("began"). Then it is *open*, and told what comes there; or
// it *catches up*: a short stream reads what it needs, its replay or what follows the position of this tab, up to the
// present, and what comes on the leader's stream meanwhile is held. Ids tell what was told already: nothing comes twice.
import { openLeader, type Leader } from "./leader.ts";
import { openLink, refusalOf } from "./link.ts";
import { openStream, type Item, type Spot, type Stream } from "./stream.ts";
import { joinTabs, type Tabs } from "./tabs.ts";
import { GapError, RefusedError, type ConnectOptions, type Handlers, type Message, type Replay, type Status, type Weir } from "./weir.ts";

interface Listener {
  channel: string;
  handlers: Handlers<any>;
  replay?: Replay | undefined;
  isOpen?: boolean;
  at?: string | undefined; // It was open, and has seen everything up to this position, "" if that is not known.
  held?: Item[] | undefined; // It catches up: what came on the leader's stream meanwhile.
  isLive?: boolean; // It was told.
  last?: string | undefined; // The id of its last message.
  replayed: number;
  batch: Message[];
  isBehind?: boolean | undefined; // `held` had no room for all.
}

const WAITING_MAX = 10_000; // Messages of one listener in `held`, in `batch`, and in read()'s queue.
const BATCH_MS = 50; // Where there are no animation frames.
const SAVE_MS = 5_000; // In case that the page crashes: otherwise it is saved as it goes.
const TOKEN_RETRY_MS = 3_000;
const STALE_MS = 60_000; // A leader that says nothing for so long is replaced: streams have heartbeats.
const page = globalThis as any; // In a worker and in Node much is missing.
const isPage = !!page.document;
let clients = 0; // Each has a place of its own in the sessionStorage.

export function openClient(gateway: string, options: ConnectOptions): Weir {
  const base = new URL(gateway, page.location?.href).href.replace(/\/$/, "");
  const link = openLink(base, options);
  const listeners = new Set<Listener>();
  const shorts = new Set<Stream>();
  const states: Status[] = []; // Of the leader's streams.
  const watchers = new Set<NonNullable<Weir["onstate"]>>();
  const closing = new AbortController();
  const { signal } = closing;
  let spots: (Spot | undefined)[] = []; // The positions of this tab on the leader's streams.
  let stored: Record<string, string> = {}; // The positions before the page was loaded, by channel.
  let tabs: Tabs | undefined;
  let leader: Leader | undefined;
  let name: string | undefined;
  let storageKey: string | undefined;
  let heardAt = Date.now();
  let isAsked = false;
  let isWaking = false;
  let frame: unknown;

  const positionOf = (channel: string) => spots.find((spot) => spot?.channels.includes(channel))?.id;

  // --- What listeners are told

  const run = (handler: ((...args: any[]) => void) | null | undefined, ...args: unknown[]) => {
    try {
      handler?.(...args);
    } catch (error) {
      // The others must be told all the same.
      if (page.reportError) page.reportError(error);
      else console.error(error);
    }
  };
  const flush = (listener: Listener) => {
    const { handlers, batch } = listener;
    listener.batch = [];
    if (batch.length) run(handlers.batch, batch);
  };
  const flushAll = () => {
    frame = undefined;
    listeners.forEach(flush);
  };
  const deliver = (listener: Listener, { kind, value, isOld }: Item & { value?: any; isOld?: boolean }) => {
    const { handlers, last, replay, isLive } = listener;
    if (!listeners.has(listener)) return;
    if (kind === "message") {
      // The replay is of another listener.
      if (isOld && !isLive && replay === undefined) return;
      if (isAtOrBefore(value.id, last)) return;
      listener.last = value.id ?? last;
      ++listener.replayed;
      run(handlers.message, value.data, value);
      if (!handlers.batch) return;
      if (listener.batch.push(value) >= WAITING_MAX) flush(listener);
      frame ??= isPage && !document.hidden ? requestAnimationFrame(flushAll) : setTimeout(flushAll, BATCH_MS);
      return;
    }
    flush(listener);
    if (kind === "live") {
      if (isLive) return;
      listener.isLive = true;
      value = { replayed: listener.replayed };
    }
    if (kind === "gap" && value.reason === "reset") listener.last = undefined;
    if (kind === "end" || kind === "refused") off(listener);
    run(handlers[kind as "gap"], value);
  };
  const release = (listener: Listener) => {
    const { held = [] } = listener;
    listener.isOpen = true;
    listener.held = listener.at = listener.isBehind = undefined;
    held.forEach((item) => deliver(listener, item));
  };

  // --- Positions

  // Reads what these listeners need, and opens them. `need` is the position behind which they go on, or their replay.
  const catchUp = (need: Replay | string, group: Listener[]) => {
    const names = group.map(({ channel }) => channel);
    const isReplay = need === "all" || typeof need === "number";
    const left = new Set(group);
    const onItems = (items: Item[], { id }: Spot) => {
      const again: Listener[] = [];
      for (const item of items) {
        for (const listener of left) {
          if (listener.channel !== item.channel || item.kind === "began") continue;
          const isLive = item.kind === "live";
          if (isLive && listener.isBehind && id) {
            again.push(listener);
            continue;
          }
          deliver(listener, item);
          if (!isLive) continue;
          left.delete(listener);
          release(listener); // What is held follows.
        }
      }
      for (const listener of again) {
        left.delete(listener);
        listener.isBehind = undefined;
        listener.held = [];
      }
      if (again.length) catchUp(id!, again);
      if ([...left].some((listener) => listeners.has(listener))) return;
      short.close();
      shorts.delete(short);
    };
    const short = openStream(link, onItems, isReplay ? { channels: [] } : { id: need, channels: names });
    shorts.add(short);
    short.follow(new Map(names.map((channel) => [channel, isReplay ? { replay: need as Replay } : {}])));
  };
  // What was open waits until the leader says where its stream is.
  const hold = (listener: Listener) => {
    listener.at = positionOf(listener.channel) ?? (listener.isLive ? "" : undefined);
    listener.isOpen = false;
  };
  // Opens a listener whose channel the leader's stream has now, or returns what it needs before.
  const onBegan = (listener: Listener, { from, by, replay }: { from?: string; by?: string; replay?: Replay }) => {
    const { channel } = listener;
    if (listener.held) return;
    if (listener.isOpen) {
      if (from !== undefined && positionOf(channel) === from) return;
      hold(listener);
    }
    const isMine = from === undefined && by === tabs!.id && replay === listener.replay;
    const need = listener.at ?? (listener.replay === undefined ? stored[channel] : isMine ? undefined : listener.replay);
    if (need && need !== from) return need;
    release(listener);
    // It is somewhere, but nobody could tell where.
    if (need === "") deliver(listener, { kind: "gap", channel, value: { channel, missed: null, reason: "history" } });
  };
  const isFirstVisit = ({ held, at, replay }: Listener) => !held && at === undefined && replay === undefined;
  const onNews = (items: Item[], spot: Spot, stream: number) => {
    const needs = new Map<Replay | string, Listener[]>();
    heardAt = Date.now();
    for (const item of items) {
      const { kind, channel, value } = item;
      if (kind === "status") {
        states[stream] = value;
        // The one that has most to do counts: connecting, open, refused, ended.
        setStatus(states.reduce((a, b) => ("core".indexOf(b.state[0]!) < "core".indexOf(a.state[0]!) ? b : a)));
      }
      for (const listener of [...listeners]) {
        if (listener.channel !== channel) continue;
        if (kind === "began") {
          const need = onBegan(listener, value as any);
          if (need === undefined) continue;
          listener.held = [];
          needs.set(need, [...(needs.get(need) ?? []), listener]);
        } else if (listener.isOpen || kind === "refused" || (kind === "end" && isFirstVisit(listener))) {
          deliver(listener, item);
        } else if (listener.held && kind !== "live") {
          // Whoever is so far behind catches up once more.
          if (listener.held.push(item) > WAITING_MAX) {
            listener.held = [];
            listener.isBehind = true;
          }
        }
      }
      if (kind === "end") ask(); // Somebody may be waiting for the channel, which has no stream now.
    }
    // The stream goes on without a channel that is wanted: its position must not be forgotten.
    for (const listener of listeners) {
      const { isOpen, channel } = listener;
      if (isOpen && spots[stream]?.channels.includes(channel) && !spot.channels.includes(channel)) hold(listener);
    }
    spots[stream] = spot;
    needs.forEach((group, need) => catchUp(need, group));
    if (leader && weir.status.state === "refused") {
      // Another tab may have a better token.
      leave();
      join();
    }
  };
  const save = () => {
    const positions: Record<string, string> = {};
    flushAll(); // The positions are behind what waits for a frame.
    for (const { channel, isOpen, at } of listeners) {
      const id = isOpen ? positionOf(channel) : at;
      if (id) positions[channel] = id;
    }
    try {
      if (storageKey) sessionStorage.setItem(storageKey, JSON.stringify(positions));
    } catch {
      // Full, or forbidden: the next load begins live.
    }
  };

  const setStatus = (status: Status) => {
    const isSame = JSON.stringify(status) === JSON.stringify(weir.status);
    weir.status = status;
    if (!isSame) for (const watcher of [weir.onstate, ...watchers]) run(watcher, status);
  };

  // --- The stream

  // Says once, after this turn, what this tab wants.
  const ask = (wakes?: boolean) => {
    isWaking ||= !!wakes;
    if (isAsked) return;
    isAsked = true;
    queueMicrotask(() => {
      isAsked = false;
      wakes = isWaking;
      isWaking = false;
      const all = [...listeners].reverse(); // The first listener of a channel decides its replay.
      tabs?.want({
        wakes,
        channels: [...new Map(all.map(({ channel, replay }) => [channel, replay]))],
        waiting: all.filter(({ isOpen, held }) => !isOpen && !held).map(({ channel }) => channel),
      });
    });
  };
  const off = (listener: Listener) => {
    if (listeners.delete(listener)) ask();
  };
  const resign = () => {
    leader?.close();
    leader = undefined;
    for (const listener of listeners) if (listener.isOpen) hold(listener);
    ask();
  };
  const lead = () => {
    leader?.close();
    leader = openLeader(link, spots, (...news) => tabs!.send(...news));
    ask();
  };
  const join = () => {
    tabs = joinTabs(name, {
      lead,
      resign,
      ask: () => ask(),
      want: (tab, want) => leader?.want(tab, want),
      news: onNews,
    });
    ask();
  };
  const leave = () => {
    resign();
    tabs?.close();
    tabs = undefined;
  };
  const start = async () => {
    let owner: string | undefined;
    try {
      owner = ownerOf(options.key, await link.token());
    } catch (error) {
      if (signal.aborted) return;
      setStatus({ ...weir.status, error: { status: 0, detail: `${error}` } });
      setTimeout(start, TOKEN_RETRY_MS);
      return;
    }
    if (signal.aborted) return;
    const { locks } = page.navigator ?? {};
    if (isPage && owner !== undefined) {
      const full = `weir1 ${base} ${owner} `;
      if (locks && options.share !== false) name = full;
      if (options.resume !== false) storageKey = full + clients;
    }
    if (isPage && !locks && !clients) console.info("weir: without Web Locks (or https) each tab has a stream of its own");
    ++clients;
    try {
      stored = JSON.parse(sessionStorage.getItem(storageKey!)!) ?? {};
    } catch {
      // There is none.
    }
    // The stream goes on at one of them. What is at another one catches up.
    const [id] = Object.values(stored);
    if (id) spots = [{ id, channels: Object.keys(stored).filter((channel) => stored[channel] === id) }];
    join();
  };

  const wake = () => {
    ask(true);
    shorts.forEach((short) => short.wake());
  };
  if (isPage) {
    const listen = (target: EventTarget, type: string, handler: (event: any) => void) => target.addEventListener(type, handler, { signal });
    listen(page, "online", wake);
    listen(document, "visibilitychange", () => (document.hidden ? save() : wake()));
    listen(document, "resume", () => leader && lead()); // The page was frozen: its responses do not go on (Chromium).
    // A page that is kept to be shown again must have neither streams nor locks.
    listen(page, "pagehide", ({ persisted }) => {
      save();
      if (persisted) leave();
    });
    listen(page, "pageshow", ({ persisted }) => persisted && !tabs && join());
  }
  const watch: any = setInterval(() => {
    save();
    const isLate = Date.now() - heardAt > Math.max(STALE_MS, ...spots.map((spot) => spot?.silence ?? 0));
    if (leader || !isLate || weir.status.state !== "open") return;
    heardAt = Date.now();
    tabs?.steal();
  }, SAVE_MS);
  watch.unref?.();

  // --- The caller's side

  const post = async (path: string, body: unknown, key?: string) => {
    const headers = { "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) };
    const response = await link.request(`/channels/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw await refusalOf(response);
    return response.json();
  };
  const weir: Weir = {
    onstate: null,
    status: { state: "connecting", bus: "up" },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    on(channel, handlers, { replay } = {}) {
      const listener: Listener = { channel, handlers, replay, replayed: 0, batch: [] };
      listeners.add(listener);
      ask();
      return () => off(listener);
    },
    async *read(channel, { signal: stop, replay } = {}) {
      const queue: Message<any>[] = [];
      let wake = () => {};
      let end: { error?: unknown } | undefined;
      const finish = (error?: unknown) => {
        leave(); // Nothing behind a gap.
        end ??= { error };
        wake();
      };
      const leave = weir.on(channel, {
        message: (_, message) => {
          if (queue.push(message) > WAITING_MAX) finish(new GapError({ channel, missed: null, reason: "slow-client" }));
          wake();
        },
        gap: (gap) => finish(new GapError(gap)),
        end: () => finish(),
        refused: (refusal) => finish(new RefusedError(refusal)),
      }, { replay });
      const cancel = () => finish(stop!.reason);
      stop?.addEventListener("abort", cancel);
      if (stop?.aborted) cancel();
      try {
        for (;;) {
          while (queue.length) yield queue.shift()!;
          if (end?.error) throw end.error;
          if (end) return;
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        stop?.removeEventListener("abort", cancel);
        leave();
      }
    },
    // In an envelope, so that data which looks like one arrives as it is.
    publish: (channel, data, { idempotencyKey, ...fields } = {}) => post(encodeURIComponent(channel), { data, ...fields }, idempotencyKey),
    end: (channel, data) => post(`${encodeURIComponent(channel)}/end`, data),
    file: async (channel, fileOptions = {}) => (await import("./file.js")).receiveFile(weir, channel, fileOptions),
    close() {
      save();
      closing.abort();
      clearInterval(watch);
      listeners.clear();
      shorts.forEach((short) => short.close());
      leave();
      weir.onstate = null;
      watchers.clear();
    },
  };
  start();
  return weir;
}

// Whose stream it is: tabs of different owners share nothing. Undefined if that can't be known.
function ownerOf(key: string | undefined, token: string | undefined): string | undefined {
  if (key !== undefined || !token) return key ?? "";
  try {
    const claims = JSON.parse(atob(token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/")));
    // These change when it is renewed.
    return JSON.stringify({ ...claims, exp: 0, iat: 0, nbf: 0, jti: 0 });
  } catch {
    return undefined;
  }
}

// Whether the message `id` was told when `last` was. An id is "g<epoch>.<n>" or "<time>-<n>", and grows.
function isAtOrBefore(id = "", last = "") {
  const [epoch = "", n] = id.split(/[.~-]/);
  const [lastEpoch = "", lastN] = last.split(/[.~-]/);
  if (!id || epoch === lastEpoch) return +n! <= +lastN!;
  return +epoch < +lastEpoch; // Epochs of gateways are no numbers, and say nothing. Times differ by more than rounding.
}
