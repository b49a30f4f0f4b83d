/** A program that is driven over JSON lines: one command a line on its stdin, one answer a line on its stdout, side by side. */

interface Answer {
  id: number;
  ok: boolean;
  error?: string;
}

export class Lines {
  #process: Bun.Subprocess<"pipe", "pipe", "pipe"> | undefined;
  #waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  #next = 1;
  #errors = "";

  constructor(
    readonly name: string,
    readonly argv: string[],
  ) {}

  async command<T extends object>(what: string, args: object = {}): Promise<T> {
    const { stdin } = this.#running();
    const id = this.#next++;
    const answer = new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: never) => void, reject });
    });
    stdin.write(JSON.stringify({ id, do: what, ...args }) + "\n");
    stdin.flush();
    return answer;
  }

  /** Ends the process, and returns what it wrote to stderr: nothing, unless something is wrong with it. */
  async stop(): Promise<string> {
    const process = this.#process;
    if (process === undefined) return "";
    process.stdin.end();
    const late = setTimeout(() => process.kill("SIGKILL"), 20_000);
    await process.exited;
    clearTimeout(late);
    return this.#errors;
  }

  /** The process, made when it is first needed, and again when bun:test has killed it with a test that took too long. */
  #running(): Bun.Subprocess<"pipe", "pipe", "pipe"> {
    const process = this.#process;
    if (process === undefined || process.killed || process.exitCode !== null || process.signalCode !== null) {
      this.#process = Bun.spawn(this.argv, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
      void this.#read(this.#process);
      void this.#readErrors(this.#process);
      return this.#process;
    }
    return process;
  }

  async #read(process: Bun.Subprocess<"pipe", "pipe", "pipe">): Promise<void> {
    const decoder = new TextDecoder();
    let pending = "";
    for await (const chunk of process.stdout) {
      pending += decoder.decode(chunk, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) {
        const answer = JSON.parse(line) as Answer;
        const waiting = this.#waiting.get(answer.id);
        this.#waiting.delete(answer.id);
        if (answer.ok) waiting?.resolve(answer as never);
        else waiting?.reject(new Error(`${this.name}: ${answer.error}`));
      }
    }
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(`${this.name} has ended: ${this.#errors}`));
    this.#waiting.clear();
  }

  async #readErrors(process: Bun.Subprocess<"pipe", "pipe", "pipe">): Promise<void> {
    this.#errors += await new Response(process.stderr).text();
  }
}
