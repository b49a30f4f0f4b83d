/** Prints the library's version, or the error that loading it is. */
try {
  const { version } = await import("../../../bindings/bun/src/index.ts");
  console.log(version());
} catch (error) {
  console.log(String(error).replaceAll("\n", " "));
}

export {};
