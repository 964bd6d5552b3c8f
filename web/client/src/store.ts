// What a component shows of a channel, without React: a state, and a word to others when it changes.
import type { ChannelOptions, ChannelView, TextOptions, TextView } from "./react.ts";
import type { Gap, Weir } from "./weir.ts";

// Of all hooks together: each uses its part of it.
export type State = ChannelView<any> & TextView;
export type Options = ChannelOptions<any, any> & TextOptions;

export interface Store {
  options: Options; // `map` and `pick` may change at any time.
  state: State;
  set(change: Partial<State>): void;
  // The channel is followed for as long as somebody is subscribed.
  subscribe(changed: () => void): () => void;
}

// Begins, and returns how to leave.
export type Follow = (weir: Weir, channel: string, store: Store) => () => void;

// Without a client or a channel the state stays empty.
export function openStore(follow: Follow, weir: Weir | undefined, channel: string | undefined, options: Options): Store {
  const watchers = new Set<() => void>();
  const empty: State = {
    status: { state: "connecting", bus: "up" },
    messages: [],
    gaps: [],
    unread: 0,
    live: false,
    ended: false,
    text: "",
    done: false,
    gone: false,
    markRead: () => store.set({ unread: 0 }),
  };
  let leave: (() => void) | undefined;
  const store: Store = {
    options,
    state: empty,
    set(change) {
      store.state = { ...store.state, ...change };
      watchers.forEach((changed) => changed());
    },
    subscribe(changed) {
      watchers.add(changed);
      if (weir && channel && !leave) {
        store.state = empty;
        const unwatch = weir.watch((status) => store.set({ status }));
        store.set({ status: weir.status });
        const off = follow(weir, channel, store);
        leave = () => {
          leave = undefined;
          off();
          unwatch();
        };
      }
      return () => {
        watchers.delete(changed);
        // StrictMode leaves and comes back in one turn: that must not open the channel twice.
        setTimeout(() => watchers.size || leave?.());
      };
    },
  };
  return store;
}

export const followMessages: Follow = (weir, channel, store) => {
  const { replay, limit = 200 } = store.options;
  return weir.on(channel, {
    batch(batch) {
      const { map = (message: unknown) => message } = store.options;
      const fresh = batch.flatMap((message) => map(message) ?? []);
      const { messages, unread, live } = store.state;
      // What a replay brings has been there before. What comes behind the position of this tab is new.
      store.set({ messages: [...messages, ...fresh].slice(-limit), unread: unread + (live || replay === undefined ? fresh.length : 0) });
    },
    gap: (gap) => store.set({ gaps: [...store.state.gaps, gap].slice(-limit) }),
    live: () => store.set({ live: true }),
    end: () => store.set({ ended: true }),
    refused: (refused) => store.set({ refused }),
  }, { replay });
};

export const followText: Follow = (weir, channel, store) => {
  const { replay = "all", timeout = 10_000 } = store.options;
  let text = "";
  let first: Gap | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let off: () => void;

  // The second reading shows nothing until it has more than the first one.
  const show = (change: Partial<State>) => {
    clearTimeout(timer);
    if (text.length > store.state.text.length) change.text = text;
    store.set(change);
  };
  // A reading has come to the present. The history may have less by now than was seen before.
  const settle = (change: Partial<State>) => {
    if (text.length < store.state.text.length) {
      text = store.state.text;
      change.gap = first;
    }
    show(change);
  };
  const read = () => {
    off = weir.on(channel, {
      batch(messages) {
        const { pick = textOf } = store.options;
        for (const { data } of messages) text += pick(data) ?? "";
        show({ gone: false });
      },
      gap(gap) {
        if (first) return store.set({ gap });
        first = gap;
        text = "";
        off();
        read();
      },
      live({ replayed }) {
        settle({});
        if (!replayed && !text) timer = setTimeout(() => store.set({ gone: true }), timeout);
      },
      end: () => settle({ done: true }),
      refused: (error) => settle({ error }),
    }, { replay });
  };
  read();
  return () => {
    clearTimeout(timer);
    off();
  };
};

// {"msg":"…"}, or the text itself, which may have looked like a number.
const textOf = (data: any) => (data instanceof Object ? data.msg : data);
