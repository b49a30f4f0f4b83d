// The second client of the demo: h3Fetch(). client.ts PORT CERTIFICATE-HASH
//
// It believes the one certificate that the server has announced, asks for the same four things as the first, prints what came back, and ends
// with 1 if an answer is not the right one.
import { createH3Client } from "../../bindings/bun/src/index.ts";

const [port, hash] = process.argv.slice(2);
if (port === undefined || hash === undefined) throw new Error("client.ts PORT CERTIFICATE-HASH");

const upload = new Uint8Array(300_000).map((_, i) => i % 251);
const requests: { path: string; body?: Uint8Array<ArrayBuffer>; status: number; right: (body: Buffer) => boolean }[] = [
  { path: "/hello/demo", status: 200, right: (body) => body.toString().startsWith("hello demo, this is Bun") },
  { path: "/countdown", status: 200, right: (body) => body.toString() === "5 4 3 2 1 liftoff" },
  { path: "/echo", body: upload, status: 200, right: (body) => body.equals(upload) },
  { path: "/missing", status: 404, right: (body) => body.toString() === "nothing here" },
];

await using client = createH3Client({ serverCertificateHashes: [hash] });
for (const { path, body, status, right } of requests) {
  const method = body === undefined ? "GET" : "POST";
  const response = await client.fetch(`https://127.0.0.1:${port}${path}`, body === undefined ? {} : { method, body });
  const parts: Uint8Array[] = [];
  for await (const part of response.body!) parts.push(part);
  const whole = Buffer.concat(parts);
  const good = response.status === status && right(whole);
  if (!good) process.exitCode = 1;
  const shown = whole.length < 80 ? `'${whole}'` : `${whole.length} bytes`;
  const { start, end } = response.h3.timings;
  const how = response.h3.connection?.reused ? "the same connection" : "a new connection";
  console.log(
    `  ${method} ${path}${body === undefined ? "" : ` with ${body.length} bytes`} -> ${response.status} ${shown} in ${(end! - start).toFixed(1)} ms, ${how}${good ? "" : "  WRONG"}`,
  );
}
