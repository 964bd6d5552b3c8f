import type { Weir } from "@weir/client";
import { useFeed } from "@weir/client/react";

// The messages of a channel, newest first. A load of the page goes on behind the last one that was shown.
export function Feed({ weir, channel }: { weir: Weir; channel: string }) {
  const { messages, gaps, unread, markRead, status, ended, refused } = useFeed(weir, channel);
  const state = ended ? "ended" : refused ? "refused" : status.bus === "down" ? "waiting" : status.error ? "reconnecting" : status.state;
  return (
    <section>
      <header>
        <h1>Messages</h1>
        <p role="status" className={state}>{state}</p>
      </header>
      {refused && <p className="hint">{refused.detail}</p>}
      {!refused && messages.length === 0 && <p className="hint">Nothing yet. Publish something to {channel}.</p>}
      {unread > 0 && <button type="button" onClick={markRead}>{unread} new: mark as read</button>}
      {gaps.map(({ missed, reason }, n) => (
        <p key={n} className="gap">{missed ?? "Some"} messages were missed ({reason}).</p>
      ))}
      <ol aria-label="messages" aria-live="polite">
        {messages.map(({ id, data, time }, n) => (
          <li key={id ?? n} className={n < unread ? "message new" : "message"}>
            {time && <time>{new Date(time).toLocaleTimeString()}</time>}
            {text(data)}
          </li>
        ))}
      </ol>
    </section>
  );
}

function text(data: unknown): string {
  if (typeof data === "string") return data;
  if (typeof data === "object" && data !== null && "msg" in data && typeof data.msg === "string") return data.msg;
  return JSON.stringify(data);
}
