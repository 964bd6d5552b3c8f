// A client without a gateway: the test says what its listeners are told.
export class FakeWeir {
  status = { state: "open", bus: "up" };
  watchers = new Set();
  opened = []; // All listeners that there have been: {channel, handlers, options}.
  listeners = new Set();

  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
  on(channel, handlers, options) {
    const listener = { channel, handlers, options };
    this.opened.push(listener);
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  // As the client: nobody is told anything after the end.
  tell(kind, ...args) {
    for (const listener of [...this.listeners]) {
      if (["end", "refused"].includes(kind)) this.listeners.delete(listener);
      listener.handlers[kind]?.(...args);
    }
  }
  message(data, type) {
    this.tell("message", data, { channel: "c", data, type });
  }
  batch(...all) {
    this.tell("batch", all.map((data, n) => ({ channel: "c", data, id: `g1.${n}` })));
  }
  // The client's status, as it changes.
  change(status) {
    this.status = { ...this.status, ...status };
    for (const watcher of this.watchers) watcher(this.status);
  }
}
