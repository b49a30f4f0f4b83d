/** Bodies are told apart without being touched. */
import { expect, test } from "bun:test";
import { BODY, bodyKind } from "../src/http/body_kind.ts";
import { guessContentType } from "../src/http/content_type.ts";
import { withTrailers } from "../src/http/trailers.ts";

const stream = (): ReadableStream => new ReadableStream({ start: (c) => (c.enqueue("x"), c.close()) });

test("every kind of body is told", () => {
  const name = (response: Response): string => Object.entries(BODY).find(([, kind]) => kind === bodyKind(response))![0];
  expect([
    name(new Response(null)),
    name(new Response("text")),
    name(new Response(new Uint8Array(3))),
    name(Response.json({})),
    name(new Response(new Blob(["x"]))),
    name(new Response(new File(["x"], "x"))),
    name(new Response(Bun.file("/etc/hosts"))),
    name(new Response(stream())),
    name(new Response(stream(), { headers: { a: "b" }, statusText: "ReadableStream {" })),
    name(withTrailers(new Response(stream()), {})),
    name(withTrailers(new Response("text"), {})),
    name(new Response((async function* () { yield "x"; })() as unknown as ReadableStream)),
  ]).toEqual(["NONE", "BYTES", "BYTES", "BYTES", "BLOB", "BLOB", "BLOB", "STREAM", "STREAM", "STREAM", "BLOB", "STREAM"]);
});

test("the body of a response of fetch() is told while it is on its way, and when it is there", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using upstream = Bun.serve({
    port: 0,
    routes: {
      "/coming": () =>
        new Response(
          (async function* () {
            yield "first";
            await promise;
            yield ", last";
          })() as unknown as ReadableStream,
        ),
      "/there": () => new Response("all of it"),
      "/none": () => new Response(null, { status: 204 }),
    },
  });
  const [coming, there, none] = await Promise.all(["coming", "there", "none"].map((path) => fetch(upstream.url + path)));
  expect(bodyKind(coming!)).toBe(BODY.STREAM);
  resolve();
  expect(await coming!.text()).toBe("first, last");
  expect(bodyKind(none!)).toBe(BODY.NONE);
  expect(bodyKind(there!)).not.toBe(BODY.NONE);
  expect(await there!.text()).toBe("all of it");
});

test("a body that was looked at can still be read", async () => {
  for (const body of ["text", stream()]) {
    const response = new Response(body);
    bodyKind(response);
    expect(response.bodyUsed).toBe(false);
    expect(await response.text()).toBe(typeof body === "string" ? "text" : "x");
  }
});

test("bytes without a type are text when they are text", () => {
  expect(guessContentType(Buffer.from("ä text\twith\nlines"))).toBe("text/plain;charset=utf-8");
  expect(guessContentType(new Uint8Array([0x61, 0]))).toBe("application/octet-stream");
  expect(guessContentType(new Uint8Array([0x61, 0xff]))).toBe("application/octet-stream");
});
