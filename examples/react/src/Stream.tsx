import { type Entry, useChannel } from "./useChannel";

export function Stream({ url }: { url: string }) {
  const { connection, entries } = useChannel(url);
  return (
    <main>
      <header>
        <h1>Messages</h1>
        <p role="status" className={connection}>{connection}</p>
      </header>
      <p><code>new EventSource("{url}")</code></p>
      {entries.length === 0 && <p className="hint">Nothing yet. Publish something to this channel.</p>}
      <ol aria-label="messages">
        {entries.map((entry, index) => (
          <li key={index} className={entry.kind}>{text(entry)}</li>
        ))}
      </ol>
    </main>
  );
}

function text(entry: Entry): string {
  if (entry.kind === "gap") return `${entry.missed ?? "Some"} messages were missed (${entry.reason}).`;
  const { value } = entry;
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string") return value.msg;
  return JSON.stringify(value);
}
