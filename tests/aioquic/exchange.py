"""One request and its response, as the driver sees them."""

import base64
import hashlib
import random
import time
from typing import Any, Iterator

# A piece larger than this is produced and sent a part at a time, so that the driver's memory stays small.
PART = 64 << 10
# Bodies up to here are handed to the test as they are; of longer ones it gets length and hash.
KEPT = 256 << 10


def produce(piece: dict[str, Any], offset: int) -> Iterator[bytes]:
    """
    The bytes that a piece of a body describes, in parts. {"text"}, {"base64"}, {"mod256": n} (the byte at i is i % 256, counted
    from the body's start) or {"random": n, "seed": s}.
    """
    if "text" in piece:
        yield piece["text"].encode()
    elif "base64" in piece:
        yield base64.b64decode(piece["base64"])
    elif "mod256" in piece:
        left = piece["mod256"]
        cycle = bytes(range(256))
        while left > 0:
            n = min(PART, left)
            start = offset % 256
            yield (cycle * (n // 256 + 2))[start : start + n]
            offset += n
            left -= n
    elif "random" in piece:
        left = piece["random"]
        source = random.Random(piece.get("seed", 1))
        while left > 0:
            n = min(PART, left)
            yield source.randbytes(n)
            left -= n
    else:
        raise ValueError(f"no such piece of a body: {piece}")


class Exchange:
    """The state of one request stream: what went out, what came back, and how either direction ended."""

    def __init__(self, stream_id: int, method: str) -> None:
        self.stream_id = stream_id
        self.method = method
        self.began = time.monotonic()

        self.sent_bytes = 0
        self.sent_hash = hashlib.sha256()
        self.send_finished = False
        self.stopped: int | None = None  # the code of the peer's STOP_SENDING

        self.informational: list[dict[str, Any]] = []
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.headers_at: float | None = None
        self.body_bytes = 0
        self.body_hash = hashlib.sha256()
        self.body = bytearray()
        self.arrivals: list[tuple[float, int]] = []  # milliseconds since the request, and bytes
        self.trailers: list[tuple[str, str]] | None = None
        self.ended = False  # a clean FIN
        self.reset: int | None = None  # the code of the peer's RESET_STREAM

    def add_sent(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        self.sent_hash.update(data)

    def add_headers(self, headers: list[tuple[bytes, bytes]], end: bool) -> None:
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers]
        status = next((v for n, v in fields if n == ":status"), None)
        plain = [(n, v) for n, v in fields if not n.startswith(":")]
        if status is None:
            self.trailers = plain
        elif status.startswith("1"):
            self.informational.append({"status": int(status), "headers": plain})
        else:
            self.status = int(status)
            self.headers = plain
            self.headers_at = self._since()
        self.ended = self.ended or end

    def add_body(self, data: bytes, end: bool) -> None:
        if data:
            self.body_bytes += len(data)
            self.body_hash.update(data)
            if len(self.body) < KEPT:
                self.body += data[: KEPT - len(self.body)]
            if len(self.arrivals) < 2000:
                self.arrivals.append((self._since(), len(data)))
        self.ended = self.ended or end

    def over(self) -> bool:
        """Nothing more can come from the peer on this stream."""
        return self.ended or self.reset is not None

    def report(self) -> dict[str, Any]:
        """All of it, for the test."""
        whole = len(self.body) == self.body_bytes
        return {
            "stream": self.stream_id,
            "sent": {
                "bytes": self.sent_bytes,
                "sha256": self.sent_hash.hexdigest(),
                "finished": self.send_finished,
                "stopped": self.stopped,
            },
            "informational": self.informational,
            "status": self.status,
            "headers": self.headers,
            "headersAt": self.headers_at,
            "bytes": self.body_bytes,
            "sha256": self.body_hash.hexdigest(),
            "body": base64.b64encode(self.body).decode() if whole else None,
            "arrivals": self.arrivals,
            "trailers": self.trailers,
            "ended": self.ended,
            "reset": self.reset,
        }

    def _since(self) -> float:
        return (time.monotonic() - self.began) * 1000
