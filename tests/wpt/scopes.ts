/**
 * The scopes that a test runs in, as its META lines say, and what wptserve puts around it in each: a page, and for a worker a script.
 *
 *     close.https.any.html                 the test itself
 *     close.https.any.sharedworker.html    starts a shared worker and takes over its results
 *     close.https.any.worker.js            the test in a worker of any kind
 */
import { join } from "node:path";
import type { Places } from "./files.ts";

/** How a page starts the worker that runs the script at `src`. */
const workers = {
  worker: (src: string) => `fetch_tests_from_worker(new Worker("${src}"));`,
  sharedworker: (src: string) => `fetch_tests_from_worker(new SharedWorker("${src}"));`,
  serviceworker: (src: string) => `(async () => {
  const scope = "does/not/exist";
  await (await navigator.serviceWorker.getRegistration(scope))?.unregister();
  fetch_tests_from_worker((await navigator.serviceWorker.register("${src}", { scope })).installing);
})();`,
};

/**
 * Where a browser has only the older name of a datagrams' writable, tests that send datagrams get at it by the newer one: else none of theirs
 * would reach the handlers. The test of the interfaces is not among them.
 */
const older = `if (self.WebTransportDatagramDuplexStream && !("createWritable" in WebTransportDatagramDuplexStream.prototype)) {
  WebTransportDatagramDuplexStream.prototype.createWritable = function () { return this.writable; };
}`;

/** What goes before a test's own scripts. */
function before(name: string): string {
  return /^(?:datagram|stats)/.test(name) ? older : "";
}

type Worker = keyof typeof workers;
export type Scope = "window" | Worker;

/** What META calls them. */
const globals: Record<string, Scope[]> = {
  window: ["window"],
  worker: ["worker", "sharedworker", "serviceworker"],
  dedicatedworker: ["worker"],
  sharedworker: ["sharedworker"],
  serviceworker: ["serviceworker"],
};

interface Test {
  scopes: Scope[];
  long: boolean;
  scripts: string[];
}

async function read({ root }: Places, name: string): Promise<Test> {
  const source = await Bun.file(join(root, "webtransport", name)).text();
  const metas = [...source.matchAll(/^\/\/ META: (\w+)=(.*)$/gm)].map((match): [string, string] => [match[1]!, match[2]!.trim()]);
  const of = (wanted: string): string[] => metas.filter(([key]) => key === wanted).map(([, value]) => value);
  const named = (of("global")[0] ?? "window,dedicatedworker").split(",");
  const unknown = named.find((one) => globals[one] === undefined);
  if (unknown !== undefined) throw new Error(`${name}: no scope named ${unknown} here`);
  return { scopes: named.flatMap((one) => globals[one]!), long: of("timeout").includes("long"), scripts: of("script") };
}

/** The scopes of a test, X.any.js. */
export async function scopes(places: Places, name: string): Promise<Scope[]> {
  return (await read(places, name)).scopes;
}

/** The path of the page that runs a test in a scope. */
export function address(name: string, scope: Scope): string {
  return `/webtransport/${name.replace(/\.js$/, scope === "window" ? ".html" : `.${scope}.html`)}`;
}

/** The page or script at a path, if it is one that is put around a test. */
export async function wrapper(places: Places, path: string): Promise<Response | undefined> {
  const [, stem, worker, type] = /^\/webtransport\/([^/]+\.any)(?:\.(\w+))?\.(html|js)$/.exec(path) ?? [];
  if (stem === undefined || (worker !== undefined && !(worker in workers)) || (worker === undefined && type === "js")) return undefined;
  const test = await read(places, `${stem}.js`);
  return type === "js" ? script(test, `${stem}.js`) : page(test, `${stem}.js`, worker as Worker | undefined);
}

/** What comes out is left in the page's `results`. */
function page({ long, scripts }: Test, name: string, worker: Worker | undefined): Response {
  const body =
    worker === undefined
      ? `<script>${before(name)}</script>\n${scripts.map((src) => `<script src="${src}"></script>\n`).join("")}<script src="${name}"></script>`
      : `<script>${workers[worker](name.replace(/js$/, "worker.js"))}</script>`;
  const html = `<!doctype html><meta charset="utf-8">${long ? '<meta name="timeout" content="long">' : ""}
<script>self.GLOBAL = { isWindow: () => true, isWorker: () => false, isShadowRealm: () => false };</script>
<script src="/resources/testharness.js"></script>
<script>
setup({ output: false });
add_completion_callback((tests, harness) => {
  self.results = { harness: harness.status, message: harness.message, tests: tests.map(({ name, status, message }) => ({ name, status, message })) };
});
</script>
<div id="log"></div>
${body}`;
  return new Response(html, { headers: { "content-type": "text/html" } });
}

function script({ scripts }: Test, name: string): Response {
  const text = `self.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
${before(name)}
importScripts(${["/resources/testharness.js", ...scripts, name].map((src) => JSON.stringify(src)).join(", ")});
done();`;
  return new Response(text, { headers: { "content-type": "text/javascript" } });
}
