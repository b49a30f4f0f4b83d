/** The field WT-Available-Protocols (draft-ietf-webtrans-http3, 3.4): a list of strings (RFC 9651). */

/** One string, its parameters, and the comma behind it. */
const STRING = /^[ \t]*"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"((?:;[^,"]*(?:"(?:[^"\\]|\\.)*")?)*)[ \t]*(,|$)/;

/** The protocols that the field names, best first; none when it is no list of strings, as the draft has it. */
export function offeredProtocols(field: string | null): string[] {
  const protocols: string[] = [];
  for (let rest = field ?? ""; rest.trim() !== ""; ) {
    const match = STRING.exec(rest);
    if (match === null) return [];
    protocols.push(match[1]!.replace(/\\(.)/g, "$1"));
    rest = rest.slice(match[0].length);
    if (match[3] === "," && rest.trim() === "") return [];
  }
  return protocols;
}
