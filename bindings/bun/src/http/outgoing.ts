/** What sends a body must know of the message that the body belongs to, and the other way round. */
import type { LogRecord } from "../common/log.ts";

/** A message whose head has been given: what becomes of its body is told to it. */
export interface Carrier {
  /** The library's name for it. */
  readonly handle: number;
  /** It is over: what comes of its body is of no use any more. */
  gone: boolean;
  /** All of its body has been taken. */
  sent(): void;
  /** Which message it is, for what is told of it. */
  readonly what: "request" | "response";
  /** Its body cannot be had, or not be sent: it is broken off. */
  bodyFailed(record: LogRecord): void;
}

/** The library's calls for a body in parts: a request's are others than a response's. */
export interface OutgoingCalls {
  /** Takes bytes, and writes to the address `taken` how many. */
  write(handle: number, bytes: Uint8Array | number, length: number, taken: number): number;
  /** Nothing more comes. */
  end(handle: number): number;
  /** Nothing more comes but trailers, packed at an address. */
  trailers(handle: number, at: number, length: number): number;
  /** Breaks it off. */
  reset(handle: number, code: number): number;
}

/** A body that is being sent in parts. */
export interface Sending {
  /** The library takes bytes again. */
  writable(): void;
  /** The message has ended. */
  closed(reason: unknown): void;
}
