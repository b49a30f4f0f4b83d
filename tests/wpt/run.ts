/**
 * Runs the W3C's own tests of WebTransport, unmodified, in Chromium against handlers on this server.
 *
 *     WPT_DIR=~/wpt bun tests/wpt/run.ts [--update] [NAME...]
 *
 * WPT_DIR is a checkout of web-platform-tests/wpt, or the part of it with webtransport/, resources/ and common/; without it nothing is
 * run, and nothing counts. expectations.json names what does not pass, and why: a test that fails and is not there counts as failed,
 * and so does one that passes although it is there. --update writes down what came out, keeping the reasons.
 */
import { readdirSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { createH3Server } from "../../bindings/bun/src/index.ts";
import { Browser } from "../bun/browser.ts";
import { certificate } from "../bun/certificate.ts";
import { file, page, type Places } from "./files.ts";
import { handlers } from "./handlers.ts";

const STATUS = ["pass", "fail", "timeout", "not run", "precondition failed"] as const;
const PATIENCE = 90_000;

interface Result {
  harness: number;
  message: string | null;
  tests: { name: string; status: number; message: string | null }[];
}

const root = process.env.WPT_DIR;
const expectationsPath = join(import.meta.dir, "expectations.json");
const expectations = (await Bun.file(expectationsPath).json()) as Record<string, Record<string, string>>;
const update = process.argv.includes("--update");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));

if (root === undefined) {
  console.log("WPT_DIR does not name a checkout of web-platform-tests: nothing was run, nothing is counted as passed");
  process.exit(0);
}

const files = certificate("wpt");
const server = createH3Server({
  port: 0,
  hostname: "127.0.0.1",
  ...files,
  webtransport: { origins: ["*"] },
  routes: Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [`/webtransport/handlers/${name}`, { webtransport: (session) => void handle(session).catch(() => {}) }] as const),
  ),
});
const pages: Bun.Server<undefined> = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: { cert: Bun.file(files.certPath), key: Bun.file(files.keyPath) },
  fetch: (request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const test = /^\/webtransport\/(.*)\.html$/.exec(pathname)?.[1];
    return test?.endsWith(".any") ? page(places, `${test}.js`) : file(places, pathname);
  },
});
const places: Places = { root, page: pages.port!, handlers: server.port!, hash: String(server.certificateHash) };

const key = new X509Certificate(await Bun.file(files.certPath).text()).publicKey.export({ type: "spki", format: "der" });
const browser = await Browser.start([
  `--origin-to-force-quic-on=127.0.0.1:${server.port}`,
  `--ignore-certificate-errors-spki-list=${new Bun.CryptoHasher("sha256").update(key).digest("base64")}`,
]);

/** Runs one file in a tab of its own. */
async function run(test: string): Promise<Result> {
  const url = `${pages.url.origin}/webtransport/${test.replace(/\.js$/, ".html")}`;
  const tab = await browser.page({ url, hash: "" }, url);
  const deadline = performance.now() + PATIENCE;
  try {
    while (performance.now() < deadline) {
      const results = (await tab.evaluate("globalThis.results")) as Result | undefined;
      if (results !== undefined) return results;
      await Bun.sleep(50);
    }
    return { harness: 2, message: `no end within ${PATIENCE} ms`, tests: [] };
  } finally {
    await tab.close();
  }
}

let passed = 0;
let failed = 0;
let expected = 0;
const written: typeof expectations = {};
const tests = readdirSync(join(root, "webtransport")).filter((name) => name.endsWith(".any.js") && !name.startsWith("idlharness"));
const chosen = tests.filter((name) => named.length === 0 || named.some((part) => name.includes(part))).sort();
for (const test of chosen) {
  const result = await run(test);
  const known = expectations[test] ?? {};
  if (result.tests.length === 0) result.tests.push({ name: "the file runs", status: result.harness || 1, message: result.message });
  for (const { name, status, message } of result.tests) {
    const fine = status === 0;
    if (!fine) (written[test] ??= {})[name] = known[name] ?? `${STATUS[status]}: ${(message ?? "").slice(0, 120)}`;
    if (fine && known[name] === undefined) passed++;
    else if (!fine && known[name] !== undefined) expected++;
    else {
      failed++;
      console.log(`${fine ? "passes, against expectations" : STATUS[status]}: ${test}: ${name}: ${message ?? ""}`);
    }
  }
}

await browser.close();
await server.close();
await pages.stop(true);
if (update) await Bun.write(expectationsPath, JSON.stringify(written, null, 2) + "\n");
console.log(`${chosen.length} files; ${expected} failures that expectations.json names`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 || update ? 0 : 1);
