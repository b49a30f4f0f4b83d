"""
An HTTP/3 client of another make, driven by a test over JSON lines: one command a line on stdin, one answer a line on stdout.

A command is {"id", "do", ...}; its answer {"id", "ok": true, ...} or {"id", "ok": false, "error"}. Commands run side by side, an
answer comes when its command is done. End of input ends the driver. Bodies never cross: a test says how to make one (exchange.py,
produce) and gets its length and SHA-256 back, and the bytes of short ones. tests/bun/client.ts is the other side.
"""

import asyncio
import base64
import json
import logging
import socket
import sys
import traceback
from typing import Any, Awaitable, Callable

from aioquic.quic.configuration import QuicConfiguration

from connection import Connection, frame
from exchange import Exchange
from wire import CreditedConnection


class Driver:
    """The connections of one driver process, by number."""

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.uploads: dict[tuple[int, int], asyncio.Task[None]] = {}
        self.held: dict[tuple[int, int], asyncio.Event] = {}

    # ---- connections

    async def do_connect(self, c: dict[str, Any]) -> dict[str, Any]:
        connection = await Connection.open(c.get("host", "127.0.0.1"), c["port"], c)
        number = len(self.connections) + 1
        self.connections[number] = connection
        return {"conn": number, **connection.describe()}

    async def do_close(self, c: dict[str, Any]) -> dict[str, Any]:
        """Closes with an application error code, and returns once that has gone out."""
        connection = self._connection(c)
        connection.wire.quic.close(error_code=c.get("code", 0x100), frame_type=None, reason_phrase=c.get("reason", ""))
        connection.wire.transmit()
        return {}

    async def do_vanish(self, c: dict[str, Any]) -> dict[str, Any]:
        self._connection(c).wire.vanish()
        return {}

    async def do_closed(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for the end of a connection and says how it came."""
        wire = self._connection(c).wire
        await wire.until(lambda: wire.end is not None, c.get("timeout", 30), "the end of the connection")
        return {"end": wire.end}

    async def do_stats(self, c: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection(c)
        wire = connection.wire
        return {
            "datagramsIn": wire.datagrams_in,
            "datagramsOut": wire.datagrams_out,
            "bytesIn": wire.bytes_in,
            "bytesOut": wire.bytes_out,
            "goaways": connection.goaways,
            "settings": None if connection.http is None else connection.http.received_settings,
            "end": wire.end,
        }

    async def do_goaway(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for the first GOAWAY."""
        connection = self._connection(c)
        await connection.wire.until(lambda: len(connection.goaways) > 0, c.get("timeout", 30), "a GOAWAY")
        return {"goaways": connection.goaways}

    async def do_replay(self, c: dict[str, Any]) -> dict[str, Any]:
        """Sends the first datagram of a connection again, each time from a port of its own."""
        connection = self._connection(c)
        for _ in range(c["count"]):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(connection.wire.first_datagram, ("127.0.0.1", c["port"]))
            await asyncio.sleep(0)
        return {}

    async def do_initials(self, c: dict[str, Any]) -> dict[str, Any]:
        """Begins so many handshakes and goes on with none of them."""
        for _ in range(c["count"]):
            quic = CreditedConnection(configuration=QuicConfiguration(alpn_protocols=["h3"], server_name="localhost"))
            quic.connect(("127.0.0.1", c["port"]), now=0)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for data, address in quic.datagrams_to_send(now=0):
                    sender.sendto(data, address)
        return {}

    # ---- requests

    async def do_request(self, c: dict[str, Any]) -> dict[str, Any]:
        """Sends a request's headers and starts on its body; answers at once with the stream."""
        connection = self._connection(c)
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in c["headers"]]
        pieces: list[dict[str, Any]] = c.get("body", [])
        end: bool = c.get("end", True)
        exchange = connection.request(fields, end and not pieces, c.get("allowance"))
        if pieces:
            self._upload(c["conn"], connection, exchange, pieces, end)
        return {"stream": exchange.stream_id}

    async def do_send(self, c: dict[str, Any]) -> dict[str, Any]:
        """Sends more of a body behind what is still on its way, and returns once QUIC has taken it."""
        connection = self._connection(c)
        exchange = self._exchange(connection, c)
        await self._upload(c["conn"], connection, exchange, c.get("body", []), c.get("end", False))
        return exchange.report()

    async def do_sent(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits until all of the body asked for has been taken by QUIC, or cannot be any more."""
        connection = self._connection(c)
        exchange = self._exchange(connection, c)
        task = self.uploads.get((c["conn"], exchange.stream_id))
        if task is not None:
            await asyncio.wait_for(asyncio.shield(task), c.get("timeout", 60))
        return exchange.report()

    async def do_trailers(self, c: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection(c)
        exchange = self._exchange(connection, c)
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in c["headers"]]
        assert connection.http is not None
        connection.http.send_headers(exchange.stream_id, fields, end_stream=True)
        exchange.send_finished = True
        connection.wire.transmit()
        return {}

    async def do_reset(self, c: dict[str, Any]) -> dict[str, Any]:
        """RESET_STREAM: this side's direction ends in the middle."""
        connection = self._connection(c)
        task = self.uploads.pop((c["conn"], c["stream"]), None)
        if task is not None:
            task.cancel()
        if c["stream"] in connection.quic._streams:  # not when both ways have ended already
            connection.quic.reset_stream(c["stream"], c.get("code", 0x10C))
        connection.wire.transmit()
        return {}

    async def do_stop(self, c: dict[str, Any]) -> dict[str, Any]:
        """STOP_SENDING: this side wants no more of the response."""
        connection = self._connection(c)
        if c["stream"] in connection.quic._streams:
            connection.quic.stop_stream(c["stream"], c.get("code", 0x10C))
        connection.wire.transmit()
        return {}

    async def do_allow(self, c: dict[str, Any]) -> dict[str, Any]:
        self._connection(c).allow(c["stream"], c.get("bytes"))
        return {}

    async def do_progress(self, c: dict[str, Any]) -> dict[str, Any]:
        """A request as it stands, with what QUIC has sent, had acknowledged and received on its stream."""
        connection = self._connection(c)
        stream = c["stream"]
        return {
            "response": self._exchange(connection, c).report(),
            "sent": connection.quic.sent(stream),
            "acknowledged": connection.quic.acknowledged(stream),
            "received": connection.quic.received(stream),
        }

    async def do_response(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for a part of the response: "headers", "stopped" (STOP_SENDING), "end", or a number of bytes of body."""
        connection = self._connection(c)
        exchange = self._exchange(connection, c)
        until = c.get("until", "end")

        def ready() -> bool:
            if exchange.over() or connection.wire.end is not None:
                return until != "stopped" or exchange.stopped is not None or connection.wire.end is not None
            if until == "headers":
                return exchange.status is not None
            if until == "stopped":
                return exchange.stopped is not None
            return isinstance(until, int) and exchange.body_bytes >= until

        await connection.wire.until(ready, c.get("timeout", 30), f"{until} of the response on stream {exchange.stream_id}")
        return {**exchange.report(), "connection": connection.wire.end}

    # ---- datagrams and WebTransport

    async def do_datagrams(self, c: dict[str, Any]) -> dict[str, Any]:
        """Sends raw QUIC datagrams, each of `payloads` `count` times; `pace` waits so many milliseconds after each."""
        connection = self._connection(c)
        for payload in [base64.b64decode(p) for p in c["payloads"]] * c.get("count", 1):
            connection.quic.send_datagram_frame(payload)
            connection.wire.transmit()
            await asyncio.sleep(c.get("pace", 0) / 1000)
        return {}

    async def do_received(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for so many datagrams, and takes all that came. Fewer after the timeout are no error."""
        connection = self._connection(c)
        try:
            await connection.wire.until(lambda: len(connection.datagrams) >= c["count"], c.get("timeout", 30), "datagrams")
        except TimeoutError:
            pass
        taken = [base64.b64encode(d).decode() for d in connection.datagrams]
        connection.datagrams.clear()
        return {"payloads": taken}

    async def do_session_stream(self, c: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection(c)
        return {"stream": connection.open_webtransport_stream(c["session"], c.get("unidirectional", False))}

    async def do_opened(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for the WebTransport stream number `index` that the server opened, of either kind."""
        connection = self._connection(c)
        head = bytes.fromhex("4054" if c.get("unidirectional") else "4041")

        def found() -> list[int]:
            return [s for s in connection.opened if connection.streams[s]["data"].startswith(head)]

        await connection.wire.until(lambda: len(found()) > c["index"], c.get("timeout", 30), "a stream of the server's")
        return {"stream": found()[c["index"]]}

    async def do_bytes(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for so many bytes of a raw stream."""
        connection = self._connection(c)
        stream = connection._stream(c["stream"])
        await connection.wire.until(lambda: len(stream["data"]) >= c["count"], c.get("timeout", 30), "bytes")
        return {"data": base64.b64encode(stream["data"]).decode()}

    async def do_stopped(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for STOP_SENDING on a raw stream."""
        connection = self._connection(c)
        stream = connection._stream(c["stream"])
        await connection.wire.until(lambda: stream["stopped"] is not None, c.get("timeout", 30), "STOP_SENDING")
        return {"code": stream["stopped"]}

    # ---- raw streams

    async def do_open(self, c: dict[str, Any]) -> dict[str, Any]:
        return {"stream": self._connection(c).open_stream(c.get("unidirectional", False), c.get("request", False))}

    async def do_write(self, c: dict[str, Any]) -> dict[str, Any]:
        """
        Puts hand-made frames on a stream; `pace` sends them a byte at a time, so many milliseconds apart, and `hold` the last one when
        it is released.
        """
        connection = self._connection(c)
        data = b"".join(frame(f) for f in c.get("frames", []))
        end: bool = c.get("end", False)
        if c.get("pace") is not None:
            for i in range(len(data) - 1):
                connection.write(c["stream"], data[i : i + 1], False)
                await asyncio.sleep(c["pace"] / 1000)
            data = data[-1:]
        if c.get("hold"):
            await self._held(c).wait()
        connection.write(c["stream"], data, end)
        return {}

    async def do_release(self, c: dict[str, Any]) -> dict[str, Any]:
        self._held(c).set()
        return {}

    async def do_stream(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits for the end of a raw stream in the peer's direction, or the connection's."""
        connection = self._connection(c)
        stream = connection._stream(c["stream"])
        await connection.wire.until(
            lambda: stream["ended"] or stream["reset"] is not None or connection.wire.end is not None,
            c.get("timeout", 30),
            f"the end of stream {c['stream']}",
        )
        return {**stream, "data": base64.b64encode(stream["data"]).decode(), "connection": connection.wire.end}

    async def do_flood(self, c: dict[str, Any]) -> dict[str, Any]:
        """Opens requests and resets them at once, as fast as the stream limit allows, as many as asked or until the peer closes."""
        connection = self._connection(c)
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in c["headers"]]
        quic = connection.quic
        done = 0

        def allowed() -> bool:
            next_stream = quic.get_next_available_stream_id() // 4
            return next_stream < quic._remote_max_streams_bidi or connection.wire.end is not None

        while done < c["count"] and connection.wire.end is None:
            await connection.wire.until(allowed, 30, "a stream to open")
            for _ in range(16):
                if done == c["count"] or not allowed() or connection.wire.end is not None:
                    break
                exchange = connection.request(fields, False, None)
                connection.wire.transmit()
                quic.reset_stream(exchange.stream_id, 0x10C)
                quic.stop_stream(exchange.stream_id, 0x10C)
                del connection.exchanges[exchange.stream_id]
                done += 1
            connection.wire.transmit()
            await asyncio.sleep(0)
        return {"opened": done, "end": connection.wire.end}

    async def do_many(self, c: dict[str, Any]) -> dict[str, Any]:
        """
        Asks the same `count` times with always `inflight` requests open, and says what came back. `blocked`: how often a request
        found no stream to go out on, because the server had not yet given one back.
        """
        connection = self._connection(c)
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in c["headers"]]
        statuses: dict[int, int] = {}
        bodies: dict[str, int] = {}
        open_now: list[Exchange] = []
        started = blocked = 0
        deadline = asyncio.get_running_loop().time() + c.get("timeout", 60)
        while started < c["count"] or open_now:
            while started < c["count"] and len(open_now) < c["inflight"]:
                exchange = connection.request(fields, True, None)
                stream = connection.quic._streams[exchange.stream_id]
                blocked += stream.is_blocked
                open_now.append(exchange)
                started += 1
            connection.wire.transmit()
            left = deadline - asyncio.get_running_loop().time()
            await connection.wire.until(
                lambda: any(e.over() for e in open_now) or connection.wire.end is not None, left, "an answer"
            )
            if connection.wire.end is not None:
                break
            for exchange in [e for e in open_now if e.over()]:
                status = exchange.status or 0
                statuses[status] = statuses.get(status, 0) + 1
                bodies[exchange.body.decode("latin-1")] = bodies.get(exchange.body.decode("latin-1"), 0) + 1
                del connection.exchanges[exchange.stream_id]
            open_now = [e for e in open_now if not e.over()]
        return {"statuses": statuses, "bodies": bodies, "blocked": blocked, "end": connection.wire.end}

    async def do_free(self, c: dict[str, Any]) -> dict[str, Any]:
        """Waits until so many requests may be opened at once."""
        connection = self._connection(c)
        quic = connection.quic

        def free() -> bool:
            return quic._remote_max_streams_bidi - quic.get_next_available_stream_id() // 4 >= c["count"]

        await connection.wire.until(free, 30, f"{c['count']} free streams")
        return {}

    # ---- the machinery

    def _held(self, c: dict[str, Any]) -> asyncio.Event:
        return self.held.setdefault((c["conn"], c["stream"]), asyncio.Event())

    def _connection(self, c: dict[str, Any]) -> Connection:
        return self.connections[c["conn"]]

    def _exchange(self, connection: Connection, c: dict[str, Any]) -> Exchange:
        return connection.exchanges[c["stream"]]

    def _upload(
        self, number: int, connection: Connection, exchange: Exchange, pieces: list[dict[str, Any]], end: bool
    ) -> "asyncio.Task[None]":
        before = self.uploads.get((number, exchange.stream_id))

        async def run() -> None:
            if before is not None:
                await before
            await connection.send(exchange, pieces, end)

        task = asyncio.create_task(run())
        self.uploads[number, exchange.stream_id] = task
        return task

    async def answer(self, line: str) -> None:
        c: dict[str, Any] = json.loads(line)
        method: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] | None = getattr(self, f"do_{c['do']}", None)
        try:
            if method is None:
                raise ValueError(f"no such command: {c['do']}")
            reply = {"id": c["id"], "ok": True, **await method(c)}
        except Exception as error:  # a test must see any failure of its driver
            where = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} ({c['do']}, {where.name}:{where.lineno})"
            reply = {"id": c["id"], "ok": False, "error": detail}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=64 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            task = asyncio.create_task(self.answer(line.decode()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        for connection in self.connections.values():
            if connection.wire.end is None:
                connection.wire.close(error_code=0x100)


if __name__ == "__main__":
    logging.getLogger("quic").setLevel(logging.CRITICAL)  # what it would say is in the answers
    asyncio.run(Driver().run())
