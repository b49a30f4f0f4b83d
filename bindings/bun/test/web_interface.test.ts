/** The shape of the web's interfaces. */
import { expect, test } from "bun:test";
import { INSIDE, mustBeInside, webInterface } from "../src/common/web_interface.ts";
import * as streams from "../src/index.ts";

test("members can be enumerated, others not; the object is named; a promise rejects where others throw", async () => {
  class Thing {
    #at = 1;
    constructor(inside?: symbol) {
      mustBeInside(inside);
    }
    get at(): number {
      return this.#at;
    }
    get later(): Promise<number> {
      return Promise.resolve(this.#at);
    }
    own(): void {}
  }
  webInterface(Thing, "Thing", { members: ["at", "later"], promises: ["later"], length: 2 });
  expect([Object.keys(Thing.prototype), String(new Thing(INSIDE)), Thing.length]).toEqual([["at", "later"], "[object Thing]", 2]);
  expect(await new Thing(INSIDE).later).toBe(1);
  const get = (member: string) => Object.getOwnPropertyDescriptor(Thing.prototype, member)!.get!;
  expect([get("later").name, get("at").name]).toEqual(["get later", "get at"]);
  expect(() => get("at").call({})).toThrow(TypeError);
  expect(await get("later").call({}).catch((error: unknown) => error)).toBeInstanceOf(TypeError);
});

test("what only the package makes nobody else can make", () => {
  const { WebTransportBidirectionalStream, WebTransportDatagramDuplexStream, WebTransportDatagramsWritable, WebTransportReceiveStream } = streams;
  const { WebTransportSendGroup, WebTransportSendStream, WebTransportWriter } = streams;
  for (const of of [
    WebTransportBidirectionalStream,
    WebTransportDatagramDuplexStream,
    WebTransportDatagramsWritable,
    WebTransportReceiveStream,
    WebTransportSendGroup,
    WebTransportSendStream,
    WebTransportWriter,
  ]) {
    expect(() => new (of as unknown as new () => unknown)()).toThrow(new TypeError("Illegal constructor"));
    expect(Object.prototype.toString.call(of.prototype)).toBe(`[object ${of.name}]`);
  }
});
