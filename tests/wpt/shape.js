// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// Holds the interfaces against the standard's IDL, with the W3C's idlharness.js: what its own test does, and objects that only a session has.

idl_test(["webtransport"], ["webidl", "streams"], (idl_array) => {
  idl_array.add_objects({
    WebTransport: ["session"],
    WebTransportDatagramDuplexStream: ["session.datagrams"],
    WebTransportDatagramsWritable: ["datagramsWritable"],
    WebTransportError: ['new WebTransportError("x", { streamErrorCode: 1 })'],
  });
  self.session = new WebTransport("https://127.0.0.1:9/");
  self.session.ready.catch(() => {});
  self.session.closed.catch(() => {});
  self.datagramsWritable = self.session.datagrams.createWritable();
});
