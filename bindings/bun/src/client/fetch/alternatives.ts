/** Which origins have HTTP/3, and where: what they say of themselves (Alt-Svc, RFC 7838), and what was found out. */
import { now } from "../../common/builtins.ts";

/** Where an origin's HTTP/3 is. */
export interface Alternative {
  /** Empty: the origin's own. */
  readonly host: string;
  readonly port: number;
}

/** What is known of an origin; no alternative: it has no HTTP/3. */
interface Known {
  readonly until: number;
  readonly at: Alternative | undefined;
}

/** How many origins are remembered. Beyond it the one that was heard of longest ago is forgotten. */
const MOST = 1024;

/** How long an origin is taken for one without HTTP/3 that could not be reached by it. */
const BROKEN = 300_000;

/** How long an alternative holds that does not say so, and that any holds at most, in seconds (RFC 7838, 3.1). */
const DEFAULT_AGE = 86_400;
const LONGEST_AGE = 30 * 86_400;

/** What is remembered of origins. */
export class Alternatives {
  #known = new Map<string, Known>();

  /** undefined: nothing is known; null: the origin has no HTTP/3. */
  of(origin: string): Alternative | null | undefined {
    const known = this.#known.get(origin);
    if (known === undefined) return undefined;
    if (known.until > now()) return known.at ?? null;
    this.#known.delete(origin);
    return undefined;
  }

  /** Takes what an origin says of itself in a field `alt-svc`; null: nothing, which changes nothing. */
  learn(origin: string, field: string | null): void {
    if (field === null) return;
    if (field.trim() === "clear") {
      this.#known.delete(origin);
      return;
    }
    const found = parseAltSvc(field);
    if (found !== undefined) this.#set(origin, found.at, found.age * 1000);
  }

  /** It could not be reached by HTTP/3. */
  broken(origin: string): void {
    this.#set(origin, undefined, BROKEN);
  }

  #set(origin: string, at: Alternative | undefined, ms: number): void {
    this.#known.delete(origin);
    this.#known.set(origin, { until: now() + ms, at });
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
  }
}

/** One alternative: protocol, quoted authority, parameters. */
const ENTRY = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="((?:[^"\\]|\\.)*)"((?:\s*;\s*[^;,="]+=(?:"(?:[^"\\]|\\.)*"|[^;,"]*))*)\s*(?:,|$)/g;

const PARAMETER = /;\s*([^;=\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,"\s]*)/g;

/** The first alternative of a field that speaks HTTP/3, and for how many seconds it holds. */
export function parseAltSvc(field: string): { at: Alternative; age: number } | undefined {
  for (const [, protocol, authority, parameters] of field.matchAll(ENTRY)) {
    if (protocol !== "h3") continue;
    const [, host, digits] = /^(.*):(\d{1,5})$/.exec(authority!.replace(/\\(.)/g, "$1")) ?? [];
    const port = Number(digits);
    if (host === undefined || !(port >= 1 && port <= 65_535)) continue;
    const said = [...parameters!.matchAll(PARAMETER)].find(([, name]) => name!.toLowerCase() === "ma")?.[2];
    const age = said === undefined || !/^"?\d+"?$/.test(said) ? DEFAULT_AGE : Number(said.replaceAll('"', ""));
    return { at: { host: host.toLowerCase(), port }, age: Math.min(age, LONGEST_AGE) };
  }
  return undefined;
}
