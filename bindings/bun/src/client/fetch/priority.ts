/** How requests are treated beside others of their connection (RFC 9218). */
import { brief } from "../../common/failure.ts";

/** How a request is to be treated beside others of its connection (RFC 9218): the fetch standard's words, or the parameters themselves. */
export type PriorityOption = "high" | "low" | "auto" | { urgency?: number; incremental?: boolean };

/** The parameters, all of them. */
export interface Priority {
  /** 0, before everything else, to 7. */
  readonly urgency: number;
  /** Parts of the response are of use before all of it is there. */
  readonly incremental: boolean;
}

/** What holds where nothing is said (RFC 9218, 4). */
export const USUAL: Priority = { urgency: 3, incremental: false };

/** What the words stand for; "auto" says nothing. */
const WORDS: Readonly<Record<string, Priority | undefined>> = { high: { urgency: 1, incremental: false }, low: { urgency: 5, incremental: false }, auto: undefined };

/**
 * Checks a priority; undefined is "auto".
 * @throws TypeError or RangeError that says what is wrong
 */
export function checkPriority(value: PriorityOption): Priority | undefined {
  if (typeof value === "string" && Object.hasOwn(WORDS, value)) return WORDS[value];
  if (typeof value !== "object" || value === null) throw new TypeError(`priority must be "high", "low", "auto" or an object, not ${brief(value)}`);
  const { urgency = USUAL.urgency, incremental = USUAL.incremental } = value;
  if (typeof urgency !== "number") throw new TypeError(`priority.urgency must be a number, not ${brief(urgency)}`);
  if (!Number.isInteger(urgency) || urgency < 0 || urgency > 7) throw new RangeError(`priority.urgency must be 0 to 7, not ${urgency}`);
  if (typeof incremental !== "boolean") throw new TypeError(`priority.incremental must be true or false, not ${brief(incremental)}`);
  return { urgency, incremental };
}

/** The field `priority` that says so; none for "auto". */
export function priorityField(priority: Priority | undefined): string | undefined {
  if (priority === undefined) return undefined;
  return priority.incremental ? `u=${priority.urgency}, i` : `u=${priority.urgency}`;
}
