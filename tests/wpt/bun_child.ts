/**
 * One file of the W3C's tests in this process: `bun_child.ts FILE PORT HASH CERTIFICATE CLOSING`. What testharness.js comes to is the last line on
 * stdout.
 *
 * Without a document and without a worker's scope the harness takes this for a shell: it counts all tests as there once the microtasks at
 * hand are done, and has no time limit. So all is read first, and then run in one go.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { runInThisContext } from "node:vm";
import { installWebTransport, WebTransport, type WebTransportClientOptions } from "../../bindings/bun/src/index.ts";
import { fill } from "./files.ts";

const [name, port, hash, certPath, closing] = process.argv.slice(2) as [string, string, string, string, string];

/** When tests that have not ended count as hanging, in ms, and for files that say that they take long. */
const [LIMIT, LONG] = [20_000, 60_000];

const root = process.env.WPT_DIR ?? "";
const packages = join(import.meta.dir, "node_modules");

/** What npm has of a checkout, by the path there. */
const FROM_NPM: Record<string, string> = {
  "/resources/testharness.js": "wpt-runner/testharness/testharness.js",
  "/resources/idlharness.js": "wpt-runner/testharness/idlharness.js",
  "/resources/WebIDLParser.js": "wpt-runner/testharness/webidl2.js",
  ...Object.fromEntries(["webtransport", "streams", "webidl", "dom"].map((of) => [`/interfaces/${of}.idl`, `@webref/idl/${of}.idl`])),
};

const places = { root, page: 443, handlers: Number(port), hash };

function read(path: string): string {
  const alias = path === "/resources/WebIDLParser.js" ? "/resources/webidl2/lib/webidl2.js" : path;
  const there = join(root, normalize(alias));
  const file = path === "/webtransport/shape.js" ? join(import.meta.dir, "shape.js") : root !== "" && existsSync(there) ? there : join(packages, FROM_NPM[path] ?? path);
  const text = readFileSync(file, "utf8");
  return path.includes(".sub.") ? fill(text, places) : text;
}

const path = `/webtransport/${name}`;
const source = read(path);
const metas = [...source.matchAll(/^\/\/ META: (\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!.trim()] as const);
const scripts = metas.filter(([key]) => key === "script").map(([, value]) => (value.startsWith("/") ? value : `/webtransport/${value}`));
const long = metas.some(([key, value]) => key === "timeout" && value === "long");
const idl = scripts.includes("/resources/idlharness.js");

/** The page's origin, as the tests and the handlers know it. */
const ORIGIN = "https://127.0.0.1";

/** As a browser that trusts the certificate of the handlers, on a page of the tests; names lead nowhere. */
class PageWebTransport extends WebTransport {
  constructor(url: string, options: WebTransportClientOptions = {}) {
    if (arguments.length === 0) throw new TypeError("a URL is needed");
    const headers = new Headers(options?.headers ?? {});
    headers.set("origin", ORIGIN);
    // That one is another server's: see bun.ts.
    const there = String(url).endsWith("/server-connection-close.py") ? url.replace(`:${port}/`, `:${closing}/`) : url;
    super(there, { ...options, headers, tls: { ca: Bun.file(certPath) }, hosts: { "webtransport.invalid": "127.0.0.1:9", localhost: "127.0.0.1" } });
  }
}
Object.defineProperty(PageWebTransport, "name", { value: "WebTransport" });

const scope = globalThis as unknown as Record<string, unknown> & { timeout(): void; dispatchEvent(event: Event): boolean; add_completion_callback(done: (tests: Outcome[], harness: Outcome) => void): void };

interface Outcome {
  name: string;
  status: number;
  message: string | null;
}

installWebTransport();
// The interface itself is what is held against the IDL.
if (!idl) Object.defineProperty(scope, "WebTransport", { value: PageWebTransport, writable: true, configurable: true });
scope.location = new URL(`${ORIGIN}${path}`);
scope.GLOBAL = { isWindow: () => true, isWorker: () => false, isShadowRealm: () => false };
// Bun fires no such event.
process.on("unhandledRejection", (reason) => scope.dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason })));

const all = ["/resources/testharness.js", ...scripts].map((file) => [file, read(file)] as const);
const specifications = new Map(idl ? ["webtransport", "streams", "webidl"].map((of) => [of, read(`/interfaces/${of}.idl`)]) : []);

for (const [file, text] of all) {
  runInThisContext(text, { filename: file });
  if (file === "/resources/testharness.js") {
    scope.Window = class Window {}; // from here on: it would tell the harness of a page, and tells idlharness where it is
    scope.add_completion_callback((tests, { status, message }) => {
      const told = tests.map(({ name, status, message }) => ({ name, status, message }));
      console.log(JSON.stringify({ harness: status, message: message ?? null, tests: told }));
      process.exit(0);
    });
  }
  if (file === "/resources/idlharness.js") scope.fetch_spec = async (spec: string) => ({ spec, idl: specifications.get(spec) });
}
runInThisContext(source, { filename: path });
setTimeout(() => scope.timeout(), long ? LONG : LIMIT);
