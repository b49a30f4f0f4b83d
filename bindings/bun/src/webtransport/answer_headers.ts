/** The headers of a server's answer to the wish for a session. */

/** What responseHeaders leaves out: cookies, as the fetch standard has it, and what the attribute `protocol` says. */
const LEFT_OUT: ReadonlySet<string> = new Set(["set-cookie", "set-cookie2", "wt-protocol"]);

/** Headers that cannot be changed, of the fields of such an answer. */
export function answerHeaders(fields: readonly [name: string, value: string][]): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) if (!LEFT_OUT.has(name)) headers.append(name, value);
  for (const method of ["append", "delete", "set"]) Object.defineProperty(headers, method, { value: refuse });
  return headers;
}

function refuse(): never {
  throw new TypeError("the headers of an answer cannot be changed");
}
