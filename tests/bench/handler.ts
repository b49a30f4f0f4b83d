// What both Bun servers of the benchmark serve, the very same functions: routes as Bun.serve takes them.
const content = new Uint8Array(64 << 20);
const text = (body: string) => new Response(body, { headers: { "content-type": "text/plain" } });

let parked = 0;
let gate = Promise.withResolvers<void>();

export const routes = {
  "/": () => text("hello world"),

  "/bytes/:n": (request: Request & { params: { n: string } }) => {
    const n = Number(request.params.n);
    if (!Number.isInteger(n) || n < 0 || n > content.length) return new Response("bad length", { status: 400 });
    return new Response(content.subarray(0, n), { headers: { "content-type": "application/octet-stream" } });
  },

  "/upload": {
    POST: async (request: Request) => {
      let bytes = 0;
      if (request.body) for await (const piece of request.body) bytes += piece.byteLength;
      return Response.json({ bytes });
    },
  },

  "/wait": async () => {
    parked++;
    await gate.promise;
    return text("released");
  },

  "/waiting": () => text(String(parked)),

  "/release": () => {
    const released = parked;
    parked = 0;
    gate.resolve();
    gate = Promise.withResolvers<void>();
    return text(String(released));
  },
};

/** The certificate that the benchmark made for all servers. */
export const tls = { cert: Bun.file(process.env.BENCH_CERT!), key: Bun.file(process.env.BENCH_KEY!) };
