import { type FileOptions, type ReceivedFile, type Weir } from "./weir.js";
/** A file of which parts are missing, or that is not what its sender says. */
export declare class FileError extends Error {
    name: string;
    /** The numbers of the parts that are missing. They count from 0. */
    missing: number[];
}
/** What weir.file() calls. */
export declare function receiveFile(weir: Weir, channel: string, { progress, replay, signal }: FileOptions): Promise<ReceivedFile>;
