/** What wptserve would serve of a checkout's files, with {{...}} in those named *.sub.* filled in. */
import { join, normalize } from "node:path";

/** Where things are in this run. */
export interface Places {
  /** The checkout: a folder with webtransport/, resources/ and common/. */
  root: string;
  /** Port of the pages. */
  page: number;
  /** Port of the handlers. */
  handlers: number;
  /** Hash of their certificate in hex. */
  hash: string;
}

const types: Record<string, string> = { ".js": "text/javascript", ".html": "text/html", ".css": "text/css" };

/** Where a path leads to another file. */
const aliases: Record<string, string> = { "/resources/WebIDLParser.js": "/resources/webidl2/lib/webidl2.js" };

/** The file at a path of the checkout. */
export async function file(places: Places, path: string): Promise<Response> {
  const file = Bun.file(join(places.root, normalize(aliases[path] ?? path)));
  if (!(await file.exists())) return new Response(`no ${path}`, { status: 404 });
  const text = path.includes(".sub.") ? fill(await file.text(), places) : await file.text();
  return new Response(text, { headers: { "content-type": types[/\.\w+$/.exec(path)?.[0] ?? ""] ?? "text/plain" } });
}

/** A file of wptserve with its {{...}} filled in. */
export function fill(text: string, { page, handlers, hash }: Places): string {
  return text.replace(/\{\{(.*?)\}\}/g, (_, name: string) => {
    if (name.startsWith("ports[webtransport-h3")) return String(handlers);
    if (name.startsWith("ports[")) return String(page);
    if (name === "location[host]") return `127.0.0.1:${page}`;
    if (name === "server_certificate_hash") return hash.replace(/..(?=.)/g, "$&:");
    return "127.0.0.1"; // hosts and domains of every kind
  });
}
