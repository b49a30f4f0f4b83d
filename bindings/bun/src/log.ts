/** Messages of a server: where they come from and where they go. */
import type { H3Server } from "./server.ts";

/** How much a message matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Levels by their number in the C contract. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * Whose failure it is: `config` (an option), `handler` (a handler threw, or gave no Response), `protocol` (what is served beside
 * requests), `peer` (a client went away), `engine` (the native library's own messages).
 */
export type LogTier = "config" | "handler" | "protocol" | "peer" | "engine";

/** One message. */
export interface LogRecord {
  level: LogLevel;
  tier: LogTier;
  message: string;
  /** What was thrown, if something was. */
  error?: unknown;
  /** Pattern of the route, or `"fetch"` for the fallback, if it is about a request. */
  route?: string;
  /** Method of the request, if it is about one. */
  method?: string;
  /** URL of the request, if it is about one. */
  url?: string;
}

/**
 * Takes a message. What it throws is dropped, and what a promise that it gives rejects with: a log must not bring down what it tells
 * of. `server` is null when the message is that the server was collected.
 */
export type LogHook = (record: LogRecord, server: H3Server | null) => unknown;

/** Hands messages to a hook; without one, those that matter go to the console when the server is under development. */
export class Log {
  /** Where messages go; undefined: nowhere. */
  hook: LogHook | undefined;

  constructor(
    hook: LogHook | undefined,
    readonly development: boolean,
  ) {
    this.hook = hook;
  }

  /** Passes a message on. */
  write(server: H3Server | null, record: LogRecord): void {
    try {
      if (this.hook !== undefined) {
        const result = this.hook(record, server);
        if (result instanceof Promise) result.catch(() => {}); // see LogHook
      } else if (this.development && (record.level === "warn" || record.level === "error")) {
        console.error(`zig_h3 ${record.level}: ${record.message}`, ...("error" in record ? [record.error] : []));
      }
    } catch {
      // See LogHook; and what was thrown may not let itself be shown.
    }
  }
}
