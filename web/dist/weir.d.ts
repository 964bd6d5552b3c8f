/** How much of the history a listener begins with: the last n messages, or all that the gateway has. */
export type Replay = number | "all";
export interface Message<Data = unknown> {
    channel: string;
    /** Parsed JSON, or the text. A Node Buffer in JSON has become a Uint8Array. */
    data: Data;
    /** The publisher's event type. */
    type?: string;
    /** The message's own id. Absent for a plain PUBLISH on a durable channel. */
    id?: string;
    /** When the gateway got it, in ms since 1970. */
    time?: number;
}
export interface Gap {
    channel: string;
    /** How many messages are missing; null if nobody can know. */
    missed: number | null;
    reason: "slow-client" | "bus-down" | "history" | "memory" | "too-large" | "reset";
}
/** Why a stream, a channel or a publish failed. */
export interface Refusal {
    /** The HTTP status; 0 if there was no response. */
    status: number;
    /** The gateway's words, or the browser's. */
    detail: string;
    /** The channel that it is about; absent if it is the whole request. */
    channel?: string;
}
/** What a listener is told of its channel, in order. All are optional. */
export interface Handlers<Data = unknown> {
    message?(data: Data, message: Message<Data>): void;
    /** The messages of one animation frame (50 ms if the page is hidden, or there is no page). */
    batch?(messages: Message<Data>[]): void;
    gap?(gap: Gap): void;
    /** What follows is live. `replayed` counts the messages before. */
    live?(live: {
        replayed: number;
    }): void;
    /** The channel has ended; nothing follows. `data` is what the publisher gave with the end. */
    end?(data: any): void;
    /** The gateway refuses this channel, or the whole stream; nothing follows. */
    refused?(refusal: Refusal): void;
}
export interface ListenOptions {
    /**
     * Begin with this much history, also after each load of the page. A listener without it goes on where this tab was
     * before the load (see `resume`), or live.
     */
    replay?: Replay | undefined;
}
export type State = "connecting" | "open" | "refused" | "ended";
export interface Status {
    state: State;
    /** Why the stream is not open: the last failure. It is tried again unless the state is "refused". */
    error?: Refusal | undefined;
    /** "down": the gateway has lost Redis, so nothing arrives and publishing fails. */
    bus: "up" | "down";
}
export interface ConnectOptions {
    /**
     * Gives a token for `Authorization: Bearer`. Called at the start, shortly before the token expires, and after a 401.
     * It is never stored. Without it cookies go along.
     */
    token?(): Promise<string> | string;
    /**
     * Whose stream this is. Tabs share a stream only under the same key. Default: the claims of the token that do not
     * change with its renewal; a token that is no JWT is never shared.
     */
    key?: string;
    /** For requests without `token`. "omit" for a gateway that allows any origin (`--cors-origin '*'`). Default: "include". */
    credentials?: "omit" | "same-origin" | "include";
    /** False: a load of the page begins live instead of where this tab was. Default: true. */
    resume?: boolean;
    /** False: this tab has a stream of its own. Default: true in a page of a browser that has Web Locks. */
    share?: boolean;
    /** How long the head of a response may take, and a token, in ms. Default: 30,000. */
    timeout?: number;
}
export interface PublishOptions {
    /** The event type. */
    type?: string;
    /** The publisher's own id. */
    id?: string;
    /** A reconnection time for the clients, in ms. */
    retry?: number;
    /** A durable channel takes one message under a key. */
    idempotencyKey?: string;
}
export interface Published {
    channel: string;
    /** Streams of the channel on this gateway. */
    subscribers: number;
    /** Gateways that got it. */
    receivers?: number;
    /** Of a durable message. */
    id?: string;
    /** It had been published before under this idempotency key. */
    repeated?: boolean;
}
export interface FileOptions {
    /** In bytes. */
    progress?(done: number, size: number): void;
    /** Default: "all". */
    replay?: Replay;
    signal?: AbortSignal;
}
export interface ReceivedFile {
    blob: Blob;
    name: string;
    sha256: string;
}
export interface Weir {
    /** Told whenever something of it changes. */
    onstate: ((status: Status) => void) | null;
    status: Status;
    /** The same as `onstate`, for several. Returns how to end it. */
    watch(watcher: (status: Status) => void): () => void;
    /** Follows a channel until the returned function is called. */
    on<Data = any>(channel: string, handlers: Handlers<Data>, options?: ListenOptions): () => void;
    /** The messages of a channel up to its end. Throws GapError where some are missing, and RefusedError. */
    read<Data = any>(channel: string, options?: ListenOptions & {
        signal?: AbortSignal | undefined;
    }): AsyncGenerator<Message<Data>, void, void>;
    /** Throws RefusedError, also where the outcome is unknown (504); a TypeError if there is no connection. */
    publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
    end(channel: string, data?: unknown): Promise<Published>;
    /** Puts together what weir-publish-file sends. Throws FileError if parts are missing or the digest is wrong. */
    file(channel: string, options?: FileOptions): Promise<ReceivedFile>;
    /** Leaves all channels. Nothing is told after this. */
    close(): void;
}
export declare class RefusedError extends Error {
    readonly refusal: Refusal;
    constructor(refusal: Refusal);
}
export declare class GapError extends Error {
    readonly gap: Gap;
    constructor(gap: Gap);
}
/**
 * `gateway` is the URL of a gateway, without a slash at the end, or a path on the page's own origin. Several clients of
 * one page with the same gateway and key are one.
 */
export declare function connect(gateway: string, options?: ConnectOptions): Weir;
