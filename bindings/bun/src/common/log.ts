/** Messages of a server or a client: where they come from and where they go. */
import { watch } from "./thenable.ts";

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

/** What messages can be passed to. */
export interface Reporter {
  /** Passes a message on. */
  report(record: LogRecord): void;
}

/**
 * Takes the messages of an owner; null: it was collected. What it throws is dropped, and what a promise that it gives rejects with: a
 * log must not bring down what it tells of.
 */
type Hook<Owner> = (record: LogRecord, owner: Owner | null) => unknown;

/** Hands messages to a hook; without one, those that matter go to the console when their owner is under development. */
export class Log<Owner> {
  /** Where messages go; undefined: nowhere. */
  hook: Hook<Owner> | undefined;

  constructor(
    hook: Hook<Owner> | undefined,
    readonly development: boolean,
  ) {
    this.hook = hook;
  }

  /** Passes a message on. */
  write(owner: Owner | null, record: LogRecord): void {
    try {
      if (this.hook !== undefined) {
        const result = this.hook(record, owner);
        watch(result, () => {}); // see Hook
      } else if (this.development && (record.level === "warn" || record.level === "error")) {
        console.error(`zig_h3 ${record.level}: ${record.message}`, ...("error" in record ? [record.error] : []));
      }
    } catch {
      // See Hook; and what was thrown may not let itself be shown.
    }
  }
}
