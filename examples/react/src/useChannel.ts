import { useEffect, useState } from "react";

export type Connection = "connecting" | "open" | "closed";
export type Entry =
  | { kind: "message"; id: string; value: unknown }
  | { kind: "gap"; id: string; missed: number | null; reason: string };

const KEPT_MAX = 200; // A page that stays open for days must not grow without end.

// Follows one channel for as long as the component is mounted. The browser reconnects by itself, and sends the last id
// that it saw: what was published meanwhile arrives first, or a gap says that it can't be known.
export function useChannel(url: string): { connection: Connection; entries: Entry[] } {
  const [connection, setConnection] = useState<Connection>("connecting");
  const [entries, setEntries] = useState<Entry[]>([]);

  useEffect(() => {
    setConnection("connecting");
    setEntries([]);
    const source = new EventSource(url);
    const add = (entry: Entry) => setEntries((all) => [...all, entry].slice(-KEPT_MAX));

    source.onopen = () => setConnection("open");
    // CLOSED means that the browser gave up: the channel has ended (204), or the gateway refused the request.
    source.onerror = () => setConnection(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
    source.onmessage = (event) => add({ kind: "message", id: event.lastEventId, value: parse(event.data) });
    source.addEventListener("weir:gap", (event) => add({ kind: "gap", id: event.lastEventId, ...JSON.parse(event.data) }));
    source.addEventListener("weir:end", () => {
      setConnection("closed");
      source.close(); // Without this the browser asks once more, is told 204, and stops then.
    });
    return () => source.close();
  }, [url]);

  return { connection, entries };
}

// A payload may be any text: what is no JSON is shown as it is.
function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
