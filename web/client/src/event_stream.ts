// Parses text/event-stream (WHATWG HTML, 9.2.6) as a gateway sends it: each line ends in LF, and has a colon. Unlike an
// EventSource it also gives blocks without data, and comments.

// The fields of a block by name; repeated ones are joined by LF. A comment has the empty name.
export type Block = Partial<Record<"" | "event" | "data" | "id" | "retry", string>>;

// Returns a function that takes the text of the stream, in pieces of any size. A block that no blank line ends is dropped.
export function parseEventStream(onBlock: (block: Block) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop()!;
    for (const lines of blocks) {
      const block: Record<string, string> = {};
      for (const line of lines.split("\n")) {
        const [, name = "", value = ""] = /^(\w*): ?([^]*)/.exec(line) ?? [];
        block[name] = name in block ? `${block[name]}\n${value}` : value;
      }
      onBlock(block);
    }
  };
}
