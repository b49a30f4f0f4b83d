// What tests use inside of the browser: see Tools in ../browser.ts.
const encoder = new TextEncoder();

const binary = (data) => (typeof data === "string" ? encoder.encode(data) : data);

const unhex = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));

const describe = (error) => ({
  name: error.name,
  message: error.message,
  source: error.source ?? null,
  streamErrorCode: error.streamErrorCode ?? null,
});

function tools({ url, hash }) {
  const open = (path, options = {}) => {
    const session = new WebTransport(new URL(path, url), {
      serverCertificateHashes: [{ algorithm: "sha-256", value: unhex(hash) }],
      ...options,
    });
    // A test looks at what it means to look at: the rest is not "unhandled".
    for (const promise of [session.ready, session.closed, session.draining]) promise?.catch(() => {});
    return session;
  };
  const bytes = async (readable) => {
    const parts = [];
    const reader = readable.getReader(); // a Response would hide how the stream failed
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
      parts.push(value);
    }
  };
  return {
    open,
    async connect(path, options) {
      const session = open(path, options);
      await session.ready;
      return session;
    },
    bytes,
    text: async (readable) => new TextDecoder().decode(await bytes(readable)),
    async send(writable, data) {
      const writer = writable.getWriter();
      await writer.write(binary(data));
      await writer.close();
    },
    pattern: (n, seed = 0) => new Uint8Array(n).map((_, i) => (i + seed) % 251),
    async sha256(data) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    async sendDatagrams(session, datagrams) {
      const writer = session.datagrams.writable.getWriter();
      for (const datagram of datagrams) {
        await writer.ready;
        await writer.write(binary(datagram));
      }
      writer.releaseLock();
    },
    async datagrams(session, n) {
      const reader = session.datagrams.readable.getReader();
      const came = [];
      while (came.length < n) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`the datagrams ended after ${came.length}`);
        came.push(new TextDecoder().decode(value));
      }
      reader.releaseLock();
      return came;
    },
    async failure(promise) {
      const given = await promise.then(
        (value) => ({ value }),
        (error) => ({ error }),
      );
      if ("error" in given) return describe(given.error);
      throw new Error(`it did not fail, but gave ${JSON.stringify(given.value)}`);
    },
    outcome: (promise) => promise.then((value) => value, describe),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}
