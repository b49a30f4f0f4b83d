/** A client asks for a session: finds out who decides, and sees to it that somebody does. */
import { inWords } from "../../common/failure.ts";
import type { LogLevel } from "../../common/log.ts";
import { watch } from "../../common/thenable.ts";
import type { RequestHead } from "../../http/head_reader.ts";
import { ERROR } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { untilTaken } from "../../native/refused.ts";
import { SessionCore } from "../../webtransport/session_core.ts";
import { sameOrigin } from "../api/origins.ts";
import { H3Request } from "../api/request.ts";
import { WebTransportServerSession } from "../api/server_session.ts";
import type { Route } from "../routes/route.ts";
import type { RequestHost } from "./host.ts";

/** One session between its event and its handler's end. */
interface Asked {
  host: RequestHost;
  route: Route;
  /** The session's, whatever the handler does to the session's property. */
  request: H3Request;
  core: SessionCore;
  session: WebTransportServerSession;
}

/**
 * Brings a session to its route's handler, when the page may open it.
 * @param known the route; undefined: a reload took it away
 */
export function askSession(host: RequestHost, known: Route | undefined, handle: number, conn: number, head: RequestHead): void {
  const route = known ?? host.rerouteSession(head.path);
  if (route === undefined) {
    refuse(handle, 404);
    return;
  }
  let request: H3Request;
  try {
    request = new H3Request(head.url, head.init, head, route, conn);
  } catch (error) {
    host.report({ level: "debug", tier: "peer", message: `a request makes no URL: ${head.url}`, error });
    refuse(handle, 400);
    return;
  }
  const core = new SessionCore(host, handle);
  if (host.stopping) core.drains();
  const asked: Asked = { host, route, request, core, session: new WebTransportServerSession(core, request) };
  follow(asked);
  const check = route.origins ?? host.origins ?? sameOrigin;
  const origin = request.headers.get("origin");
  try {
    const allowed = check(origin, request);
    if (typeof allowed === "boolean") {
      begin(asked, allowed, origin);
      return;
    }
    Promise.resolve(allowed).then(
      (allowed) => begin(asked, allowed, origin),
      (error) => fail(asked, "origins failed", error),
    );
  } catch (error) {
    fail(asked, "origins failed", error);
  }
}

/** Tells of the end of a session who would not learn it from the session itself. */
function follow(asked: Asked): void {
  const { core, session, request } = asked;
  core.watch = {
    failed: (error) => H3Request.abort(request, error),
    ended: () => {
      if (WebTransportServerSession.decided(session) || core.endedWith !== ERROR.TIMEOUT) return;
      const failure = WebTransportServerSession.failure(session);
      const why = failure === undefined ? "" : `; what was tried had failed: ${inWords(failure.error)}`;
      const message = `nobody has accepted or rejected a session in time: it was rejected with 503${why}`;
      report(asked, "warn", "protocol", message, failure?.error);
    },
  };
}

/** Calls the handler. */
function begin(asked: Asked, allowed: boolean, origin: string | null): void {
  const { host, route, request, session, core } = asked;
  if (core.over) return; // the client has gone meanwhile
  if (!allowed) {
    report(asked, "info", "peer", `a page of ${origin} may not open a session`, undefined);
    WebTransportServerSession.refuse(session, 403);
    return;
  }
  try {
    watch(route.webtransport!.call(host, session, request, host), (error) => fail(asked, "a session's handler failed", error));
  } catch (error) {
    fail(asked, "a session's handler failed", error);
  }
}

/** What failed is logged. A session that is not decided yet is refused, any other lives on. */
function fail(asked: Asked, what: string, error: unknown): void {
  const { session, core } = asked;
  // Who waits for something of a session that is lost learns it that way; that is no fault of the handler.
  if (core.state === "failed" && error === core.failure) {
    report(asked, "debug", "peer", `a session ended early: ${inWords(error)}`, error);
  } else {
    report(asked, "error", "protocol", `${what}: ${inWords(error)}`, error);
  }
  WebTransportServerSession.refuse(session, 500);
}

function report(asked: Asked, level: LogLevel, tier: "peer" | "protocol", message: string, error: unknown): void {
  asked.host.report({ level, tier, message, ...(error === undefined ? {} : { error }), ...H3Request.about(asked.request) });
}

/** Refuses a session that nobody is to hear of. */
function refuse(handle: number, status: number): void {
  untilTaken(handle, () => library().zig_h3_wt_reject(handle, status, 0, 0, 0, 0));
}
