/** h3Fetch(): fetch() over HTTP/3. */
import { sharedClients } from "../shared_clients.ts";
import { Fetcher } from "./fetcher.ts";
import { checkWishes, defaultHeaders } from "./request.ts";
import type { H3Response } from "./response.ts";
import type { H3FetchInit } from "./types.ts";

let fetcher: Fetcher | undefined;

/**
 * Asks for something over HTTP/3: fetch(), with its semantics.
 *
 *     const response = await h3Fetch("https://example.com/");
 *     console.log(response.status, await response.text());
 *
 * Connections are kept and shared by all requests of this thread that have the same options for them. Rejects with a TypeError whose `cause` is
 * the H3Error with the named code, with the reason of `signal`, or with a TimeoutError. A body that ends early fails its reader likewise.
 */
export function h3Fetch(input: string | URL | Request, init: H3FetchInit & { fallback: "fetch" }): Promise<Response>;
export function h3Fetch(input: string | URL | Request, init?: H3FetchInit): Promise<H3Response>;
export function h3Fetch(input: string | URL | Request, init?: H3FetchInit): Promise<Response> {
  fetcher ??= new Fetcher(sharedClients(), defaultHeaders(undefined), checkWishes({}));
  return fetcher.fetch(input, init);
}
