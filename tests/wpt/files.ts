/** What wptserve would serve: a checkout's files, with {{...}} in those named *.sub.* filled in, and a page around each test. */
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

/** The file at a path of the checkout. */
export async function file(places: Places, path: string): Promise<Response> {
  const file = Bun.file(join(places.root, normalize(path)));
  if (!(await file.exists())) return new Response(`no ${path}`, { status: 404 });
  const text = path.includes(".sub.") ? fill(await file.text(), places) : await file.text();
  return new Response(text, { headers: { "content-type": types[/\.\w+$/.exec(path)?.[0] ?? ""] ?? "text/plain" } });
}

function fill(text: string, { page, handlers, hash }: Places): string {
  return text.replace(/\{\{(.*?)\}\}/g, (_, name: string) => {
    if (name.startsWith("ports[webtransport-h3")) return String(handlers);
    if (name.startsWith("ports[")) return String(page);
    if (name === "location[host]") return `127.0.0.1:${page}`;
    if (name === "server_certificate_hash") return hash.replace(/..(?=.)/g, "$&:");
    return "127.0.0.1"; // hosts and domains of every kind
  });
}

/** The page that runs a test in a window. What comes out is left in `results`. */
export async function page(places: Places, test: string): Promise<Response> {
  const source = await Bun.file(join(places.root, "webtransport", test)).text();
  const meta = [...source.matchAll(/^\/\/ META: (\w+)=(.*)$/gm)].map(([, key, value]) => [key, value!.trim()]);
  const long = meta.some(([key, value]) => key === "timeout" && value === "long");
  const scripts = meta.filter(([key]) => key === "script").map(([, value]) => `<script src="${value}"></script>`);
  const html = `<!doctype html><meta charset="utf-8">${long ? '<meta name="timeout" content="long">' : ""}
<script>self.GLOBAL = { isWindow: () => true, isWorker: () => false, isShadowRealm: () => false };</script>
<script src="/resources/testharness.js"></script>
<script>
setup({ output: false });
add_completion_callback((tests, harness) => {
  self.results = { harness: harness.status, message: harness.message, tests: tests.map(({ name, status, message }) => ({ name, status, message })) };
});
</script>
${scripts.join("\n")}
<div id="log"></div>
<script src="${test}"></script>`;
  return new Response(html, { headers: { "content-type": "text/html" } });
}
