// The streams of the tab that leads: together they follow what all tabs want.
import type { Link } from "./link.ts";
import { openStream, type Channels, type Item, type Spot, type Stream } from "./stream.ts";
import type { Want } from "./tabs.ts";

export interface Leader {
  // Without a want the tab is gone.
  want(tab: string, want?: Want): void;
  close(): void;
}

// Of one stream. A gateway takes 100 channels, proxies take URLs of 8 KB, and a position needs room too.
const CHANNELS_MAX = 100;
const URL_BYTES_MAX = 6_000;
const COLLECT_MS = 50; // The changes of this time become one reconnect.

// Goes on at `spots`, the positions of this tab. `emit` is told the number of the stream, from 0.
export function openLeader(
  link: Link,
  spots: (Spot | undefined)[],
  emit: (items: Item[], spot: Spot, stream: number) => void,
): Leader {
  const wants = new Map<string, Map<string, Want["channels"][number][1]>>(); // By tab.
  const waiting = new Set<string>();
  const streams: Stream[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const open = (spot: Spot = { channels: [] }) => {
    const number = streams.length;
    const onItems = (items: Item[], position: Spot) => {
      for (const { kind, channel } of items) {
        // Whoever wants it again asks again.
        if (kind === "end" || kind === "refused") for (const want of wants.values()) want.delete(channel);
      }
      emit(items, position, number);
    };
    streams.push(openStream(link, onItems, spot));
  };
  for (const spot of spots) open(spot);

  const hasRoom = (share: Channels) => share.size < CHANNELS_MAX && [...share.keys()].join().length * 3 + share.size * 30 < URL_BYTES_MAX;
  const update = () => {
    timer = undefined;
    const fresh: Channels = new Map();
    for (const [by, want] of wants) {
      for (const [channel, replay] of want) if (!fresh.has(channel)) fresh.set(channel, { by, replay });
    }
    // What a stream has, it keeps.
    const shares = streams.map(({ channels }) => {
      const kept = [...fresh].filter(([channel]) => channels.has(channel));
      kept.forEach(([channel]) => fresh.delete(channel));
      return new Map(kept);
    });
    for (const [channel, began] of fresh) {
      let share = shares.find(hasRoom);
      if (!share) {
        open();
        shares.push((share = new Map()));
      }
      share.set(channel, began);
    }
    shares.forEach((share, number) => {
      streams[number]!.follow(share);
      streams[number]!.repeat(waiting);
    });
    waiting.clear();
  };

  return {
    want(tab, want) {
      wants.delete(tab);
      if (want) wants.set(tab, new Map(want.channels));
      want?.waiting.forEach((channel) => waiting.add(channel));
      if (want?.wakes) streams.forEach((stream) => stream.wake());
      timer ??= setTimeout(update, COLLECT_MS);
    },
    close() {
      clearTimeout(timer);
      streams.forEach((stream) => stream.close());
    },
  };
}
