/** What failures are called in messages, and handlers whose failures go nowhere else. */
import type { LogRecord, Reporter } from "./log.ts";
import { watch } from "./thenable.ts";

/** What was thrown, in words. Never throws itself, whatever that is. */
export function inWords(error: unknown): string {
  try {
    return error instanceof Error ? `${error.message}` : brief(error);
  } catch {
    return UNTOLD;
  }
}

/** A value, in not too many words. Never throws. */
export function brief(value: unknown): string {
  let text: string;
  try {
    text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 0 });
  } catch {
    return UNTOLD;
  }
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}

/** Stands for a value that throws when it is looked at: a proxy, a getter, an inspect() of its own. */
const UNTOLD = "a value that cannot be shown";

/** Ends something that has failed. What that throws is of the failure that was told already. */
export function attempt(end: () => void): void {
  try {
    end();
  } catch {
    // See above.
  }
}

/**
 * Calls a handler that has nobody to answer to: what it throws, and what its promise rejects with, goes to the log.
 * @param about what the message says beside that
 */
export function callLogged(reporter: Reporter, name: string, call: () => unknown, about?: () => Partial<LogRecord>): void {
  const blame = (error: unknown): void => {
    const message = `${name} failed: ${inWords(error)}`;
    reporter.report({ level: "error", tier: "protocol", message, error, ...about?.() });
  };
  try {
    watch(call(), blame);
  } catch (error) {
    blame(error);
  }
}
