// Looks at the demo with headless Chromium until both kinds of round trips are on it, for some seconds more, and keeps a picture:
// screenshot.ts <url> <file.png> <seconds>.
import { Browser, BrowserGone } from "../bun/browser.ts";

const [url, file, seconds] = process.argv.slice(2);
if (url === undefined || file === undefined) throw new Error("screenshot.ts <url> <file.png> <seconds>");

/** Resolves with what the page shows once it shows both. */
const shown = `new Promise((resolve) => {
  const look = () => {
    const text = document.body.innerText;
    if (/^datagrams: \\d+ in/m.test(text) && /^bidirectional streams: \\d+ in/m.test(text)) resolve(text);
    else requestAnimationFrame(look);
  };
  look();
})`;

async function look(url: string, file: string): Promise<void> {
  const browser = await Browser.start();
  try {
    const page = await browser.page({ url, hash: "" }, url);
    await page.evaluate(shown);
    await Bun.sleep(Number(seconds ?? 16) * 1000);
    const text = String(await page.evaluate(shown));
    for (const [, kind, count] of text.matchAll(/^(datagrams|bidirectional streams): (\d+) in 15 s/gm)) console.log(`${kind}: ${count} round trips`);
    await Bun.write(file, await page.screenshot(812, 460));
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
