/** Opens a session at the URL of the first argument, whose certificate has the hash of the second; a line on stdin closes it. */
import { WebTransport } from "../../../bindings/bun/src/index.ts";

const [url, hash] = process.argv.slice(2);
const session = new WebTransport(url!, { serverCertificateHashes: [{ algorithm: "sha-256", value: Buffer.from(hash!, "hex") }] });
await session.ready;
console.log("ready");
process.stdin.once("data", () => {
  session.close();
  process.stdin.destroy();
});
void session.closed.then(() => console.log("closed"));
