// A client in Bun that asks an HTTP/3 server for the same thing again and again, checks every answer, and says as one line of JSON what that
// took and cost it; the names are those of tests/peers/plainclient:
//
//     bun fetch.ts (zigh3|bun) URL (get|download|upload) STREAMS SECONDS [BYTES]
//
// zigh3 is h3Fetch(), bun is Bun's own fetch with `protocol: "http3"`. While it measures, a timer wakes every millisecond: the longest time
// between two of its turns is how long the event loop was away.
import { createH3Client } from "../../bindings/bun/src/index.ts";

const [who, url, mode, streams, seconds, bytes] = process.argv.slice(2) as string[];
const size = Number(bytes ?? 16 << 20);
const uploaded = new Uint8Array(size);

const client = who === "zigh3" ? createH3Client({ tls: { rejectUnauthorized: false }, pool: { maxConnectionsPerOrigin: 1 } }) : undefined;
const own = { protocol: "http3", tls: { rejectUnauthorized: false } } as RequestInit;
const ask: (path: string, init?: RequestInit) => Promise<Response> =
  client !== undefined
    ? (path, init) => client.fetch(url + path, init as object) as unknown as Promise<Response>
    : (path, init) => fetch(url + path, init === undefined ? own : { ...own, ...init });

const modes: Record<string, { moved: number; once: () => Promise<boolean> }> = {
  get: { moved: 0, once: async () => (await (await ask("/")).text()) === "hello world" },
  download: {
    moved: size,
    once: async () => {
      let n = 0;
      for await (const part of (await ask(`/bytes/${size}`)).body!) n += part.length;
      return n === size;
    },
  },
  upload: { moved: size, once: async () => (await (await ask("/upload", { method: "POST", body: uploaded })).text()) === `{"bytes":${size}}` },
};
const { moved, once } = modes[mode!]!;

/** Asks for so many ms, and gives how many µs each request took. */
async function phase(length: number): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + length;
  const loop = async (): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      if (!(await once())) throw new Error(`${mode}: another answer`);
      const then = performance.now();
      took.push((then - now) * 1e3);
      now = then;
    }
  };
  await Promise.all(Array.from({ length: Number(streams) }, loop));
  return took;
}

await phase(1000);
let worst = 0;
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - last);
  last = now;
}, 1);
const cpu = process.cpuUsage();
const begun = performance.now();
const took = await phase(Number(seconds) * 1e3);
const elapsed = (performance.now() - begun) / 1e3;
const { user, system } = process.cpuUsage(cpu);
clearInterval(timer);
took.sort((a, b) => a - b);
const n = took.length;
console.log(
  JSON.stringify({
    requests: n,
    requests_per_second: n / elapsed,
    megabytes_per_second: (n * moved) / 1e6 / elapsed,
    p50_us: took[n >> 1],
    p99_us: took[Math.floor(n * 0.99)],
    client_cpu_us_per_request: (user + system) / n,
    timer_worst_ms: worst,
  }),
);
await client?.close();
process.exit(0); // Bun's own connection keeps it
