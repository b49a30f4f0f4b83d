/**
 * What is expected not to pass, and why: a file has a reason for each, by file and name of the test. expectations.json is Chromium's,
 * expectations-bun.json that of this package's own WebTransport. It holds in every scope; where only some fail, the name has the scope
 * behind it, as in "close (serviceworker)". A reason begins with who cannot: "Chromium ...", "ours: ..." or "the suite: ...", where that
 * wants something else than the standard; with "at times: " before that, both outcomes are expected. What --update wrote down by itself begins with the outcome,
 * and counts as failed until somebody says why.
 */
import { join } from "node:path";
import type { Scope } from "./scopes.ts";

const STATUS = ["pass", "fail", "timeout", "not run", "precondition failed"] as const;
const REASON = /^(?<now>at times: )?(?<who>Chromium|ours:|the suite:) /;

/** What a file's tests came to, as testharness.js has it. */
export interface Outcome {
  harness: number;
  message: string | null;
  tests: { name: string; status: number; message: string | null }[];
}

type Reasons = Record<string, Record<string, string>>;

export class Expectations {
  #passed = new Map<Scope, number>();
  #expected = { Chromium: 0, "ours:": 0, "the suite:": 0 };
  #failed = 0;
  #met = new Set<string>();
  #written: Reasons = {};

  private constructor(
    readonly path: string,
    readonly reasons: Reasons,
  ) {}

  /** @param file in this folder */
  static async read(file: string): Promise<Expectations> {
    const path = join(import.meta.dir, file);
    return new Expectations(path, (await Bun.file(path).json()) as Reasons);
  }

  /** Takes in what a file came to in a scope, and prints what was not expected. */
  compare(test: string, scope: Scope, { harness, message, tests }: Outcome): void {
    const known = this.reasons[test] ?? {};
    // What goes wrong outside the tests of a file is a result too.
    const results = harness === 0 && tests.length > 0 ? tests : [...tests, { name: "the file runs", status: harness || 1, message }];
    for (const { name, status, message } of results) {
      const one = `${name} (${scope})`;
      const key = one in known ? one : name;
      const reason = known[key];
      this.#met.add(`${test}: ${key}`);
      const { now, who } = (REASON.exec(reason ?? "")?.groups ?? {}) as { now?: string; who?: "Chromium" | "ours:" | "the suite:" };
      if (status !== 0 || now !== undefined) (this.#written[test] ??= {})[key] = reason ?? `${STATUS[status]}: ${(message ?? "").slice(0, 120)}`;
      if (status === 0 && (reason === undefined || now !== undefined)) this.#passed.set(scope, (this.#passed.get(scope) ?? 0) + 1);
      else if (status !== 0 && who !== undefined) this.#expected[who]++;
      else {
        this.#failed++;
        const what = status === 0 ? "passes, against expectations" : reason === undefined ? STATUS[status] : "no reason is given";
        console.log(`${what}: ${test} (${scope}): ${name}: ${message ?? ""}`);
      }
    }
  }

  /** Prints the totals over these files; whether all came out as expected. */
  report(files: string[]): boolean {
    for (const file of files) {
      for (const [name, reason] of Object.entries(this.reasons[file] ?? {})) {
        // That a file runs is no test of its own when it does.
        if (this.#met.has(`${file}: ${name}`) || (name === "the file runs" && REASON.exec(reason)?.groups?.now !== undefined)) continue;
        this.#failed++;
        console.log(`expected, but there is no such test: ${file}: ${name}`);
      }
    }
    const passed = [...this.#passed.values()].reduce((sum, one) => sum + one, 0);
    console.log([...this.#passed].map(([scope, one]) => `${scope}: ${one} passed`).join(", "));
    console.log(`expected to fail, with a reason: ${this.#expected.Chromium} for Chromium's, ${this.#expected["the suite:"]} for the suite's, ${this.#expected["ours:"]} for ours`);
    console.log(`${passed} passed, ${this.#failed} failed`);
    return this.#failed === 0;
  }

  async write(): Promise<void> {
    await Bun.write(this.path, JSON.stringify(this.#written, null, 2) + "\n");
  }
}
