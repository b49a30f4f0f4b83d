/** The package as others get it: from its archive, in a project of their own. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const folder = join(root, "build/tests/consumer");
const installed = join(folder, "node_modules/zig-h3");

/** Runs a command in the consumer's folder; what it printed, and how it ended. */
async function run(command: string[], env: Record<string, string | undefined> = {}): Promise<{ code: number; out: string }> {
  const child = Bun.spawn(command, { cwd: folder, env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out: out + errors };
}

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  const packed = await run(["npm", "pack", "--silent", "--pack-destination", folder, join(root, "bindings/bun")]);
  expect(packed).toMatchObject({ code: 0 });
  expect(await run(["tar", "-xzf", packed.out.trim(), "--strip-components=1", "-C", installed])).toEqual({ code: 0, out: "" });
  for (const name of ["@types", "bun-types"]) symlinkSync(join(root, "bindings/bun/node_modules", name), join(folder, "node_modules", name));
  // As `bun init` makes it.
  const compilerOptions = {
    lib: ["ESNext"],
    target: "ESNext",
    module: "Preserve",
    moduleDetection: "force",
    jsx: "react-jsx",
    allowJs: true,
    types: ["bun"],
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    noFallthroughCasesInSwitch: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
  };
  await Bun.write(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["app.ts"] }));
  await Bun.write(join(folder, "package.json"), JSON.stringify({ name: "consumer", type: "module" }));
  await Bun.write(
    join(folder, "app.ts"),
    `import { createH3Server, type H3Server } from "zig-h3";
    const server: H3Server = createH3Server({
      port: 0,
      routes: { "/hello/:name": (request) => new Response("hello " + request.params.name) },
    });
    const response = await fetch(server.url + "hello/you", { protocol: "http3", tls: { rejectUnauthorized: false } } as RequestInit);
    console.log(response.status, await response.text());
    await server.close();`,
  );
});

describe("package", () => {
  test("its types are right in a project of another", async () => {
    expect(await run([join(root, "bindings/bun/node_modules/.bin/tsc"), "-p", "."])).toEqual({ code: 0, out: "" });
  });

  test("A01 installed from its archive it serves with ZIG_H3_LIBPATH, and says what is missing without", async () => {
    const path = join(root, "build/lib/libzigquicheh3.so");
    expect(await run([process.execPath, "app.ts"], { ZIG_H3_LIBPATH: path })).toEqual({ code: 0, out: "200 hello you\n" });
    const { code, out } = await run([process.execPath, "app.ts"], { ZIG_H3_LIBPATH: undefined, ZIG_H3_LIBDIR: undefined });
    expect(code).toBe(1);
    expect(out).toContain(
      `error: libzigquicheh3 is not at ${join(folder, "build/lib/libzigquicheh3.so")} (ZIG_H3_LIBPATH or ZIG_H3_LIBDIR say where to look, ` +
        "else build/lib): build it with `npx -y rust-just build` in a checkout of zig_h3\n",
    );
  });

  test("bundled into one file it serves, too", async () => {
    expect((await run([process.execPath, "build", "app.ts", "--target", "bun", "--outdir", "bundled"])).code).toBe(0);
    const path = join(root, "build/lib/libzigquicheh3.so");
    expect(await run([process.execPath, "bundled/app.js"], { ZIG_H3_LIBPATH: path })).toEqual({ code: 0, out: "200 hello you\n" });
  });
});
