// Looks at the demo with headless Chromium for a while and keeps a picture: screenshot.ts <url> <file.png> <seconds>. Fails unless
// both kinds of round trips are on it.
import { Browser } from "../bun/browser.ts";

const [url, file, seconds] = process.argv.slice(2);
if (url === undefined || file === undefined) throw new Error("screenshot.ts <url> <file.png> <seconds>");

const browser = await Browser.start();
try {
  const page = await browser.page({ url, hash: "" }, url);
  await Bun.sleep(Number(seconds ?? 16) * 1000);
  const text = String(await page.evaluate("document.body.innerText"));
  for (const [kind, count] of [...text.matchAll(/^(datagrams|bidirectional streams): (\d+) in 15 s/gm)].map((m) => [m[1], m[2]])) {
    console.log(`${kind}: ${count} round trips`);
  }
  if (!/^datagrams: \d+ in/m.test(text) || !/^bidirectional streams: \d+ in/m.test(text)) throw new Error(`no round trips on the page: ${text}`);
  await Bun.write(file, await page.screenshot(812, 460));
} finally {
  await browser.close();
}
