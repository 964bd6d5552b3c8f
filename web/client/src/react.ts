// Hooks for React 18 and later. Each follows a channel while its component is mounted, and begins anew with another one.
// Without a client or a channel, and on a server, they give the empty state.
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { followMessages, followText, openStore, type Follow, type Options, type State } from "./store.ts";
import type { Gap, Message, Refusal, Replay, Status, Weir } from "./weir.ts";

export interface ChannelOptions<Data = any, Item = Message<Data>> {
  /** As in weir.on(). */
  replay?: Replay | undefined;
  /** How many messages are kept, the newest ones. Default: 200. */
  limit?: number | undefined;
  /** What is kept of a message: one item, several, or nothing. Default: the message. */
  map?: ((message: Message<Data>) => Item | Item[] | undefined) | undefined;
}

export interface ChannelView<Item> {
  /** Of the client. */
  status: Status;
  messages: Item[];
  gaps: Gap[];
  /** How many messages came since markRead(). Those of a replay do not count. */
  unread: number;
  markRead(): void;
  /** What comes now is live: a replay, if there is one, is over. */
  live: boolean;
  ended: boolean;
  refused?: Refusal;
}

export interface TextOptions {
  /** The text of a message. Default: that of {"msg":"…"}, or the message itself. */
  pick?: ((data: any) => string | null | undefined) | undefined;
  /** Default: "all". */
  replay?: Replay | undefined;
  /** After how many ms without a message the text is gone. Default: 10,000. */
  timeout?: number | undefined;
}

export interface TextView {
  /** Of the client. */
  status: Status;
  text: string;
  /** The channel has ended. */
  done: boolean;
  /** Nothing of the text is there, and nothing has come in time. */
  gone: boolean;
  /** Something of the text is missing. */
  gap?: Gap | undefined;
  error?: Refusal;
}

/** For `pick`: the text in the chunks of OpenAI's chat completions. */
export const openai = (data: any): string | undefined => data?.choices?.[0]?.delta?.content;

type UseChannel = <Data = any, Item = Message<Data>>(
  weir: Weir | undefined,
  channel: string | undefined,
  options?: ChannelOptions<Data, Item>,
) => ChannelView<Item>;

/** The messages of a channel, oldest first. */
export const useChannel: UseChannel = makeHook(followMessages);

/** The same, newest first. */
export const useFeed: UseChannel = (...args) => {
  const view = useChannel(...args);
  const { messages } = view;
  return { ...view, messages: useMemo(() => [...messages].reverse(), [messages]) };
};

/**
 * The messages of a channel as one text, such as an answer that is being written. A load of the page reads it from its
 * start again, and so does a gap, once.
 */
export const useText: (weir: Weir | undefined, channel: string | undefined, options?: TextOptions) => TextView = makeHook(followText);

function makeHook(follow: Follow) {
  return (weir: Weir | undefined, channel: string | undefined, options: Options = {}): State => {
    const { replay, limit, timeout } = options;
    const store = useMemo(() => openStore(follow, weir, channel, options), [weir, channel, replay, limit, timeout]);
    useEffect(() => {
      store.options = options;
    });
    const read = () => store.state;
    return useSyncExternalStore(store.subscribe, read, read);
  };
}
