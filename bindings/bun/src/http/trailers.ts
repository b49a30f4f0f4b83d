/** Trailers of a response: how a handler gives them, and where they stand. */
import { watch } from "../common/thenable.ts";

/** What Headers takes. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** What stands in `response.h3`: see withTrailers(). */
interface Extras {
  trailers?: HeadersInit | Promise<HeadersInit> | (() => HeadersInit | Promise<HeadersInit>);
}

/** Trailers: as they are, or made once the body has been sent. */
export type Trailers = NonNullable<Extras["trailers"]>;

/**
 * Gives a response trailers, which are sent behind its body. Bun.serve() has no counterpart.
 * @param trailers as Headers takes them, or a function that makes them (or a promise of them) when the body is through
 * @returns the same response; `response.h3.trailers` is where they stand
 */
export function withTrailers(response: Response, trailers: Trailers): Response {
  // It may reject before the body is through, or be of a response that nobody gets. Whoever sends it learns of it, and tells.
  if (typeof trailers !== "function") watch(trailers, () => {});
  return Object.assign(response, { h3: { trailers } satisfies Extras });
}

/** The trailers of a response, if it has any. */
export function trailersOf(response: Response): Trailers | undefined {
  return (response as { h3?: Extras }).h3?.trailers;
}
