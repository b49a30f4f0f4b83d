/** What requests and sessions need of their server, beside what users see of it. */
import type { Dispatcher } from "../../queue/dispatcher.ts";
import type { SessionHost } from "../../webtransport/session_core.ts";
import type { OriginCheck } from "../api/origins.ts";
import type { ErrorHandler } from "../api/types.ts";
import type { Route, RouteOwner, Unmatched } from "../routes/route.ts";
import type { ExchangeHost } from "./exchange.ts";

/** The server behind a request or a session. */
export interface RequestHost extends RouteOwner, ExchangeHost, SessionHost {
  /** The request whose handler is being called, which need not be in the dispatcher's books yet. */
  answering: { readonly exchange: object | undefined } | undefined;
  readonly dispatcher: Dispatcher;
  /** Whether it was told to stop and has not come to its end. */
  readonly stopping: boolean;
  readonly errorHook: ErrorHandler | undefined;
  /** Which pages may open sessions, where a route does not say so. */
  readonly origins: OriginCheck | undefined;
  /** Finds what answers a request whose route a reload took away. */
  reroute(method: string, path: string): Route | Unmatched;
  /** Finds who decides on a session whose route a reload took away. */
  rerouteSession(path: string): Route | undefined;
}
