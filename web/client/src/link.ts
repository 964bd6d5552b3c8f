// Requests to one gateway, with the caller's token.
import { RefusedError, type ConnectOptions } from "./weir.ts";

export interface Link {
  readonly timeout: number; // How long the head of a response may take, and a token, in ms.
  // Fetches a path of the gateway. After a 401 it asks for the token once more, and tries again.
  request(path: string, init: RequestInit): Promise<Response>;
  // The token now; undefined if cookies go along.
  token(): Promise<string | undefined>;
  // Forgets the token: the next request asks for a new one. False if there is none to ask for.
  renew(): boolean;
}

export function openLink(gateway: string, { token: ask, credentials = "include", timeout = 30_000 }: ConnectOptions): Link {
  let known: Promise<string> | undefined; // In memory alone.
  const token = async () => {
    if (!ask) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, timeout, new Error("no token in time"));
    });
    try {
      return await Promise.race([(known ??= (async () => ask())()), late]);
    } catch (error) {
      known = undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  const renew = () => {
    known = undefined;
    return !!ask;
  };
  const send = async (path: string, init: RequestInit) => {
    const text = await token();
    const headers = { ...init.headers, ...(text && { Authorization: `Bearer ${text}` }) } as Record<string, string>;
    return fetch(gateway + path, { cache: "no-store", credentials: ask ? "omit" : credentials, ...init, headers });
  };
  return {
    timeout,
    token,
    renew,
    async request(path, init) {
      const response = await send(path, init);
      return response.status === 401 && renew() ? send(path, init) : response;
    },
  };
}

// What the gateway, or a proxy before it, says in a response that is no success.
export async function refusalOf(response: Response): Promise<RefusedError> {
  const body = await response.json().catch(() => ({})); // A proxy's own page is no JSON.
  const { detail = body?.error ?? response.statusText, channel } = body ?? {};
  return new RefusedError({ status: response.status, detail, ...(channel && { channel }) });
}
