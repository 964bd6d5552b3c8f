// Which of an origin's tabs has the streams: the one that holds a Web Lock. The tabs talk over a BroadcastChannel.
import type { Item, Spot } from "./stream.ts";
import type { Replay } from "./weir.ts";

// What a tab asks of the leader: channels with their replays, and those whose listeners wait for "began".
export interface Want {
  channels: [name: string, replay: Replay | undefined][];
  waiting: string[];
  wakes: boolean; // What waits to reconnect should do so at once.
}

// To the leader a want, to all tabs what came on a stream. With neither: there is a new leader, who knows no wants.
interface Letter {
  from: string;
  want?: Want;
  news?: News;
}
type News = [items: Item[], spot: Spot, stream: number];

export interface TabEvents {
  lead(): void; // This tab has the streams from now on.
  resign(): void; // Another tab has taken them.
  ask(): void; // There is a new leader: tell it what is wanted.
  want(tab: string, want?: Want): void; // To the leader alone. No want: the tab is gone.
  news(...news: News): void;
}

export interface Tabs {
  readonly id: string;
  want(want: Want): void;
  send(...news: News): void; // The leader's.
  steal(): void; // Takes the lead from a leader that has gone silent.
  close(): void;
}

// The tabs of the same `name` share their streams. Without a name this tab has its own, and leads at once.
export function joinTabs(name: string | undefined, on: TabEvents): Tabs {
  const id = Math.random().toString(36).slice(2);
  const mail = name === undefined ? undefined : new BroadcastChannel(name);
  const closing = new AbortController();
  const { signal } = closing;
  const known = new Set([id]);
  let leader = "";
  let isThere = false;

  const post = (letter: Omit<Letter, "from">) => mail?.postMessage({ from: id, ...letter });
  // Resolves when the lock was stolen, or the tab has left.
  const lock = (suffix: string, held: () => unknown, steal?: boolean) =>
    navigator.locks.request(name + suffix, steal ? { steal } : { signal }, held).catch(() => {});
  const untilLeft = () => new Promise((resolve) => signal.addEventListener("abort", resolve));
  const onLead = () => {
    leader = id;
    post({});
    on.lead();
    return untilLeft();
  };
  const lead = async (steal?: boolean): Promise<void> => {
    await lock("", onLead, steal);
    if (signal.aborted) return;
    on.resign();
    lead();
  };
  const onWant = (tab: string, want: Want) => {
    if (leader !== id) return;
    on.want(tab, want);
    if (known.has(tab)) return;
    known.add(tab);
    // Granted when the tab is gone, however it went.
    lock(tab, () => {
      known.delete(tab);
      on.want(tab);
    });
  };

  if (mail) {
    mail.onmessage = ({ data: { from, want, news } }: MessageEvent<Letter>) => {
      if (want) return onWant(from, want);
      if (!news || !leader) leader = from;
      if (!news) on.ask();
      else if (leader === from) on.news(...news); // A tab that was frozen may believe that it still leads.
    };
    // The leader takes a tab for gone when it gets this lock. So the tab must have it before it says a word.
    lock(id, () => {
      isThere = true;
      on.ask();
      return untilLeft();
    });
    lead();
  } else {
    leader = id;
    on.lead();
  }
  return {
    id,
    want(want) {
      onWant(id, want);
      if (leader !== id && isThere) post({ want });
    },
    send(...news) {
      if (leader !== id) return;
      post({ news });
      on.news(...news);
    },
    steal: () => lead(true),
    close() {
      closing.abort();
      mail?.close();
    },
  };
}
