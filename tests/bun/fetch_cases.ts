/**
 * Cases of `fetch` that are the same whoever fetches: h3Fetch, or Bun's own. Each gives what it has seen, as a JSON value: what a caller could tell of
 * the outcome, and nothing that differs by the protocol.
 */
import zlib from "node:zlib";

export type Fetch = (path: string, init?: RequestInit) => Promise<Response>;

/** What a fetch, or a body, fails with. */
async function failing(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

const some = new Uint8Array(3_000_000).map((_, i) => i % 251);
const hash = (bytes: Uint8Array | ArrayBuffer): string => String(Bun.hash(bytes));
const rest = (request: Request): string => decodeURIComponent(new URL(request.url).search.slice(1));
const noise = new Uint8Array(100_000).map((_, i) => (i * 2654435761) >>> 24);

const CODINGS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};

/** Where `/gate/NAME` waits for `/open/NAME`; `/told/NAME` says what became of the request that was there. */
const gates = new Map<string, PromiseWithResolvers<void>>();
const ends = new Map<string, PromiseWithResolvers<string>>();
function at<T>(map: Map<string, PromiseWithResolvers<T>>, name: string): PromiseWithResolvers<T> {
  let one = map.get(name);
  if (one === undefined) map.set(name, (one = Promise.withResolvers<T>()));
  return one;
}
const last = (request: Request): string => new URL(request.url).pathname.split("/").pop()!;

async function mirror(request: Request): Promise<Response> {
  const headers = Object.fromEntries([...request.headers].filter(([name]) => ["authorization", "cookie", "content-type", "x-own", "range"].includes(name)));
  return Response.json({ method: request.method, path: new URL(request.url).pathname + new URL(request.url).search, headers, body: hash(await request.bytes()) });
}

/** The handlers of the server that is asked: ours, or Bun's. */
export const routes = {
  "/mirror": mirror,
  "/here": mirror,
  "/echo": async (request: Request) => new Response(await request.bytes()),
  "/static": new Response("static", { status: 201, headers: { "x-kept": "yes" } }),
  "/methods": { GET: new Response("got"), POST: async (request: Request) => new Response(`posted ${await request.text()}`), PUT: () => new Response("put") },
  "/status/:n": (request: Request) => new Response(null, { status: Number(last(request)) }),
  "/bytes/:n": (request: Request) => new Response(some.slice(0, Number(last(request)))),
  "/to/:status": (request: Request) => new Response("moved", { status: Number(last(request)), headers: { location: rest(request) } }),
  "/round/:n": (request: Request) => (last(request) === "0" ? new Response("there") : new Response(null, { status: 302, headers: { location: `/round/${Number(last(request)) - 1}` } })),
  "/bare": () => new Response("no location", { status: 302 }),
  "/coded/:coding": (request: Request) => {
    const coding = last(request);
    const what = rest(request);
    const whole = CODINGS[coding]!(noise);
    const body = what === "cut" ? whole.subarray(0, whole.length / 2) : what === "wrong" ? new TextEncoder().encode("this is none of that".repeat(100)) : whole;
    return new Response(body as Uint8Array<ArrayBuffer>, { headers: { "content-encoding": coding } });
  },
  "/file": (request: Request) => {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range")!)!;
    return new Response(some.slice(Number(from), Number(to) + 1), { status: 206, headers: { "content-range": `bytes ${from}-${to}/${some.length}` } });
  },
  /** Comes when it is let. */
  "/late/:gate": async (request: Request) => {
    const name = last(request);
    request.signal.addEventListener("abort", () => at(ends, name).resolve("aborted"));
    at(gates, `${name} came`).resolve();
    await at(gates, name).promise;
    return new Response("late");
  },
  /** Its first half comes at once, the other when it is let; or it breaks off then. */
  "/half/:gate": (request: Request) => {
    const name = last(request);
    request.signal.addEventListener("abort", () => at(ends, name).resolve("aborted"));
    return new Response(
      (async function* () {
        yield "first";
        await at(gates, name).promise;
        if (rest(request) === "broken") throw new Error("on purpose");
        yield "second";
      })() as never,
    );
  },
};

/** For those who run the server: what is behind a name. */
export const behind = {
  open: (name: string): void => at(gates, name).resolve(),
  came: (name: string): Promise<void> => at(gates, `${name} came`).promise,
  end: (name: string): Promise<string> => at(ends, name).promise,
};

export interface Asked {
  fetch: Fetch;
  /** Of the server that is asked. */
  origin: string;
  /** Another origin with the same routes. */
  other: string;
  /** A name for a gate. */
  gate: () => string;
}

const text = async (response: Response): Promise<unknown[]> => [response.status, response.redirected, await response.text()];
const told = async (response: Response): Promise<unknown> => [response.status, response.redirected, await response.json()];

export const CASES: Record<string, (asked: Asked) => Promise<unknown>> = {};

for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "Post", "PROPFIND"]) CASES[`F01 ${method}`] = async ({ fetch }) => told(await fetch("/mirror?a=1&b=%20", { method }));
for (const status of [200, 204, 205, 304, 404, 500, 599]) {
  CASES[`F01 status ${status}`] = async ({ fetch }) => {
    const response = await fetch(`/status/${status}`);
    return [response.status, response.ok, response.body === null, await response.text()];
  };
}
CASES["F01 HEAD"] = async ({ fetch }) => {
  const response = await fetch("/bytes/5", { method: "HEAD" });
  return [response.status, response.headers.get("content-length"), response.body === null, await response.text()];
};
CASES["F01 a body of GET"] = ({ fetch }) => failing(fetch("/mirror", { method: "GET", body: "x" }));
CASES["F01 a method that is forbidden"] = ({ fetch }) => failing(fetch("/mirror", { method: "TRACE" }));
CASES["F01 a header that is none"] = ({ fetch }) => failing(fetch("/mirror", { headers: { "a b": "1" } }));
CASES["F01 the fragment"] = async ({ fetch }) => new URL((await fetch("/here#part")).url).hash;

const BODIES: Record<string, () => NonNullable<RequestInit["body"]>> = {
  "a string": () => "täxt",
  bytes: () => some.slice(0, 1000),
  "3 MB": () => some,
  "a Blob": () => new Blob([some.slice(0, 1000)], { type: "text/x" }),
  parameters: () => new URLSearchParams({ a: "1", b: "ä" }),
  "a stream": () => new Blob([some.slice(0, 100_000)]).stream(),
  "a stream of 3 MB": () => new Blob([some]).stream(),
  "an async iterator": () =>
    (async function* () {
      yield "one";
      await Bun.sleep(1);
      yield "two";
    })() as never,
  "no bytes": () => new Uint8Array(0),
};
for (const [what, body] of Object.entries(BODIES)) {
  CASES[`F02 ${what}`] = async ({ fetch }) => told(await fetch("/mirror", { method: "POST", body: body(), duplex: "half" } as RequestInit));
  CASES[`F02 ${what}, there and back`] = async ({ fetch }) => hash(await (await fetch("/echo", { method: "POST", body: body(), duplex: "half" } as RequestInit)).bytes());
}
CASES["F02 a stream that fails"] = ({ fetch }) => {
  const body = new ReadableStream({
    pull(controller) {
      controller.error(new RangeError("on purpose"));
    },
  });
  return failing(fetch("/mirror", { method: "POST", body, duplex: "half" } as RequestInit));
};

for (const size of [0, 1, 16 << 10, 3_000_000]) CASES[`F03 ${size} bytes`] = async ({ fetch }) => hash(await (await fetch(`/bytes/${size}`)).bytes());
CASES["F03 the first chunk before the last is made"] = async ({ fetch, gate }) => {
  const name = gate();
  const reader = (await fetch(`/half/${name}`)).body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  behind.open(name);
  let second = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) second += new TextDecoder().decode(read.value);
  return [first, second];
};
CASES["F03 cancel() reaches the server"] = async ({ fetch, gate }) => {
  const name = gate();
  const reader = (await fetch(`/half/${name}`)).body!.getReader();
  await reader.read();
  await reader.cancel();
  return behind.end(name);
};
CASES["F03 clone()"] = async ({ fetch }) => {
  const response = await fetch("/bytes/100000");
  const copy = response.clone();
  return [hash(await copy.bytes()), hash(await response.bytes())];
};
CASES["F03 a body twice"] = async ({ fetch }) => {
  const response = await fetch("/bytes/5");
  await response.text();
  return failing(response.text());
};

CASES["F05 a signal that is aborted already"] = ({ fetch }) => failing(fetch("/mirror", { signal: AbortSignal.abort() }));
CASES["F05 a signal that is aborted already, with a reason"] = ({ fetch }) => failing(fetch("/mirror", { signal: AbortSignal.abort("why") }));
CASES["F05 while the head is awaited"] = async ({ fetch, gate }) => {
  const name = gate();
  const controller = new AbortController();
  const asked = failing(fetch(`/late/${name}`, { signal: controller.signal }));
  await behind.came(name);
  controller.abort();
  return [await asked, await behind.end(name)];
};
CASES["F05 while the body is read, with a reason"] = async ({ fetch, gate }) => {
  const name = gate();
  const controller = new AbortController();
  const reader = (await fetch(`/half/${name}`, { signal: controller.signal })).body!.getReader();
  await reader.read();
  const next = failing(reader.read());
  controller.abort(new RangeError("mine"));
  return [await next, await behind.end(name)];
};
CASES["F05 AbortSignal.timeout() while the head is awaited"] = ({ fetch, gate }) => failing(fetch(`/late/${gate()}`, { signal: AbortSignal.timeout(50) }));
CASES["F05 behind the end"] = async ({ fetch }) => {
  const controller = new AbortController();
  const response = await fetch("/bytes/5", { signal: controller.signal });
  const bytes = await response.bytes();
  controller.abort();
  return bytes.length;
};

for (const status of [301, 302, 303, 307, 308]) {
  for (const method of ["GET", "HEAD", "POST", "PUT"]) {
    CASES[`F11 ${status} of ${method}`] = async ({ fetch }) => {
      const body = method === "GET" || method === "HEAD" ? undefined : new Blob(["body"], { type: "text/x" });
      const response = await fetch(`/to/${status}?/here`, { method, ...(body && { body }), headers: { "x-own": "1" } });
      return method === "HEAD" ? [response.status, response.redirected, response.body === null, await response.text()] : told(response);
    };
  }
}
CASES["F11 manual"] = async ({ fetch }) => {
  const response = await fetch("/to/302?/here", { redirect: "manual" });
  return [response.headers.get("location"), ...(await text(response))];
};
CASES["F11 error"] = ({ fetch }) => failing(fetch("/to/302?/here", { redirect: "error" }));
CASES["F11 no location"] = async ({ fetch }) => text(await fetch("/bare"));
CASES["F11 twenty"] = async ({ fetch }) => text(await fetch("/round/20"));
CASES["F11 twenty-one"] = ({ fetch }) => failing(fetch("/round/21").then((response) => response.status));
CASES["F11 a stream that would have to be sent again"] = ({ fetch }) => failing(fetch("/to/307?/here", { method: "POST", body: new Blob(["body"]).stream(), duplex: "half" } as RequestInit).then((response) => response.status));
CASES["F11 credentials at the same origin"] = async ({ fetch }) => told(await fetch("/to/307?/here", { headers: { authorization: "Bearer x", cookie: "a=1" } }));
CASES["F11 credentials at another origin"] = async ({ fetch, other }) => told(await fetch(`/to/307?${encodeURIComponent(`${other}/here`)}`, { headers: { authorization: "Bearer x", cookie: "a=1" } }));

CASES["F13 a body that breaks off"] = async ({ fetch, gate }) => {
  const name = gate();
  const response = await fetch(`/half/${name}?broken`);
  const reader = response.body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  behind.open(name);
  return [response.status, first, await failing(reader.read())];
};

for (const coding of Object.keys(CODINGS)) {
  CASES[`content coding ${coding}`] = async ({ fetch }) => hash(await (await fetch(`/coded/${coding}`)).bytes());
  CASES[`content coding ${coding}, cut off`] = ({ fetch }) => failing(fetch(`/coded/${coding}?cut`).then(async (response) => (await response.bytes()).length));
  CASES[`content coding ${coding}, wrong`] = ({ fetch }) => failing(fetch(`/coded/${coding}?wrong`).then(async (response) => (await response.bytes()).length));
}

for (const [from, to] of [[0, 99], [2_999_999, 2_999_999]] as const) {
  CASES[`G10 bytes ${from} to ${to}`] = async ({ fetch }) => {
    const response = await fetch("/file", { headers: { range: `bytes=${from}-${to}` } });
    return [response.status, response.headers.get("content-range"), hash(await response.bytes())];
  };
}

for (const method of ["GET", "HEAD"]) {
  CASES[`R12 a static Response, ${method}`] = async ({ fetch }) => {
    const response = await fetch("/static", { method });
    return [response.headers.get("x-kept"), response.headers.get("content-length"), ...(await text(response))];
  };
}
for (const [method, body] of [["GET"], ["HEAD"], ["POST", "some"], ["PUT", "some"]] as const) {
  CASES[`R12 a handler for each method, ${method}`] = async ({ fetch }) => text(await fetch("/methods", { method, ...(body && { body }) }));
}
