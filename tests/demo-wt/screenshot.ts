// Looks at the demo with headless Chromium until both kinds of round trips are on it, for some seconds more, and keeps a picture. Then it
// stops the server, and prints what the page says to that: screenshot.ts <url> <file.png> <seconds> <pid of the server>.
import { Browser, BrowserGone } from "../bun/browser.ts";

const [url, file, seconds, pid] = process.argv.slice(2);
if (url === undefined || file === undefined || pid === undefined) throw new Error("screenshot.ts <url> <file.png> <seconds> <pid>");

/** Resolves with what the page shows once it shows both. */
const shown = `new Promise((resolve) => {
  const look = () => {
    const text = document.body.innerText;
    if (/^datagrams: \\d+ in/m.test(text) && /^bidirectional streams: \\d+ in/m.test(text)) resolve(text);
    else requestAnimationFrame(look);
  };
  look();
})`;

/** Resolves with the state once it is bad news. */
const bad = `new Promise((resolve) => {
  const state = document.getElementById("state");
  const look = () => (state.classList.contains("bad") ? resolve(state.innerText) : setTimeout(look, 20));
  look();
})`;

async function look(url: string, file: string): Promise<void> {
  const browser = await Browser.start();
  try {
    const page = await browser.page({ url, hash: "" }, url);
    await page.evaluate(shown);
    await Bun.sleep(Number(seconds ?? 16) * 1000);
    const text = String(await page.evaluate(shown));
    for (const [, kind, count] of text.matchAll(/^(datagrams|bidirectional streams): (\d+) in \d+ s/gm)) console.log(`${kind}: ${count} round trips`);
    await Bun.write(file, await page.screenshot(812, 460));
    process.kill(Number(pid), "SIGTERM");
    console.log(`then: ${String(await page.evaluate(bad))}`);
  } finally {
    await browser.close();
  }
}

try {
  await look(url, file);
} catch (error) {
  if (!(error instanceof BrowserGone)) throw error;
  console.error(`the browser is started anew. ${error.message}`);
  await look(url, file);
}
