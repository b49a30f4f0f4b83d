"""QUIC as a test wants it: a receive window that a test holds shut, datagrams counted, and a peer that can vanish."""

import asyncio
from typing import Any, Callable

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, QuicEvent
from aioquic.quic.packet import QuicFrameType


class CreditedConnection(QuicConnection):
    """
    A connection whose stream windows follow what was read.

    aioquic doubles a stream's limit whenever half of it is used, read or not. Here the limit is what the test has let through plus
    one window, so that a reader who stops really stops the sender.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window = self.configuration.max_stream_data
        self.allowance: dict[int, int] = {}  # stream -> bytes it may read in all; absent: any number
        self.peer_closed = False
        self.retried = False

    def _write_stream_limits(self, builder: Any, space: Any, stream: Any) -> None:
        if not stream.max_stream_data_local:
            return
        seen = stream.receiver.highest_offset
        read = min(seen, self.allowance.get(stream.stream_id, seen))
        wanted = read + self.window
        if wanted - stream.max_stream_data_local >= self.window // 2:
            stream.max_stream_data_local = wanted
        if stream.max_stream_data_local_sent != stream.max_stream_data_local:
            buf = builder.start_frame(
                QuicFrameType.MAX_STREAM_DATA,
                capacity=17,
                handler=self._on_max_stream_data_delivery,
                handler_args=(stream,),
            )
            buf.push_uint_var(stream.stream_id)
            buf.push_uint_var(stream.max_stream_data_local)
            stream.max_stream_data_local_sent = stream.max_stream_data_local

    def _handle_connection_close_frame(self, *args: Any) -> None:
        self.peer_closed = True
        super()._handle_connection_close_frame(*args)

    def _receive_retry_packet(self, *args: Any, **kwargs: Any) -> Any:
        self.retried = True
        return super()._receive_retry_packet(*args, **kwargs)

    def unsent(self, stream_id: int) -> int:
        """Bytes of a stream that the peer has not acknowledged yet, which is what a sender has to hold in memory."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else len(stream.sender._buffer)

    def sent(self, stream_id: int) -> int:
        """How far a stream's bytes have gone out to the network, frame heads included."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.sender.highest_offset

    def acknowledged(self, stream_id: int) -> int:
        """How many of a stream's first bytes the peer has acknowledged."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.sender._buffer_start

    def received(self, stream_id: int) -> int:
        """How far the peer has sent on a stream, frame heads included."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.receiver.highest_offset


class Wire(QuicConnectionProtocol):
    """The datagrams of one connection. Every event goes to on_event, and then `moved` is pulsed for whoever waits."""

    def __init__(self, quic: CreditedConnection, on_event: Callable[[QuicEvent], None]) -> None:
        super().__init__(quic)
        self.quic = quic
        self.on_event = on_event
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.vanished = False
        self.first_datagram = b""  # the client's Initial, to be sent again by a test
        self.end: dict[str, Any] | None = None
        self._moved: set[asyncio.Future[None]] = set()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        if self.vanished:
            return
        self.datagrams_in += 1
        self.bytes_in += len(data)
        super().datagram_received(data, addr)
        if self.end is None and self.quic.peer_closed and self.quic._close_event is not None:
            self._ended(self.quic._close_event)  # aioquic itself tells only when the draining period is over
        self.pulse()

    def error_received(self, exc: Exception) -> None:
        """An ICMP answer, as when nobody listens any more: the timers of QUIC deal with it."""

    def transmit(self) -> None:
        if self.vanished or self._transport is None or self._transport.is_closing():
            return
        self._transmit_task = None
        for data, addr in self._quic.datagrams_to_send(now=self._loop.time()):
            self.first_datagram = self.first_datagram or data
            self.datagrams_out += 1
            self.bytes_out += len(data)
            self._transport.sendto(data, addr)
        timer_at = self._quic.get_timer()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if timer_at is not None:
            self._timer = self._loop.call_at(timer_at, self._handle_timer)
        self._timer_at = timer_at

    def _handle_timer(self) -> None:
        super()._handle_timer()
        self.pulse()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated) and self.end is None:
            self._ended(event)
        self.on_event(event)

    def _ended(self, event: ConnectionTerminated) -> None:
        if self.quic.peer_closed:
            by = "peer"
        elif event.reason_phrase == "Idle timeout":
            by = "idle"
        else:
            by = "client"
        self.end = {
            "by": by,
            "code": event.error_code,
            "application": event.frame_type is None,
            "reason": event.reason_phrase,
        }

    def vanish(self) -> None:
        """Sends nothing any more and hears nothing, as a machine that lost its network. No CONNECTION_CLOSE."""
        self.vanished = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        if self.end is None:
            self.end = {"by": "client", "code": 0, "application": False, "reason": "vanished"}
        self.pulse()

    def pulse(self) -> None:
        """Wakes everybody who waits for something to have moved on this connection."""
        waiting, self._moved = self._moved, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, ready: Callable[[], bool], timeout: float, what: str) -> None:
        """Returns once ready() holds; a TimeoutError that names what was waited for otherwise."""
        deadline = self._loop.time() + timeout
        while not ready():
            left = deadline - self._loop.time()
            if left <= 0:
                raise TimeoutError(f"nothing in {timeout} s: {what}")
            future = self._loop.create_future()
            self._moved.add(future)
            await asyncio.wait([future], timeout=left)
