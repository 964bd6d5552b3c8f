// What the specification (HTML, 9.2.6) makes of a whole text/event-stream, written from its text alone.
export function parseEventStream(text) {
  const events = [];
  let [data, type, id] = [[], "", ""];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  lines.pop(); // Not ended by a line end.
  for (const line of lines) {
    const [, field, value] = /^([^:]*)(?::\x20?([^]*))?$/.exec(line);
    if (line === "") {
      if (data.length) events.push({ type: type || "message", data: data.join("\n"), id });
      [data, type] = [[], ""];
    } else if (field === "data") data.push(value ?? "");
    else if (field === "event") type = value ?? "";
    else if (field === "id" && !value?.includes("\0")) id = value ?? "";
  }
  return events;
}
