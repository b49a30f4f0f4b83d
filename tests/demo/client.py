"""The client of the demo: aioquic, so that nothing of ours is on this side. client.py PORT CERTIFICATE-HASH

It asks for four things on one connection, prints what it sent and what came back, and ends with 1 if an answer is not the right one.
"""

import asyncio
import hashlib
import ssl
import sys
import time

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from cryptography.hazmat.primitives.serialization import Encoding

UPLOAD = 300_000  # bytes: more than fits into one flight, so that they come back while the rest still goes out


class Client(QuicConnectionProtocol):
    """Requests over one connection; each gets the list of what arrived, with when."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.http = H3Connection(self._quic)
        self.answers = {}

    async def request(self, method, path, authority, body=b""):
        stream = self._quic.get_next_available_stream_id()
        answer = {"status": 0, "parts": [], "done": asyncio.get_running_loop().create_future()}
        self.answers[stream] = answer
        fields = [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]
        self.http.send_headers(stream, [(n, v.encode() if isinstance(v, str) else v) for n, v in fields], end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        await asyncio.wait_for(answer["done"], 20)
        return answer["status"], answer["parts"]

    def quic_event_received(self, event):
        for item in self.http.handle_event(event):
            answer = self.answers.get(item.stream_id)
            if answer is None:
                continue
            if isinstance(item, HeadersReceived) and not answer["status"]:
                answer["status"] = int(dict(item.headers)[b":status"])
            if isinstance(item, DataReceived) and item.data:
                answer["parts"].append(item.data)
            if item.stream_ended:
                answer["done"].set_result(None)

    def certificate_hash(self):
        return hashlib.sha256(self._quic.tls._peer_certificate.public_bytes(Encoding.DER)).hexdigest()


async def main(port, digest):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE)
    upload = bytes(i % 251 for i in range(UPLOAD))
    requests = [
        ("GET", "/hello/demo", b"", 200, lambda body: body.startswith(b"hello demo, this is Bun")),
        ("GET", "/countdown", b"", 200, lambda body: body == b"5 4 3 2 1 liftoff"),
        ("POST", "/echo", upload, 200, lambda body: body == upload),
        ("GET", "/missing", b"", 404, lambda body: body == b"nothing here"),
    ]
    wrong = 0
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client:
        if client.certificate_hash() != digest:
            raise SystemExit(f"the server shows another certificate: {client.certificate_hash()}")
        print(f"  connected; certificate {digest[:16]}... is the one that the server announced")
        for method, path, body, status, right in requests:
            begin = time.monotonic()
            got, parts = await client.request(method, path, f"127.0.0.1:{port}", body)
            whole = b"".join(parts)
            good = got == status and right(whole)
            wrong += not good
            shown = repr(whole.decode()) if len(whole) < 80 else f"{len(whole)} bytes"
            sent = f" with {len(body)} bytes" if body else ""
            milliseconds = (time.monotonic() - begin) * 1000
            print(f"  {method} {path}{sent} -> {got} {shown} in {len(parts)} parts, {milliseconds:.1f} ms" + ("" if good else "  WRONG"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]), sys.argv[2])))
