/**
 * Classes that know their objects of another run. Under `bun --hot` a program is run again, this package with it, while the servers of the
 * last run go on: what they hand out is of the classes of that run, and `instanceof` is to hold all the same.
 */

const { hasInstance } = Symbol;
const isInstance = Function.prototype[Symbol.hasInstance];

/** Has `instanceof` be true of objects of a class of this name, whichever run made it. For what is derived from it, it stays what it is. */
export function recognized(of: Function, name: string): void {
  const brand = Symbol.for(`zig-h3.${name}`);
  Object.defineProperty(of.prototype, brand, { value: true });
  Object.defineProperty(of, hasInstance, {
    value(this: Function, value: unknown): boolean {
      if (this !== of) return isInstance.call(this, value);
      return typeof value === "object" && value !== null && brand in value;
    },
  });
}
