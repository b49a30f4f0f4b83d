// A client in Bun that opens WebTransport sessions with a server that echoes, does the same again and again in them, checks what comes back,
// and says as one line of JSON what that took and cost it; the names are those of tests/peers/load:
//
//     bun session.ts (zigh3|standard) URL (datagram|stream|session|connect) CONNECTIONS IN_FLIGHT BYTES SECONDS
//
// zigh3 sends and takes datagrams without streams (sendDatagram, onDatagram), standard as in browsers (createWritable, readable). While it measures,
// a timer wakes every millisecond: the longest time between two of its turns is how long the event loop was away.
import { WebTransport } from "../../bindings/bun/src/index.ts";

const [who, url, mode, ...numbers] = process.argv.slice(2) as [string, string, string, ...string[]];
const [connections, inFlight, size, seconds] = numbers.map(Number) as [number, number, number, number];

const pool = { maxConnectionsPerOrigin: 1 };
const open = (allowPooling: boolean): WebTransport => new WebTransport(`${url}/echo`, { allowPooling, pool, tls: { rejectUnauthorized: false } });

/** What is done until a point in time, in whatever is there for it. */
type Job = (end: number, took: number[]) => Promise<void>;

/** A datagram that is not back after so long, in ms, is lost. More than one in a thousand make the measurement an error. */
const LOST_AFTER = 1000;

/** Datagrams of one session: `send` sends one. */
class Pings {
  #sent = new Map<number, number>();
  #next = 0;
  #lost = 0;
  #end = 0;
  #took: number[] = [];
  #over: (() => void) | undefined;

  constructor(readonly send: (datagram: Uint8Array) => void) {}

  async run(end: number, took: number[]): Promise<void> {
    this.#end = end;
    this.#took = took;
    const over = new Promise<void>((resolve) => (this.#over = resolve));
    const looked = setInterval(() => this.#lookForLost(), LOST_AFTER / 4);
    for (let i = 0; i < inFlight; i++) this.#ask(performance.now());
    await over;
    clearInterval(looked);
    if (this.#lost * 1000 > this.#next) throw new Error(`${this.#lost} of ${this.#next} datagrams did not come back`);
  }

  came(datagram: Uint8Array): void {
    if (datagram.length !== size) throw new Error(`a datagram of ${size} bytes came back as one of ${datagram.length}`);
    const number = datagram[0]! + datagram[1]! * 0x100 + datagram[2]! * 0x10000 + datagram[3]! * 0x1000000;
    const at = this.#sent.get(number);
    if (at === undefined) return; // it was taken for lost
    this.#sent.delete(number);
    const now = performance.now();
    this.#took.push((now - at) * 1e3);
    this.#goOn(now);
  }

  #goOn(now: number): void {
    if (now < this.#end) this.#ask(now);
    else if (this.#sent.size === 0) this.#over!();
  }

  #ask(now: number): void {
    const number = this.#next++;
    const datagram = new Uint8Array(size);
    datagram[0] = number;
    datagram[1] = number >>> 8;
    datagram[2] = number >>> 16;
    datagram[3] = number >>> 24;
    this.#sent.set(number, now);
    this.send(datagram);
  }

  #lookForLost(): void {
    const now = performance.now();
    for (const [number, at] of this.#sent) {
      if (now - at < LOST_AFTER) return; // those behind it are younger
      this.#sent.delete(number);
      this.#lost++;
      this.#goOn(now);
    }
  }
}

/** Several at a time. */
const together = async (what: () => Promise<void>): Promise<void> => void (await Promise.all(Array.from({ length: inFlight }, what)));

const again = (once: () => Promise<void>): Job => {
  return (end, took) =>
    together(async () => {
      for (let now = performance.now(); now < end; ) {
        await once();
        const then = performance.now();
        took.push((then - now) * 1e3);
        now = then;
      }
    });
};

const uploaded = new Uint8Array(size);

async function echoed(session: WebTransport): Promise<void> {
  const { readable, writable } = await session.createBidirectionalStream({ waitUntilAvailable: true });
  const writer = writable.getWriter();
  const wrote = writer.write(uploaded).then(() => writer.close());
  let back = 0;
  for await (const piece of readable) back += piece.length;
  await wrote;
  if (back !== size) throw new Error(`${back} bytes of ${size} came back`);
}

async function visited(allowPooling: boolean): Promise<void> {
  const session = open(allowPooling);
  await session.ready;
  session.close();
}

/** Makes what a connection's part of the work is done in. */
const modes: Record<string, () => Promise<Job>> = {
  datagram: async () => {
    const session = open(false);
    await session.ready;
    let pings: Pings;
    if (who === "zigh3") {
      pings = new Pings((datagram) => void session.sendDatagram(datagram));
      session.onDatagram = (datagram) => pings.came(datagram);
    } else {
      const writer = session.datagrams.createWritable().getWriter();
      pings = new Pings((datagram) => void writer.write(datagram));
      void (async () => {
        for await (const datagram of session.datagrams.readable) pings.came(datagram);
      })();
    }
    return (end, took) => pings.run(end, took);
  },
  stream: async () => {
    const session = open(false);
    await session.ready;
    return again(() => echoed(session));
  },
  session: async () => again(() => visited(true)),
  connect: async () => again(() => visited(false)),
};

const jobs = await Promise.all(Array.from({ length: connections }, modes[mode]!));

/** Works for so many ms, and gives how many µs each operation took. */
async function phase(length: number): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + length;
  await Promise.all(jobs.map((job) => job(end, took)));
  return took;
}

await phase(2000);
let worst = 0;
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - last);
  last = now;
}, 1);
const cpu = process.cpuUsage();
const begun = performance.now();
const took = await phase(seconds * 1e3);
const elapsed = (performance.now() - begun) / 1e3;
const { user, system } = process.cpuUsage(cpu);
clearInterval(timer);
took.sort((a, b) => a - b);
const n = took.length;
console.log(
  JSON.stringify({
    requests: n,
    requests_per_second: n / elapsed,
    megabytes_per_second: (n * size) / 1e6 / elapsed,
    p50_us: took[n >> 1],
    p99_us: took[Math.floor(n * 0.99)],
    client_cpu_us_per_request: (user + system) / n,
    timer_worst_ms: worst,
  }),
);
process.exit(0); // sessions are open
