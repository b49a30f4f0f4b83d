/** A server of static Responses, one of each kind of body that is no stream. It prints its port. */
import { createH3Server } from "../../../bindings/bun/src/index.ts";

const form = new FormData();
form.set("a", "b");
const bodies = { text: "static", empty: "", bytes: new Uint8Array([115, 116]), blob: new Blob(["static"]), params: new URLSearchParams("a=b"), form, nothing: null };
const routes = Object.fromEntries(Object.entries(bodies).map(([kind, body]) => [`/${kind}`, new Response(body)]));
const server = createH3Server({ port: 0, hostname: "127.0.0.1", routes });
console.log(server.port);
