"""An HTTP/3 connection to the server under test: requests, raw streams, and a view of what the peer says."""

import asyncio
import ssl
import time
from typing import Any

import pylsqpack
from aioquic.buffer import Buffer, BufferReadError, encode_uint_var
from aioquic.h3.connection import H3_ALPN, H3Connection, H3Stream, ProtocolError
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)

from exchange import Exchange, produce
from wire import CreditedConnection, Wire

# What a stream may hold unacknowledged before its sender waits.
SEND_BUFFER = 512 << 10


class Http(H3Connection):
    """aioquic's HTTP/3, which takes a response without a body at its word when the request was HEAD or the status is 304."""

    def __init__(
        self, quic: CreditedConnection, exchanges: dict[int, Exchange], own_settings: dict[int, int] | None, webtransport: bool
    ) -> None:
        self._exchanges = exchanges
        self._own_settings = own_settings
        super().__init__(quic, enable_webtransport=webtransport)

    def _get_local_settings(self) -> dict[int, int]:
        return super()._get_local_settings() if self._own_settings is None else self._own_settings

    def _check_content_length(self, stream: H3Stream) -> None:
        exchange = self._exchanges.get(stream.stream_id)
        if exchange is not None and (exchange.method == "HEAD" or exchange.status in (None, 304)) and stream.content_length == 0:
            return
        super()._check_content_length(stream)


class Connection:
    """One connection. Streams that are not requests of ours keep their bytes in `streams`, datagrams in `datagrams`."""

    def __init__(self, http: bool, settings: dict[int, int] | None, webtransport: bool) -> None:
        self.want_http = http
        self.want_webtransport = webtransport
        self.settings = settings
        self.exchanges: dict[int, Exchange] = {}
        self.streams: dict[int, dict[str, Any]] = {}
        self.datagrams: list[bytes] = []
        self.session_streams: set[int] = set()  # opened here: aioquic would read what comes back as frames
        self.opened: list[int] = []  # streams of the server's, control and QPACK streams among them
        self.goaways: list[int] = []
        self.http: Http | None = None
        self.wire: Wire
        self.quic: CreditedConnection
        self.error: str | None = None  # what aioquic found wrong with the peer
        self.handshake_ms = 0.0

    @classmethod
    async def open(cls, host: str, port: int, options: dict[str, Any]) -> "Connection":
        """Connects, and returns once the handshake is confirmed. Raises ConnectionError with the reason when it fails."""
        settings = options.get("settings")
        own_settings = None if settings is None else {int(k): v for k, v in settings.items()}
        self = cls(options.get("http", True), own_settings, options.get("webtransport", False))
        config = QuicConfiguration(
            is_client=True,
            alpn_protocols=options.get("alpn", H3_ALPN),
            server_name=options.get("serverName", host),
            max_data=options.get("maxData", 16 << 20),
            max_stream_data=options.get("maxStreamData", 1 << 20),
            idle_timeout=options.get("idleTimeout", 60.0),
            max_datagram_size=options.get("packet", 1200),
            max_datagram_frame_size=65536 if options.get("datagrams") or self.want_webtransport else None,
        )
        if "ca" in options:
            config.load_verify_locations(cafile=options["ca"])
        else:
            config.verify_mode = ssl.CERT_NONE
        self.quic = CreditedConnection(configuration=config)
        if self.want_http:
            self.http = Http(self.quic, self.exchanges, self.settings, self.want_webtransport)
        loop = asyncio.get_running_loop()
        _, self.wire = await loop.create_datagram_endpoint(
            lambda: Wire(self.quic, self._on_event), remote_addr=None, local_addr=("::1" if ":" in host else "127.0.0.1", 0)
        )
        began = time.monotonic()
        self.wire.connect((host, port, 0, 0) if ":" in host else (host, port))
        try:
            await asyncio.wait_for(self.wire.wait_connected(), options.get("timeout", 30.0))
        except ConnectionError:
            raise ConnectionError(str(self.wire.end)) from None
        except asyncio.TimeoutError:
            self.wire.vanish()
            raise TimeoutError(f"no handshake with {host}:{port}") from None
        self.handshake_ms = (time.monotonic() - began) * 1000
        return self

    def describe(self) -> dict[str, Any]:
        """What the handshake agreed on."""
        certificate = self.quic.tls._peer_certificate
        from cryptography.hazmat.primitives import hashes

        return {
            "alpn": self.quic.tls.alpn_negotiated,
            "retried": self.quic.retried,
            "certificateHash": None if certificate is None else certificate.fingerprint(hashes.SHA256()).hex(),
            "localPort": self.wire._transport.get_extra_info("sockname")[1],
            "handshakeMs": self.handshake_ms,
            "datagrams": {
                "offered": self.quic.configuration.max_datagram_frame_size is not None,
                "answered": self.quic._remote_max_datagram_frame_size is not None,
            },
        }

    # ---- requests

    def request(self, headers: list[tuple[bytes, bytes]], end: bool, allowance: int | None) -> Exchange:
        """Sends the headers of a request, all of them as given, and with `end` the end of it."""
        assert self.http is not None
        stream_id = self.quic.get_next_available_stream_id()
        method = next((v for n, v in headers if n == b":method"), b"").decode("latin-1")
        exchange = self.exchanges[stream_id] = Exchange(stream_id, method)
        if allowance is not None:
            self.quic.allowance[stream_id] = allowance
        exchange.send_finished = end
        self.http.send_headers(stream_id, headers, end_stream=end)
        self.wire._transmit_soon()
        return exchange

    async def send(self, exchange: Exchange, pieces: list[dict[str, Any]], end: bool) -> None:
        """Sends pieces of a body, each after its delay, no faster than the peer takes them. Returns early when it is told to stop."""
        assert self.http is not None
        for piece in pieces:
            if piece.get("after"):
                await asyncio.sleep(piece["after"] / 1000)
            for part in produce(piece, exchange.sent_bytes):
                if not await self._room(exchange):
                    return
                self.http.send_data(exchange.stream_id, part, end_stream=False)
                exchange.add_sent(part)
                self.wire.transmit()
        if end and await self._room(exchange):
            self.http.send_data(exchange.stream_id, b"", end_stream=True)
            exchange.send_finished = True
            self.wire.transmit()

    async def _room(self, exchange: Exchange) -> bool:
        """Waits until the stream takes more. False: it takes no more at all."""

        def closed() -> bool:
            return exchange.stopped is not None or self.wire.end is not None or self.quic._close_event is not None

        while not closed() and self.quic.unsent(exchange.stream_id) > SEND_BUFFER:
            try:
                await self.wire.until(lambda: closed() or self.quic.unsent(exchange.stream_id) <= SEND_BUFFER, 3600, "room")
            except TimeoutError:
                return False
        return not closed() and exchange.stream_id in self.quic._streams

    def allow(self, stream_id: int, more: int | None) -> None:
        """Lets a held stream read `more` bytes (as QUIC counts them), or, with None, all that comes."""
        if more is None:
            self.quic.allowance.pop(stream_id, None)
        else:
            seen = self.quic.received(stream_id)
            self.quic.allowance[stream_id] = min(self.quic.allowance.get(stream_id, seen) + more, 1 << 61)
        self.wire.transmit()

    # ---- raw streams

    def open_stream(self, unidirectional: bool, request: bool) -> int:
        """A stream without anything on it; with `request`, what comes back on it is read as a response."""
        stream_id = self.quic.get_next_available_stream_id(is_unidirectional=unidirectional)
        if request:
            self.exchanges[stream_id] = Exchange(stream_id, "")
        self.quic.send_stream_data(stream_id, b"")
        return stream_id

    def open_webtransport_stream(self, session_id: int, unidirectional: bool) -> int:
        """A stream of a WebTransport session, with its head on it already."""
        assert self.http is not None
        stream_id = self.http.create_webtransport_stream(session_id, unidirectional)
        self.session_streams.add(stream_id)
        self.wire.transmit()
        return stream_id

    def write(self, stream_id: int, data: bytes, end: bool) -> None:
        self.quic.send_stream_data(stream_id, data, end)
        self.wire.transmit()

    # ---- what the peer says

    def _on_event(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self._note_bytes(event)
        elif isinstance(event, StopSendingReceived):
            if event.stream_id in self.exchanges:
                self.exchanges[event.stream_id].stopped = event.error_code
            else:
                self._stream(event.stream_id)["stopped"] = event.error_code
        elif isinstance(event, StreamReset):
            if event.stream_id in self.exchanges:
                self.exchanges[event.stream_id].reset = event.error_code
            else:
                self._stream(event.stream_id)["reset"] = event.error_code
        elif isinstance(event, DatagramFrameReceived):
            self.datagrams.append(event.data)
        elif isinstance(event, ConnectionTerminated) and self.wire.end is not None and self.http is not None:
            self.wire.end["protocolError"] = self.http._is_done
        # Datagrams are the test's, raw ones too, and so are these streams: aioquic would read both as HTTP.
        if self.http is None or isinstance(event, DatagramFrameReceived) or getattr(event, "stream_id", -1) in self.session_streams:
            return
        for h3_event in self.http.handle_event(event):
            exchange = self.exchanges.get(getattr(h3_event, "stream_id", -1))
            if exchange is None:
                continue
            if isinstance(h3_event, HeadersReceived):
                exchange.add_headers(h3_event.headers, h3_event.stream_ended)
            elif isinstance(h3_event, DataReceived):
                exchange.add_body(h3_event.data, h3_event.stream_ended)

    def _stream(self, stream_id: int) -> dict[str, Any]:
        if stream_id % 2 == 1 and stream_id not in self.streams:
            self.opened.append(stream_id)
        return self.streams.setdefault(stream_id, {"data": bytearray(), "ended": False, "reset": None, "stopped": None})

    def _note_bytes(self, event: StreamDataReceived) -> None:
        """Keeps the bytes of streams that are no requests of ours, and reads GOAWAY, which aioquic skips."""
        if event.stream_id in self.exchanges:
            return
        stream = self._stream(event.stream_id)
        stream["data"] += event.data
        stream["ended"] = stream["ended"] or event.end_stream
        if event.stream_id % 4 == 3:
            self.goaways = _goaways(bytes(stream["data"]))


def _goaways(data: bytes) -> list[int]:
    """The ids of all GOAWAY frames on a control stream, given all of its bytes so far."""
    found: list[int] = []
    buf = Buffer(data=data)
    try:
        if buf.pull_uint_var() != 0:
            return found
        while not buf.eof():
            frame_type = buf.pull_uint_var()
            payload = Buffer(data=buf.pull_bytes(buf.pull_uint_var()))
            if frame_type == 7:
                found.append(payload.pull_uint_var())
    except BufferReadError:
        pass
    return found


def frame(description: dict[str, Any]) -> bytes:
    """
    A frame made by hand: {"type", "base64" or "headers" or "text" or "varints"}, with "length" to lie about how long it is. Headers
    are encoded as they are given, allowed or not, against the static table only. {"raw": base64} goes out unframed.
    """
    import base64

    if "raw" in description:
        return base64.b64decode(description["raw"])
    if "headers" in description:
        encoder = pylsqpack.Encoder()
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in description["headers"]]
        _, payload = encoder.encode(0, fields)
    elif "text" in description:
        payload = description["text"].encode()
    elif "varints" in description:
        payload = b"".join(encode_uint_var(v) for v in description["varints"])
    else:
        payload = base64.b64decode(description.get("base64", ""))
    length = description.get("length", len(payload))
    return encode_uint_var(description["type"]) + encode_uint_var(length) + payload


__all__ = ["Connection", "ProtocolError", "frame"]
