/** What h3Fetch() and createH3Client() are given. */
import type { ClientHostOptions, ConnectionOptions } from "../types.ts";
import type { CompressOption } from "./compress.ts";
import type { PriorityOption } from "./priority.ts";
import type { BodyInput } from "./request_body.ts";
import type { H3Response } from "./response.ts";

/** What a request may ask for, and a client for all of its requests. */
export interface RequestDefaults {
  /** "follow" (the default), "manual": redirects are given as they came, or "error". */
  redirect?: "follow" | "manual" | "error";
  /** How many redirects are followed, 0 to 100. Default 20. */
  maxRedirects?: number;
  /** false: the body is given as it came, whatever its content-encoding. Default true. */
  decompress?: boolean;
  /** How a body that is in memory is compressed: true is gzip. Default false. */
  compress?: CompressOption;
  /**
   * Milliseconds without anything of the request that comes or goes, after which it fails with a TimeoutError. What the reader of a body does not
   * take costs no time. 0, false or Infinity (the default): any time. `AbortSignal.timeout()` bounds the whole. What is asked by the global fetch()
   * (`fallback`) has so long until the head of a response; bodies there go by Bun's own clock, which adds up to 8 s.
   */
  timeout?: number | boolean;
  /** How the request is to be treated beside others. `response.h3.prioritize()` changes it on the way. */
  priority?: PriorityOption;
  /**
   * What is done where a server cannot be reached by HTTP/3 (nobody answers there, or not with HTTP/3): "fetch" asks by the global fetch()
   * instead, and so for the next five minutes. An origin that says where it has HTTP/3 (Alt-Svc) is asked there from then on. What comes by fetch()
   * is no H3Response. Not together with `serverCertificateHashes` and `hosts`. Default false.
   */
  fallback?: "fetch" | false;
}

/** What h3Fetch() takes beside a URL: what fetch() takes, and more. */
export interface H3FetchInit extends Omit<RequestInit, "body" | "redirect" | "priority">, RequestDefaults, ConnectionOptions {
  /** The body: what fetch() takes, a `Bun.file()`, or an async iterator of chunks. */
  body?: BodyInput | null;
  /** Streams are sent while the response comes, whatever this says. */
  duplex?: "half";
  /** Takes the datagrams that the server sends of this request (RFC 9297). `response.h3.sendDatagram()` sends some. */
  onDatagram?: (payload: Uint8Array<ArrayBuffer>) => unknown;
}

/** fetch() over HTTP/3, of a client or of a thread. */
export interface H3Fetch {
  /** Asks for something: see h3Fetch(). */
  (input: string | URL | Request, init: H3FetchInit & { fallback: "fetch" }): Promise<Response>;
  (input: string | URL | Request, init?: H3FetchInit): Promise<H3Response>;
  /**
   * Makes a connection before something is asked for, so that the next request costs no handshake. Resolves when it is there; where that fails, and
   * nobody takes it, nothing is told.
   * @param options which connection. What Bun's preconnect() takes stands for steps that QUIC makes as one, and is left alone.
   * @throws TypeError for what is no URL, or not https:
   */
  preconnect(url: string | URL, options?: ConnectionOptions & { dns?: boolean; tcp?: boolean; http?: boolean; https?: boolean }): Promise<void>;
}

/** What createH3Client() takes. */
export interface H3ClientOptions extends RequestDefaults, ConnectionOptions, ClientHostOptions {
  /** Headers of all requests that do not have them otherwise. */
  headers?: HeadersInit;
}

type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
