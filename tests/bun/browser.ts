/**
 * Headless Chromium as a client: started with the flags that keep it off every network but this machine's loopback, and driven over
 * its DevTools protocol. A {@link Page} is a blank page of a secure context, in which a test's functions run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
const program = join(root, "build/chromium/chromium");

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
  "--disable-sync",
  "--metrics-recording-only",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
  "--remote-debugging-port=0",
];

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

/** One browser process. */
export class Browser {
  #next = 1;
  #waiting = new Map<number, { resolve: (result: any) => void; reject: (error: Error) => void }>();
  #listeners = new Set<(message: Message) => void>();

  private constructor(
    readonly process: Bun.Subprocess<"ignore", "ignore", "pipe">,
    readonly socket: WebSocket,
    readonly profile: string,
    readonly pages: Bun.Server<undefined>,
  ) {
    socket.onmessage = (event) => this.#take(JSON.parse(event.data as string) as Message);
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the browser has gone"));
      this.#waiting.clear();
    };
  }

  /** Starts it, with more flags if need be. */
  static async start(more: string[] = []): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), "zig-h3-chromium-"));
    const process = Bun.spawn([program, ...flags, ...more, `--user-data-dir=${profile}`, "about:blank"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const socket = new WebSocket(await address(process.stderr));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const pages = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      routes: {
        "/": () => new Response(blank, { headers: { "content-type": "text/html" } }),
        "/tools.js": () => new Response(Bun.file(join(import.meta.dir, "page/tools.js"))),
        "/favicon.ico": () => new Response(null, { status: 204 }),
      },
    });
    return new Browser(process, socket, profile, pages);
  }

  /** The origin of its pages. */
  get origin(): string {
    return this.pages.url.origin;
  }

  /** A tab with nothing in it but the tools. */
  async page(target: Target, url = this.pages.url.href): Promise<Page> {
    const { targetId } = await this.command("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.command("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId, target);
    await page.go(url);
    return page;
  }

  /** A command of the DevTools protocol. */
  command(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }

  /** Waits for an event of a tab. */
  event(name: string, sessionId: string): Promise<any> {
    return new Promise((resolve) => {
      const listener = (message: Message): void => {
        if (message.method !== name || message.sessionId !== sessionId) return;
        this.#listeners.delete(listener);
        resolve(message.params);
      };
      this.#listeners.add(listener);
    });
  }

  async close(): Promise<void> {
    const late = setTimeout(() => this.process.kill("SIGKILL"), 5000);
    this.command("Browser.close").catch(() => {}); // its answer races with the end of the connection
    await this.process.exited;
    clearTimeout(late);
    await this.pages.stop(true);
    rmSync(this.profile, { recursive: true, force: true });
  }

  #take(message: Message): void {
    if (message.id === undefined) {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(new Error(`Chromium: ${message.error.message}`));
  }
}

const blank = "<!doctype html><title>zig_h3</title><script src=/tools.js></script>";

/** One tab. */
export class Page {
  constructor(
    readonly browser: Browser,
    readonly targetId: string,
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

  /** Closes the tab, as a user does. */
  async close(): Promise<void> {
    await this.browser.command("Target.closeTarget", { targetId: this.targetId });
  }
}

/** Where the browser takes commands, which it tells on stderr. */
async function address(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let said = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  void (async () => {
    for await (const chunk of stderr) {
      if (said.length < 65536) said += decoder.decode(chunk, { stream: true });
      const found = /^DevTools listening on (\S+)/m.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    }
    reject(new Error(`the browser did not start: ${said}`));
  })();
  return promise;
}
