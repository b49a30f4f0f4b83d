/**
 * Headless Chromium as a client: started with the flags that keep it off every network but this machine's loopback, and driven over
 * its DevTools protocol, through a pipe: whenever this process ends, so does the browser. A {@link Page} is a blank page of a secure
 * context, in which a test's functions run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const program = process.env.CHROMIUM ?? join(root, "build/chromium/chromium");

const flags = [
  "--headless",
  "--no-sandbox", // containers and root have none, and it sees no page but ours
  "--no-first-run",
  "--no-default-browser-check",
  "--no-pings",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-client-side-phishing-detection",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-dev-shm-usage",
  "--disable-domain-reliability",
  "--disable-extensions",
  "--disable-features=MediaRouter,OptimizationHints,Translate",
  "--disable-gpu",
  "--disable-software-rasterizer", // which would look for Vulkan, and say at length that there is none
  "--disable-sync",
  "--metrics-recording-only",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
  "--enable-blink-features=WebTransportDraining", // before 158 `draining` is behind this flag
  "--remote-debugging-pipe", // it reads from descriptor 3 and writes to 4
];

/** How long a browser may take to start, and to open or close a tab. One that takes longer hangs. */
const PATIENCE = 30_000;

/** The browser has ended, or hangs: no failure of what is tested. */
export class BrowserGone extends Error {}

/** What the page's own script (page/tools.js) gives to functions that run there. What a browser's API gives is not typed here. */
export interface Tools {
  /** `new WebTransport()` to the server under test; its certificate is named by hash. Does not wait for `ready`. */
  open(path: string, options?: object): any;
  /** As open(), and waits until it is ready. */
  connect(path: string, options?: object): Promise<any>;
  /** All bytes of a stream. */
  bytes(readable: any): Promise<Uint8Array>;
  /** All bytes of a stream, as text. */
  text(readable: any): Promise<string>;
  /** Writes it all and finishes. */
  send(writable: any, data: string | Uint8Array): Promise<void>;
  /** n bytes, the byte at offset i being (i + seed) % 251. */
  pattern(n: number, seed?: number): Uint8Array;
  /** SHA-256 in hex. */
  sha256(data: Uint8Array): Promise<string>;
  /** Sends datagrams one by one, each once the browser has taken the one before. */
  sendDatagrams(session: any, datagrams: (string | Uint8Array)[]): Promise<void>;
  /** The next n datagrams, as text. */
  datagrams(session: any, n: number): Promise<string[]>;
  /** How a promise failed. Throws when it did not. */
  failure(promise: Promise<unknown>): Promise<Failure>;
  /** How a promise ended: what it gave, or how it failed. */
  outcome(promise: Promise<any>): Promise<any>;
  sleep(ms: number): Promise<void>;
}

/** An error in the page: of a WebTransportError also where it comes from and its code. */
export interface Failure {
  name: string;
  message: string;
  source: string | null;
  streamErrorCode: number | null;
}

/** Where a page's sessions go. */
export interface Target {
  url: string;
  /** SHA-256 of the certificate in hex. */
  hash: string;
}

interface Message {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: any;
  result?: any;
  error?: { message: string };
}

/** Somebody who waits for an answer, or for an event of a tab. */
interface Waiting {
  event?: string;
  sessionId: string | undefined;
  resolve: (result: any) => void;
  reject: (error: Error) => void;
}

/** One browser process, which leads a group of its own. */
export class Browser {
  #next = 1;
  #answers = new Map<number, Waiting>();
  #events = new Set<Waiting>();
  #gone: BrowserGone | undefined;
  #said = "";
  #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  #commands: Bun.FileSink;

  private constructor(
    readonly profile: string,
    readonly pages: Bun.Server<undefined>,
    more: string[],
  ) {
    this.#process = Bun.spawn([program, ...flags, ...more, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    const [, , , commands, messages] = this.#process.stdio as unknown as number[];
    this.#commands = Bun.file(commands!).writer();
    this.#listen(Bun.file(messages!).stream()).catch((error: Error) => this.#lose(`Chromium's messages: ${error.message}`));
    void this.#hear(this.#process.stderr);
    void this.#process.exited.then(() => {
      const { exitCode, signalCode } = this.#process;
      this.#lose(`Chromium has ended with ${signalCode ?? `exit code ${exitCode}`}: ${this.#said.slice(-2000)}`);
    });
  }

  /** Starts it, with more flags if need be. */
  static async start(more: string[] = []): Promise<Browser> {
    const pages = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      routes: {
        "/": () => new Response(blank, { headers: { "content-type": "text/html" } }),
        "/tools.js": () => new Response(Bun.file(join(import.meta.dir, "page/tools.js"))),
        "/favicon.ico": () => new Response(null, { status: 204 }),
      },
    });
    const browser = new Browser(mkdtempSync(join(tmpdir(), "zig-h3-chromium-")), pages, more);
    try {
      await browser.#within(browser.command("Browser.getVersion"), "it did not start");
    } catch (error) {
      await browser.close();
      throw error;
    }
    return browser;
  }

  /** The origin of its pages. */
  get origin(): string {
    return this.pages.url.origin;
  }

  /** A tab with nothing in it but the tools, and with nothing in common with other tabs. */
  page(target: Target, url = this.pages.url.href): Promise<Page> {
    const open = async (): Promise<Page> => {
      const { browserContextId } = await this.command("Target.createBrowserContext");
      const { targetId } = await this.command("Target.createTarget", { url: "about:blank", browserContextId });
      const { sessionId } = await this.command("Target.attachToTarget", { targetId, flatten: true });
      const page = new Page(this, browserContextId, sessionId, target);
      await page.command("Inspector.enable"); // which tells when it crashes
      await page.go(url);
      return page;
    };
    return this.#within(open(), "it did not open a tab");
  }

  /** Ends a tab and what it has. With a browser that is gone, so is the tab. */
  async dispose(browserContextId: string): Promise<void> {
    try {
      await this.#within(this.command("Target.disposeBrowserContext", { browserContextId }), "it did not close a tab");
    } catch (error) {
      if (!(error instanceof BrowserGone)) throw error;
    }
  }

  /** A command of the DevTools protocol. */
  command(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone);
      this.#answers.set(id, { sessionId, resolve, reject });
      this.#send(JSON.stringify({ id, method, params, sessionId })).catch(() => this.#ended()); // which says why
    });
  }

  /** Waits for an event of a tab. */
  event(event: string, sessionId: string): Promise<any> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone);
      this.#events.add({ event, sessionId, resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.command("Browser.close").catch(() => {}); // its answer races with the end of the connection
    await this.#ended();
    this.#kill();
    await this.pages.stop(true);
    rmSync(this.profile, { recursive: true, force: true });
  }

  async #send(message: string): Promise<void> {
    this.#commands.write(message + "\0");
    await this.#commands.flush();
  }

  /** Waits for the end that is under way, not for ever. */
  async #ended(): Promise<void> {
    const late = setTimeout(() => this.#kill(), 5000);
    await this.#process.exited;
    clearTimeout(late);
  }

  /** Ends it with all processes that it has started. */
  #kill(): void {
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** What a browser that lives does in time: one that does not is ended. */
  async #within<T>(done: Promise<T>, what: string): Promise<T> {
    const timer = setTimeout(() => {
      this.#lose(`Chromium hangs: ${what} within ${PATIENCE / 1000} s: ${this.#said.slice(-2000)}`);
      this.#kill();
    }, PATIENCE);
    try {
      return await done;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whoever waits waits no longer. */
  #lose(why: string): void {
    this.#gone ??= new BrowserGone(why);
    this.#fail(() => true, this.#gone);
  }

  #fail(whom: (waiting: Waiting) => boolean, error: Error): void {
    for (const [id, waiting] of this.#answers) {
      if (!whom(waiting)) continue;
      this.#answers.delete(id);
      waiting.reject(error);
    }
    for (const waiting of this.#events) {
      if (!whom(waiting)) continue;
      this.#events.delete(waiting);
      waiting.reject(error);
    }
  }

  /** Takes its messages, which a zero byte ends. */
  async #listen(messages: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of messages) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\0");
      rest = parts.pop()!;
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    }
    await this.#ended(); // which says why
  }

  async #hear(stderr: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stderr) this.#said = (this.#said + decoder.decode(chunk, { stream: true })).slice(-65536);
  }

  #take({ id, method, sessionId, params, result, error }: Message): void {
    if (id === undefined) {
      for (const waiting of this.#events) {
        if (waiting.event !== method || waiting.sessionId !== sessionId) continue;
        this.#events.delete(waiting);
        waiting.resolve(params);
      }
      if (method === "Inspector.targetCrashed") this.#fail((waiting) => waiting.sessionId === sessionId, new Error("the tab has crashed"));
      return;
    }
    const waiting = this.#answers.get(id);
    this.#answers.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`Chromium: ${error.message}`));
  }
}

const blank = "<!doctype html><title>zig_h3</title><script src=/tools.js></script>";

/** One tab. */
export class Page {
  constructor(
    readonly browser: Browser,
    readonly contextId: string,
    readonly sessionId: string,
    readonly target: Target,
  ) {}

  command(method: string, params: object = {}): Promise<any> {
    return this.browser.command(method, params, this.sessionId);
  }

  /** Loads a page: a reload when it is there already. */
  async go(url: string): Promise<void> {
    await this.command("Page.enable");
    const loaded = this.browser.event("Page.loadEventFired", this.sessionId);
    await this.command("Page.navigate", { url });
    await loaded;
  }

  /** Runs a function in the page. It sees its two arguments only, and gives what JSON can carry. */
  async run<A, R>(body: (tools: Tools, args: A) => R | Promise<R>, args?: A): Promise<Awaited<R>> {
    const expression = `(${body})(tools(${JSON.stringify(this.target)}), ${JSON.stringify(args ?? null)})`;
    return (await this.evaluate(expression)) as Awaited<R>;
  }

  /** Evaluates an expression in the page, and waits when it is a promise. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.command("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) {
      throw new Error(`in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  /** A picture of what it shows. */
  async screenshot(width: number, height: number): Promise<Uint8Array> {
    await this.command("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    const { data } = await this.command("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data as string, "base64");
  }

  /** Closes the tab and its connections. */
  async close(): Promise<void> {
    await this.browser.dispose(this.contextId);
  }
}
