/** The server that the W3C's tests talk to: handlers.ts at the paths that their namesakes have at wptserve. */
import { createH3Server, type H3Server } from "../../bindings/bun/src/index.ts";
import { certificate } from "../bun/certificate.ts";
import { handlers } from "./handlers.ts";

/** Starts it, on a port that the system chooses. */
export function serveHandlers(): { server: H3Server; files: { certPath: string; keyPath: string } } {
  const files = certificate("wpt");
  const server = createH3Server({
    port: 0,
    hostname: "127.0.0.1",
    ...files,
    webtransport: { origins: ["*"] },
    routes: Object.fromEntries(
      Object.entries(handlers).map(
        ([name, handle]) => [`/webtransport/handlers/${name}`, { webtransport: (session) => void handle(session).catch(() => {}) }] as const,
      ),
    ),
  });
  return { server, files };
}
