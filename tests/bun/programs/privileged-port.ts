/** Gives up root and binds a port that then is not its to bind: prints what createH3Server says. */
import { createH3Server, type H3Error } from "../../../bindings/bun/src/index.ts";

process.setgid?.(65534);
process.setuid?.(65534);
try {
  createH3Server({ port: 443, hostname: "127.0.0.1", fetch: () => new Response() });
  console.log("bound");
} catch (error) {
  console.log((error as H3Error).code, String(error));
}
