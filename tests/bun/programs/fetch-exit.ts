/** Fetches from a server in another thread, in the way that its argument says, and has nothing else to do then. */
import { createH3Client, type H3ClientOptions } from "../../../bindings/bun/src/index.ts";

const [how] = process.argv.slice(2);
const server = new Worker(new URL("./fetch-server.ts", import.meta.url));
const { promise, resolve } = Promise.withResolvers<number>();
server.onmessage = (message: MessageEvent<number>) => resolve(message.data);
const at = `https://127.0.0.1:${await promise}`;
server.unref();

const options: H3ClientOptions = { tls: { rejectUnauthorized: false } };
const client = createH3Client(options);
console.log(await (await client.fetch(`${at}/hello`)).text());
if (how === "unread") await client.fetch(`${at}/endless`);
if (how === "unref") {
  client.unref();
  void client.fetch(`${at}/never`).catch(() => {});
}
if (how === "endless-timer") await client.fetch(`${at}/endless`, { timeout: 3_600_000 });
