/** Classes in the shape that Web IDL gives to the web's interfaces: what programs that look at one would find in a browser. */

/** What a constructor is given that only this package may call. */
export const INSIDE: unique symbol = Symbol("inside");

/**
 * Keeps others from making an object that only this package makes.
 * @throws TypeError for anything but INSIDE, as browsers do
 */
export function mustBeInside(given: unknown): void {
  if (given !== INSIDE) throw new TypeError("Illegal constructor");
}

/** What distinguishes an interface from a class. */
interface Shape {
  /** Attributes and operations of the interface; what else the class has is its own. */
  members: readonly string[];
  /** Those of them that are attributes and promises: they reject where others throw. */
  promises?: readonly string[];
  /** How many arguments its constructor must have. Default 0. */
  length?: number;
}

/** Gives a class that shape: its members can be enumerated, it names its objects, its `length` is what must be given. */
export function webInterface(of: Function, name: string, { members, promises = [], length = 0 }: Shape): void {
  const prototype = of.prototype as object;
  for (const member of members) {
    const found = Object.getOwnPropertyDescriptor(prototype, member)!;
    if (promises.includes(member)) found.get = rejecting(member, found.get!);
    Object.defineProperty(prototype, member, { ...found, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
  Object.defineProperty(of, "length", { value: length, configurable: true });
}

/** The getter of an attribute that is a promise, which rejects for an object of another kind. */
function rejecting(member: string, get: () => unknown): () => unknown {
  const getter = function (this: unknown): unknown {
    try {
      return get.call(this);
    } catch (error) {
      return Promise.reject(error);
    }
  };
  Object.defineProperty(getter, "name", { value: `get ${member}`, configurable: true });
  return getter;
}
