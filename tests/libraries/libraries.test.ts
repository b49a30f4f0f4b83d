/** Libraries that take a fetch, unchanged, on this package's: server-sent events by eventsource, ky, and OpenAI's client. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventSource } from "eventsource";
import ky, { HTTPError, TimeoutError } from "ky";
import OpenAI, { toFile } from "openai";
import { createH3Client, createH3Server, type H3Client, type H3Server } from "../../bindings/bun/src/index.ts";

setDefaultTimeout(60_000); // the machine may be busy: nothing fails for being slow

let server: H3Server;
let client: H3Client;
let origin: string;
/** Requests by their paths. */
const asked: Record<string, Request[]> = {};

const WORDS = ["HTTP", "/3 ", "streams ", "täglich", " 🚀"];

function sse(chunks: AsyncIterable<string>): Response {
  return new Response(chunks as never, { headers: { "content-type": "text/event-stream" } });
}

async function* completion(): AsyncGenerator<string> {
  for (const [index, content] of WORDS.entries()) {
    const chunk = { id: "c-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] };
    const text = `data: ${JSON.stringify(chunk)}\n\n`;
    // Cut where no event ends.
    yield text.slice(0, 10 + index);
    await Bun.sleep(2);
    yield text.slice(10 + index);
  }
  yield "data: [DONE]\n\n";
}

const gates: Record<string, PromiseWithResolvers<void>> = {};

beforeAll(() => {
  server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const before = (asked[pathname] ??= []).push(request);
      switch (pathname) {
        case "/events":
          return sse(
            (async function* () {
              const last = Number(request.headers.get("last-event-id") ?? 0);
              yield `retry: 1\n\n`;
              for (let id = last + 1; id <= last + 3; id++) yield `id: ${id}\nevent: count\ndata: ${id}\ndata: of many\n\n`;
            })(),
          );
        case "/endless":
          request.signal.addEventListener("abort", () => gates.endless!.resolve());
          return sse(
            (async function* () {
              yield "data: first\n\n";
              await new Promise(() => {});
            })(),
          );
        case "/no-stream":
          return new Response(null, { status: 204 });
        case "/json":
          return Response.json({ method: request.method, type: request.headers.get("content-type"), body: await request.text(), query: new URL(request.url).search });
        case "/unavailable":
          return before < 3 ? new Response("not yet", { status: 503, headers: { "retry-after": "0" } }) : new Response("now");
        case "/missing":
          return Response.json({ error: "nothing here" }, { status: 404 });
        case "/slow":
          await new Promise(() => {});
          break;
        case "/large":
          return new Response(new Uint8Array(1_000_000));
        case "/v1/chat/completions": {
          const { stream, messages } = (await request.json()) as { stream?: boolean; messages: { content: string }[] };
          if (messages[0]!.content === "too much") return Response.json({ error: { message: "slow down", type: "rate" } }, { status: 429, headers: { "retry-after-ms": "1" } });
          if (stream) return sse(completion());
          return Response.json({ id: "c-1", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message: { role: "assistant", content: WORDS.join("") }, finish_reason: "stop" }] });
        }
        case "/v1/files": {
          const form = await request.formData();
          const file = form.get("file") as File;
          return Response.json({ id: "f-1", object: "file", filename: file.name, bytes: file.size, purpose: form.get("purpose") });
        }
      }
      return new Response("?", { status: 500 });
    },
  });
  client = createH3Client({ serverCertificateHashes: [server.certificateHash] });
  origin = `https://127.0.0.1:${server.port}`;
});

afterAll(async () => {
  await client.close();
  await server.close();
});

describe("eventsource", () => {
  test("events come as they are sent, and where it broke off it goes on", async () => {
    const source = new EventSource(`${origin}/events`, { fetch: client.fetch });
    const came: [string, string][] = [];
    await new Promise<void>((resolve, reject) => {
      source.addEventListener("count", ({ lastEventId, data }) => {
        came.push([lastEventId, data as string]);
        if (came.length === 7) resolve();
      });
      source.addEventListener("error", (error) => void (error.code !== undefined && reject(new Error(error.message))));
    });
    source.close();
    expect(came.slice(0, 7)).toEqual(Array.from({ length: 7 }, (_, i) => [String(i + 1), `${i + 1}\nof many`]));
    expect(asked["/events"]!.slice(0, 3).map((request) => [request.headers.get("accept"), request.headers.get("last-event-id")])).toEqual([
      ["text/event-stream", null],
      ["text/event-stream", "3"],
      ["text/event-stream", "6"],
    ]);
  });

  test("close() ends the request, and the server learns of it", async () => {
    gates.endless = Promise.withResolvers<void>();
    const source = new EventSource(`${origin}/endless`, { fetch: client.fetch });
    const { data } = await new Promise<MessageEvent<string>>((resolve) => source.addEventListener("message", resolve as never));
    expect(data).toBe("first");
    source.close();
    await gates.endless.promise;
  });

  test("204 ends it for good", async () => {
    const source = new EventSource(`${origin}/no-stream`, { fetch: client.fetch });
    const { code } = await new Promise<{ code?: number }>((resolve) => source.addEventListener("error", resolve));
    expect([code, source.readyState]).toEqual([204, EventSource.CLOSED]);
  });
});

describe("ky", () => {
  const api = () => ky.create({ baseUrl: `${origin}/`, fetch: client.fetch, retry: { limit: 3, delay: () => 1 } });

  test("JSON both ways, with a query", async () => {
    expect(await api().post("json", { json: { a: "ä" }, searchParams: { q: "1 2" } }).json<object>()).toEqual({ method: "POST", type: "application/json", body: '{"a":"ä"}', query: "?q=1+2" });
    expect(await api().get("json").json<object>()).toEqual({ method: "GET", type: null, body: "", query: "" });
  });

  test("it tries again where it is told to, and fails as its readers know it", async () => {
    expect(await api().get("unavailable").text()).toBe("now");
    expect(asked["/unavailable"]).toHaveLength(3);
    const missing = await api().get("missing").json().then(() => undefined, (error: unknown) => error);
    expect(missing).toBeInstanceOf(HTTPError);
    expect((missing as HTTPError).response.status).toBe(404);
    const slow = await api().get("slow", { timeout: 50, retry: 0 }).text().then(() => undefined, (error: unknown) => error);
    expect(slow).toBeInstanceOf(TimeoutError);
  });

  test("progress, hooks and a signal", async () => {
    let last = 0;
    const seen: number[] = [];
    const bytes = await api().get("large", { onDownloadProgress: ({ transferredBytes }: { transferredBytes: number }) => void (last = transferredBytes), hooks: { afterResponse: [({ response }: { response: Response }) => void seen.push(response.status)] } } as never).arrayBuffer();
    expect([bytes.byteLength, last, seen]).toEqual([1_000_000, 1_000_000, [200]]);
    const controller = new AbortController();
    const asked = api().get("slow", { signal: controller.signal }).text().then(() => undefined, (error: unknown) => error);
    await Bun.sleep(20);
    controller.abort();
    expect(await asked).toMatchObject({ name: "AbortError" });
  });
});

describe("openai", () => {
  const openai = (): OpenAI => new OpenAI({ apiKey: "key", baseURL: `${origin}/v1`, fetch: client.fetch, maxRetries: 1 });
  const messages = [{ role: "user" as const, content: "What does HTTP/3 do?" }];

  test("a completion at once", async () => {
    const done = await openai().chat.completions.create({ model: "m", messages });
    expect(done.choices[0]!.message.content).toBe(WORDS.join(""));
    expect(asked["/v1/chat/completions"]!.at(-1)!.headers.get("authorization")).toBe("Bearer key");
  });

  test("a completion as it is made", async () => {
    const stream = await openai().chat.completions.create({ model: "m", messages, stream: true });
    const words: string[] = [];
    for await (const chunk of stream) words.push(chunk.choices[0]!.delta.content!);
    expect(words).toEqual(WORDS);
  });

  test("one that is broken off by its reader", async () => {
    const stream = await openai().chat.completions.create({ model: "m", messages, stream: true });
    for await (const chunk of stream) {
      expect(chunk.choices[0]!.delta.content).toBe(WORDS[0]!);
      break;
    }
    expect(stream.controller.signal.aborted).toBe(true);
  });

  test("a file, and a refusal", async () => {
    const file = await openai().files.create({ file: await toFile(Buffer.from('{"a":1}\n'), "tune.jsonl"), purpose: "fine-tune" });
    expect(file).toMatchObject({ filename: "tune.jsonl", bytes: 8, purpose: "fine-tune" });
    const before = asked["/v1/chat/completions"]!.length;
    const refused = await openai().chat.completions.create({ model: "m", messages: [{ role: "user", content: "too much" }] }).then(() => undefined, (error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    expect(asked["/v1/chat/completions"]!.length - before).toBe(2);
  });

  test("a server that is not there", async () => {
    const nowhere = new OpenAI({ apiKey: "key", baseURL: "https://127.0.0.1:1/v1", fetch: client.fetch, maxRetries: 0 });
    const error = await nowhere.chat.completions.create({ model: "m", messages }).then(() => undefined, (error: unknown) => error);
    expect(error).toBeInstanceOf(OpenAI.APIConnectionError);
    expect((error as Error).cause).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_REFUSED" });
  });
});
