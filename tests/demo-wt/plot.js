// Measures round trips in a session and draws them: a datagram every 50 ms, a stream of its own every 150 ms.
const SPAN = 15_000; // of the plot, in ms
const LOST = 2_000; // after which a datagram does not come back any more, in ms
const QUIET = 3_000; // after which the server does not answer, in ms
const [WIDTH, HEIGHT] = [760, 300];
const series = {
  datagram: { title: "datagrams", color: "#2a6fdb", points: [], lost: [] },
  stream: { title: "bidirectional streams", color: "#e0803a", points: [] }, // which are never lost
};
let began; // when the session was opened
let over = false;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const note = (name, sent) => series[name].points.push({ at: performance.now(), ms: performance.now() - sent });

/** Puts the session's state into words: good news, or bad. */
function say(text, bad = false) {
  const state = document.getElementById("state");
  if (state.textContent === text) return;
  state.textContent = text;
  state.classList.toggle("bad", bad);
}

async function datagrams(session) {
  const out = new Map();
  const reader = session.datagrams.readable.getReader();
  const writer = (session.datagrams.createWritable?.() ?? session.datagrams.writable).getWriter();
  const receive = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const number = new DataView(value.buffer, value.byteOffset).getUint32(0);
      if (out.has(number)) note("datagram", out.get(number));
      out.delete(number);
    }
  };
  receive().catch(() => {}); // the session is over, and says so itself
  for (let number = 0; ; number++) {
    const datagram = new Uint8Array(64);
    new DataView(datagram.buffer).setUint32(0, number);
    out.set(number, performance.now());
    await writer.write(datagram);
    for (const [old, sent] of out) {
      if (performance.now() - sent < LOST) break; // those behind it are younger
      out.delete(old);
      series.datagram.lost.push({ at: sent });
    }
    await sleep(50);
  }
}

async function streams(session) {
  for (;;) {
    const sent = performance.now();
    const { readable, writable } = await session.createBidirectionalStream();
    const writer = writable.getWriter();
    writer.write(new Uint8Array(64)).catch(() => {}); // reading fails, too
    writer.close().catch(() => {});
    const back = await new Response(readable).arrayBuffer();
    if (back.byteLength === 64) note("stream", sent);
    await sleep(150);
  }
}

/** What the points of a series come to. */
function sum({ title, points, lost }, now) {
  if (points.length === 0) return title;
  const sorted = points.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)].toFixed(2);
  const seconds = Math.min(SPAN, Math.ceil((now - began) / 1000) * 1000) / 1000;
  const gone = lost === undefined ? "" : lost.length === 0 ? ", none lost" : `, ${lost.length} lost`;
  return `${title}: ${sorted.length} in ${seconds} s, median ${at(0.5)} ms, 95 % within ${at(0.95)} ms${gone}`;
}

function draw() {
  const canvas = document.getElementById("plot");
  const g = canvas.getContext("2d");
  // As many pixels as the screen has.
  [canvas.width, canvas.height] = [WIDTH * devicePixelRatio, HEIGHT * devicePixelRatio];
  g.scale(devicePixelRatio, devicePixelRatio);
  const now = performance.now();
  const [left, bottom, top] = [60, HEIGHT - 26, 12];
  for (const one of Object.values(series)) {
    one.points = one.points.filter(({ at }) => now - at < SPAN);
    one.lost &&= one.lost.filter(({ at }) => now - at < SPAN);
  }
  // Of what is rare and far above the rest only the edge of the plot tells.
  const all = Object.values(series).flatMap(({ points }) => points.map(({ ms }) => ms)).sort((a, b) => a - b);
  const most = Math.max(1, (all[Math.floor(all.length * 0.95)] ?? 0) * 1.3);
  const scale = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000].find((n) => n >= most) ?? most;
  const x = (at) => WIDTH - 10 - ((now - at) / SPAN) * (WIDTH - left - 10);
  const y = (ms) => bottom - (Math.min(ms, scale) / scale) * (bottom - top);
  g.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  g.textBaseline = "middle";
  for (let i = 0; i <= 4; i++) {
    const ms = (scale * i) / 4;
    g.strokeStyle = "#eee";
    g.beginPath();
    g.moveTo(left, y(ms));
    g.lineTo(WIDTH - 10, y(ms));
    g.stroke();
    g.fillStyle = "#888";
    g.textAlign = "right";
    g.fillText(`${+ms.toFixed(2)} ms`, left - 6, y(ms));
  }
  g.textAlign = "center";
  for (let s = 0; s <= SPAN / 1000; s += 5) g.fillText(s === 0 ? "now" : `-${s} s`, Math.min(x(now - s * 1000), WIDTH - 18), bottom + 14);
  for (const [name, one] of Object.entries(series)) {
    g.fillStyle = one.color;
    for (const { at, ms } of one.points) {
      g.beginPath();
      g.arc(x(at), y(ms), 2.2, 0, 2 * Math.PI);
      g.fill();
    }
    document.getElementById(name).textContent = sum(one, now);
  }
  if (over) return; // the plot stays as it was
  const last = Math.max(began, ...Object.values(series).flatMap(({ points }) => points.slice(-1).map(({ at }) => at)));
  if (now - last > QUIET) say(`the server has not answered for ${Math.floor((now - last) / 1000)} s`, true);
  else say(session.text);
  requestAnimationFrame(draw);
}

function end(text) {
  over = true;
  say(`${text}; load the page again for another`, true);
}

const session = { text: "" };
try {
  if (!("WebTransport" in globalThis)) throw new Error("this browser has no WebTransport, or takes this page for an insecure one");
  const { url, hash } = await (await fetch("/session")).json();
  const open = new WebTransport(url, { serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(hash) }] });
  open.closed.catch(() => {}); // ready says why
  await open.ready;
  session.text = `session with ${url}, certificate by its hash`;
  began = performance.now();
  open.closed.then(
    ({ closeCode, reason }) => end(`the session was closed with code ${closeCode}${reason === "" ? "" : ` (${reason})`}`),
    (error) => end(`the session was lost: ${error.message.replace(/\.$/, "")}`),
  );
  draw();
  datagrams(open).catch(() => {}); // how the session ends is told above
  streams(open).catch(() => {});
} catch (error) {
  say(`no session: ${error.message}`, true);
}
