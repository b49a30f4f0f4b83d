// Prints the tables of the Bun package as JSON, for check.py to hold against the header.
import * as layout from "../../../bindings/bun/src/native/layout.ts";
import { symbols } from "../../../bindings/bun/src/native/symbols.ts";

console.log(JSON.stringify({ layout, symbols }));
