/** h3Fetch(): fetch() over HTTP/3. */
import { sharedClients } from "../shared_clients.ts";
import { Fetcher } from "./fetcher.ts";
import { checkWishes, defaultHeaders } from "./request.ts";
import type { H3Response } from "./response.ts";
import type { H3Fetch } from "./types.ts";

let fetcher: Fetcher | undefined;

function ofThread(): Fetcher {
  return (fetcher ??= new Fetcher(sharedClients(), defaultHeaders(undefined), checkWishes({})));
}

/**
 * Asks for something over HTTP/3: fetch(), with its semantics.
 *
 *     const response = await h3Fetch("https://example.com/");
 *     console.log(response.status, await response.text());
 *
 * Connections are kept and shared by all requests of this thread that have the same options for them. Rejects with a TypeError whose `cause` is
 * the H3Error with the named code, with the reason of `signal`, or with a TimeoutError. A body that ends early fails its reader likewise.
 */
export const h3Fetch: H3Fetch = Object.assign((...[input, init]: Parameters<H3Fetch>) => ofThread().fetch(input, init) as Promise<H3Response>, {
  preconnect: (...[url, options]: Parameters<H3Fetch["preconnect"]>) => ofThread().preconnect(url, options),
});
