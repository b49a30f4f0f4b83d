"""aioquic as a server of WebTransport, which speaks draft 02: `session_server.py <cert.pem> <key.pem>` prints "ready <port>" and serves.

Sessions at /echo get every datagram and stream back; at /close they are closed with code 7 once a datagram has come; at a path that ends in
/server-connection-close.py they get a stream, and their connection is closed when they send on it, as web-platform-tests have it. /refuse is
403. With a third argument "plain" it announces neither WebTransport nor HTTP/3 datagrams, sends raw datagrams back, and answers requests with 404:
but those at /priority, whose bodies tell of the priorities that they are given on the way, until one is u=7.
"""

import asyncio
import sys
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.buffer import Buffer, BufferReadError, encode_uint_var
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DatagramReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, ProtocolNegotiated, QuicEvent, StreamDataReceived

CLOSE_SESSION = 0x2843
PRIORITY_UPDATE = 0xF0700
LAST_PRIORITY = b"u=7"
CONNECTION_CLOSE = "/server-connection-close.py"
PLAIN = sys.argv[3:] == ["plain"]


def priorities(stream: bytearray) -> list[tuple[int, bytes]]:
    """Takes PRIORITY_UPDATE frames of requests (RFC 9218, 7.2), which aioquic leaves alone, out of a control stream without its type."""
    told: list[tuple[int, bytes]] = []
    while True:
        buffer = Buffer(data=bytes(stream))
        try:
            kind, payload = buffer.pull_uint_var(), buffer.pull_bytes(buffer.pull_uint_var())
        except BufferReadError:
            return told
        del stream[: buffer.tell()]
        if kind == PRIORITY_UPDATE:
            update = Buffer(data=payload)
            told.append((update.pull_uint_var(), payload[update.tell() :]))


class Sessions(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: H3Connection | None = None
        self.paths: dict[int, str] = {}
        self.back: dict[int, int] = {}  # where streams one way are answered
        self.one_ways: dict[int, bytearray] = {}  # what has come on streams one way, but for their types
        self.control: int | None = None
        self.closing: set[int] = set()  # streams on which the first word ends the connection

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=not PLAIN)
        if isinstance(event, StreamDataReceived) and event.stream_id in self.closing:
            self._quic.close()
            self.transmit()
        elif isinstance(event, DatagramFrameReceived) and PLAIN:
            self._quic.send_datagram_frame(event.data)
            self.transmit()
        elif self.http is not None:
            if PLAIN and isinstance(event, StreamDataReceived) and event.stream_id % 4 == 2:
                self.one_way(self.http, event.stream_id, event.data)
            for what in self.http.handle_event(event):
                self.deal(self.http, what)
            self.transmit()

    def one_way(self, http: H3Connection, stream: int, data: bytes) -> None:
        """Tells of priorities where they are asked for."""
        first = stream not in self.one_ways
        come = self.one_ways.setdefault(stream, bytearray())
        come += data
        if first:
            self.control = stream if come[0] == 0 else self.control
            del come[0]
        if stream == self.control:
            for request, value in priorities(come):
                http.send_data(request, value + b"\n", end_stream=value.startswith(LAST_PRIORITY))

    def deal(self, http: H3Connection, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            fields = dict(event.headers)
            path = fields[b":path"].decode()
            sessions = fields.get(b":protocol") == b"webtransport" and fields.get(b"sec-webtransport-http3-draft02") == b"1"
            if PLAIN and path == "/priority":
                http.send_headers(event.stream_id, [(b":status", b"200")])
                return
            status = b"404" if not sessions else b"403" if path == "/refuse" else b"200"
            http.send_headers(event.stream_id, [(b":status", status), (b"sec-webtransport-http3-draft", b"draft02")], end_stream=status != b"200")
            self.paths[event.stream_id] = path
            if status == b"200" and path.endswith(CONNECTION_CLOSE):
                self.closing.add(http.create_webtransport_stream(event.stream_id))
        elif isinstance(event, DatagramReceived):
            if self.paths[event.stream_id] == "/close":
                self.close_session(event.stream_id, 7, b"enough")
            else:
                http.send_datagram(event.stream_id, event.data)
        elif isinstance(event, WebTransportStreamDataReceived):
            self.echo(http, event)

    def echo(self, http: H3Connection, event: WebTransportStreamDataReceived) -> None:
        stream = event.stream_id
        if stream % 4 == 2:  # one way
            if stream not in self.back:
                self.back[stream] = http.create_webtransport_stream(event.session_id, is_unidirectional=True)
            stream = self.back[stream]
        self._quic.send_stream_data(stream, event.data, end_stream=event.stream_ended)

    def close_session(self, session: int, code: int, reason: bytes) -> None:
        capsule = code.to_bytes(4, "big") + reason
        frame = encode_uint_var(CLOSE_SESSION) + encode_uint_var(len(capsule)) + capsule
        assert self.http is not None
        self.http.send_data(session, frame, end_stream=True)


async def main() -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536)
    configuration.load_cert_chain(sys.argv[1], sys.argv[2])
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: QuicServer(configuration=configuration, create_protocol=Sessions), local_addr=("127.0.0.1", 0)
    )
    print("ready", transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
