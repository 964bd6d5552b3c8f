// Puts together the file that weir-publish-file sends on a channel. The client loads this when it is first asked to.
import { RefusedError, type FileOptions, type ReceivedFile, type Weir } from "./weir.js";

/** A file of which parts are missing, or that is not what its sender says. */
export class FileError extends Error {
  override name = "FileError";
  /** The numbers of the parts that are missing. They count from 0. */
  missing: number[] = [];
}

// The data of a message of type "file".
interface Announced {
  name?: string;
  size: number;
  sha256?: string;
  parts: number;
}

const PARTS_MAX = 1_000_000; // 48 GB, as weir-publish-file makes them.
let isWarned = false;

/** What weir.file() calls. */
export function receiveFile(weir: Weir, channel: string, { progress, replay = "all", signal }: FileOptions): Promise<ReceivedFile> {
  return new Promise((resolve, reject) => {
    let file: Announced | undefined;
    let parts: (Blob | undefined)[] = []; // By their numbers. Browsers keep Blobs out of the memory of scripts.
    let done = 0; // Bytes.

    // Ends all of it, and fails unless it has succeeded before.
    const leave = (error?: unknown) => {
      off();
      signal?.removeEventListener("abort", cancel);
      reject(error);
    };
    const cancel = () => leave(signal!.reason);
    const fail = (what: string, missing: number[] = []) => leave(Object.assign(new FileError(what), { missing }));
    const begin = (announced: Announced) => {
      const { sha256, parts: count } = announced;
      // The next round of the same file fills holes.
      if (file?.sha256 === sha256 && file?.parts === count) return;
      if (!(count <= PARTS_MAX)) return fail("too many parts");
      file = announced;
      parts = Array(count).fill(undefined);
      done = 0;
      add();
    };
    const add = (bytes?: Uint8Array<ArrayBuffer>, n = 0) => {
      const { name = "", size, sha256 } = file!;
      if (bytes) {
        parts[n] = new Blob([bytes]);
        done += bytes.length;
      }
      if (done === size && parts.every(Boolean)) {
        off(); // The signal counts until the digest is known.
        const blob = new Blob(parts as Blob[]);
        digestOf(blob).then((digest) => {
          if (digest && sha256 && digest !== sha256) return fail("the SHA-256 is not that of the sender");
          resolve({ blob, name, sha256: sha256 ?? digest });
          leave();
        }, leave);
      } else if (!(done < size)) {
        return fail(`the parts are not of ${size} bytes`);
      }
      progress?.(done, size);
    };

    const off = weir.on(channel, {
      message(data, { type }) {
        const bytes = data?.msg;
        if (type === "file") begin(data);
        if (type === "part" && data.n in parts && !parts[data.n]) add(decode(data.base64), data.n);
        // A small file is one message, without a name and a digest.
        if (file || !(bytes instanceof Uint8Array)) return;
        file = { size: bytes.length, parts: 1 };
        add(bytes as Uint8Array<ArrayBuffer>);
      },
      end() {
        const missing = [...parts.keys()].filter((n) => !parts[n]);
        fail(file ? `parts ${rangesOf(missing)} of ${parts.length} are missing` : "the file is missing", missing);
      },
      refused: (refusal) => leave(new RefusedError(refusal)),
    }, { replay });
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) cancel();
  });
}

// In hexadecimal; "" where the browser has no digests.
async function digestOf(blob: Blob): Promise<string> {
  const { subtle } = crypto;
  if (!subtle && !isWarned) console.warn("weir: without https files are not checked");
  isWarned = !subtle;
  const digest = await subtle?.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest ?? 0), (byte) => (byte + 256).toString(16).slice(1)).join("");
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const Bytes: any = Uint8Array;
  return Bytes.fromBase64?.(base64) ?? Bytes.from(atob(base64), (char: string) => char.charCodeAt(0));
}

// "3, 7-9" of 3, 7, 8 and 9.
function rangesOf(numbers: number[]): string {
  const follows = (i: number) => numbers[i]! - 1 === numbers[i - 1];
  return numbers.map((n, i) => (follows(i) ? (follows(i + 1) ? "" : `-${n}`) : `, ${n}`)).join("").slice(2);
}
