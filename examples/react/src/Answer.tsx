import type { Weir } from "@weir/client";
import { useText } from "@weir/client/react";

// A text that is being written, such as a model's answer: whole after a load of the page, too. For chunks of OpenAI's API
// there is { pick: openai }.
export function Answer({ weir, channel }: { weir: Weir; channel: string }) {
  const { text, done, gone, gap, error, status } = useText(weir, channel);
  const state = error ? "refused" : done ? "done" : gone ? "nothing there" : status.state === "open" ? "writing" : status.state;
  return (
    <section>
      <header>
        <h1>Answer</h1>
        <p role="status">{state}</p>
      </header>
      {error && <p className="hint">{error.detail}</p>}
      {gap && <p className="gap">{gap.missed ?? "Some"} words are missing. A durable channel would have kept them.</p>}
      <p className="text" aria-live="polite">{text}</p>
    </section>
  );
}
