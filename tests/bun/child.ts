/** A Bun process of its own, where a test asks for memory, CPU or the way it exits. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The Buns that the suite installs: this one, and the oldest that is supported. */
export const BUNS: Readonly<Record<string, string>> = {
  [`Bun ${Bun.version}`]: process.execPath,
  "Bun 1.3.14": join(import.meta.dir, "../../build/bun-1.3/node_modules/.bin/bun"),
};

/** A program of tests/bun/programs, which talks in lines: what it prints is read here, and {@link say} reaches its stdin. */
export class Child {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: string[] = [];
  #waiting: ((line: string) => void)[] = [];
  #errors: Promise<string>;
  #read: Promise<void>;

  /**
   * @param flags of Bun itself
   * @param bun which Bun; by default this very one
   */
  constructor(program: string, args: string[] = [], env: Record<string, string> = {}, flags: string[] = [], bun = process.execPath) {
    this.#process = Bun.spawn([bun, ...flags, join(import.meta.dir, program), ...args], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ...env },
    });
    this.#errors = new Response(this.#process.stderr).text();
    this.#read = this.#readLines();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next line that it prints; fails when it ends instead. */
  async line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return line;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiting.push(resolve);
    void this.#read.then(() => resolve(undefined));
    const came = await promise;
    if (came === undefined) {
      throw new Error(`the child has ended with ${this.#process.exitCode ?? this.#process.signalCode}: ${await this.#errors}`);
    }
    return came;
  }

  /** The next line, which is a number. */
  async number(): Promise<number> {
    return Number(await this.line());
  }

  say(line: string): void {
    this.#process.stdin.write(line + "\n");
    this.#process.stdin.flush();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits for it to end by itself. Kills it and fails when it does not. */
  async exit(
    within = 30_000,
  ): Promise<{ code: number | null; signal: string | number | null; stderr: string; lines: string[]; ms: number }> {
    const began = performance.now();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#process.kill("SIGKILL");
    }, within);
    await this.#process.exited;
    clearTimeout(timer);
    await this.#read;
    const stderr = await this.#errors;
    if (late) throw new Error(`the child did not end within ${within} ms: ${stderr}`);
    return {
      code: this.#process.exitCode,
      signal: this.#process.signalCode,
      stderr,
      lines: this.#lines.splice(0),
      ms: performance.now() - began,
    };
  }

  /** Ends it, whatever it does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  /** Resident bytes now. */
  resident(): number {
    return this.#status("VmRSS");
  }

  /** Resident bytes at most, so far. */
  peak(): number {
    return this.#status("VmHWM");
  }

  /** Clock ticks of CPU that all of its threads have used. */
  ticks(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  }

  /** How often one of its threads has gone to sleep. */
  sleeps(): number {
    const of = (thread: string): number => {
      try {
        return this.#number("voluntary_ctxt_switches", `task/${thread}/`);
      } catch {
        return 0; // it has ended
      }
    };
    return readdirSync(`/proc/${this.pid}/task`).reduce((sum, thread) => sum + of(thread), 0);
  }

  #status(key: string): number {
    return this.#number(key) * 1024;
  }

  #number(key: string, folder = ""): number {
    const line = readFileSync(`/proc/${this.pid}/${folder}status`, "utf8")
      .split("\n")
      .find((l) => l.startsWith(`${key}:`));
    return Number(/\d+/.exec(line ?? "")?.[0] ?? NaN);
  }

  async #readLines(): Promise<void> {
    const decoder = new TextDecoder();
    let pending = "";
    for await (const chunk of this.#process.stdout) {
      pending += decoder.decode(chunk, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#lines.push(line);
        else waiting(line);
      }
    }
  }
}

/** Bytes as a test prints them. */
export function mib(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
