/**
 * Functions of the host as they were when the package was loaded: what is put over them later, by a test's fake clock for one, holds back no
 * event.
 */

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask } = globalThis;

/** Milliseconds on a clock that only goes forward. */
export const now = performance.now.bind(performance);
