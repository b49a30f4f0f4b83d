/**
 * Runs the W3C's own tests of WebTransport, unmodified, in Chromium against handlers on this server, in every scope they ask for.
 *
 *     WPT_DIR=~/wpt bun tests/wpt/run.ts [--update] [NAME...]
 *
 * WPT_DIR is a checkout of web-platform-tests/wpt, or the part of it with webtransport/, resources/, common/ and interfaces/; without
 * it nothing is run, nothing counts, and the exit code is 77. expectations.json names what does not pass, and why: see expectations.ts.
 * --update writes down what came out, keeping the reasons.
 */
import { existsSync, readdirSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { Browser } from "../bun/browser.ts";
import { Expectations, type Outcome } from "./expectations.ts";
import { file, type Places } from "./files.ts";
import { address, scopes, wrapper, type Scope } from "./scopes.ts";
import { serveHandlers } from "./server.ts";

const PATIENCE = 90_000;
const NOTHING_RAN = 77;

const root = process.env.WPT_DIR;
const update = process.argv.includes("--update");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));

const tests = root === undefined || !existsSync(join(root, "webtransport")) ? [] : readdirSync(join(root, "webtransport"));
const chosen = tests.filter((name) => name.endsWith(".any.js") && (named.length === 0 || named.some((part) => name.includes(part)))).sort();
if (root === undefined || chosen.length === 0) {
  console.log(
    tests.length === 0
      ? "WPT_DIR does not name a checkout of web-platform-tests: nothing was run, nothing is counted as passed"
      : `no test there is named ${named.join(" or ")}: nothing was run`,
  );
  process.exit(NOTHING_RAN);
}

const { server, files } = serveHandlers();
const pages: Bun.Server<undefined> = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: { cert: Bun.file(files.certPath), key: Bun.file(files.keyPath) },
  fetch: async (request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    return (await wrapper(places, pathname)) ?? (await file(places, pathname));
  },
});
const places: Places = { root, page: pages.port!, handlers: server.port!, hash: String(server.certificateHash) };

const key = new X509Certificate(await Bun.file(files.certPath).text()).publicKey.export({ type: "spki", format: "der" });
const flags = [
  `--origin-to-force-quic-on=127.0.0.1:${server.port}`,
  `--ignore-certificate-errors-spki-list=${new Bun.CryptoHasher("sha256").update(key).digest("base64")}`,
];

/**
 * Runs one file in a browser of its own: after a session that failed Chromium holds further ones of its process back, for longer each
 * time, and shared and service workers share that with all that ran before.
 */
async function run(test: string, scope: Scope): Promise<Outcome> {
  const browser = await Browser.start(flags);
  const url = pages.url.origin + address(test, scope);
  const tab = await browser.page({ url, hash: "" }, url);
  const deadline = performance.now() + PATIENCE;
  try {
    while (performance.now() < deadline) {
      const results = (await tab.evaluate("globalThis.results")) as Outcome | undefined;
      if (results !== undefined) return results;
      await Bun.sleep(50);
    }
    return { harness: 2, message: `no end within ${PATIENCE} ms`, tests: [] };
  } finally {
    await browser.close();
  }
}

const expectations = await Expectations.read("expectations.json");
for (const test of chosen) {
  for (const scope of await scopes(places, test)) {
    expectations.compare(test, scope, await run(test, scope));
  }
}

await server.close();
await pages.stop(true);
if (update) await expectations.write();
console.log(`${chosen.length} files`);
process.exit(expectations.report(chosen) || update ? 0 : 1);
