/**
 * Runs the W3C's own tests of WebTransport, unmodified, in Bun: on this package's WebTransport, against handlers on its server.
 *
 *     WPT_DIR=~/wpt bun tests/wpt/bun.ts [--update] [--table] [NAME...]
 *
 * WPT_DIR is a checkout of web-platform-tests/wpt, or the part of it with webtransport/ and common/. Without it only the shape of the
 * interfaces is held against the standard's IDL, by shape.js; one that is named and not there is an error. The harness and the IDL are the checkout's, or those that npm has: see
 * package.json. expectations-bun.json names what does not pass, and why: see expectations.ts.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PeerServer } from "../bun/peer_server.ts";
import { Expectations, type Outcome } from "./expectations.ts";
import { serveHandlers } from "./server.ts";

/** When a file is given up that does not even end by its own time limit, in ms. */
const PATIENCE = 90_000;

/** What is run without a checkout, and beside its files. */
const SHAPE = "shape.js";

const update = process.argv.includes("--update");
const table = process.argv.includes("--table");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const folder = join(process.env.WPT_DIR ?? "", "webtransport");
const theirs = process.env.WPT_DIR === undefined || !existsSync(folder) ? [] : readdirSync(folder).filter((name) => name.endsWith(".any.js"));
const chosen = [...theirs, SHAPE].filter((name) => named.length === 0 || named.some((part) => name.includes(part))).sort();

const { server, files } = serveHandlers();
// Closes a whole connection, which no handler of ours can: aioquic, as at web-platform-tests' own server.
const closing = await PeerServer.start("aioquic", files);

/** Runs one file in a process of its own: what it leaves behind is nobody else's. */
async function run(test: string): Promise<Outcome> {
  const args = [test, String(server.port), String(server.certificateHash), files.certPath, new URL(closing.url).port];
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bun_child.ts"), ...args], { stdout: "pipe", stderr: "pipe" });
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(late);
  const last = out.trimEnd().split("\n").at(-1)!;
  if (!last.startsWith("{")) return { harness: 1, message: `no outcome: ${out}${errors}`.slice(0, 500), tests: [] };
  return JSON.parse(last) as Outcome;
}

const expectations = await Expectations.read("expectations-bun.json");
for (const test of chosen) {
  const outcome = await run(test);
  expectations.compare(test, "window", outcome);
  const well = outcome.tests.filter(({ status }) => status === 0).length;
  if (table) console.log(`| ${test} | ${outcome.tests.length} | ${well} |`);
}
await server.close();
await closing[Symbol.asyncDispose]();
if (update) await expectations.write();
const astray = theirs.length === 0 && process.env.WPT_DIR !== undefined;
if (theirs.length === 0) console.log("WPT_DIR does not name a checkout of web-platform-tests: of its tests none was run");
console.log(`${chosen.length} files`);
process.exit((expectations.report(chosen) && !astray) || update ? 0 : 1);
