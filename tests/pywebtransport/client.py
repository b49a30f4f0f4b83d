"""pywebtransport 0.8, which speaks drafts 13 and 14 and no other, as a client: `client.py URL CERT`; tests/bun/peer_clients.ts says what such a
client does and prints. It cannot tell the codes of streams, so it says nothing of them, and it is not sent to /close: capsules it takes, and sends,
without the DATA frames around them that RFC 9297 (3.1) has them in.
"""

import asyncio
import logging
import sys

from pywebtransport import ClientConfig, WebTransportClient
from pywebtransport.exceptions import WebTransportError
from pywebtransport.session import WebTransportSession

logging.disable(logging.CRITICAL)  # to tell what is going on is the test's business


async def datagram(session: WebTransportSession) -> bytes:
    """Sends one again and again until it comes back: it may be lost."""
    transport = await session.create_datagram_transport()

    async def again() -> None:
        while True:
            await transport.send(data=b"gram")
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(again())
    try:
        return await transport.receive()
    finally:
        sending.cancel()


async def main(url: str, ca: str) -> None:
    async with WebTransportClient(config=ClientConfig(ca_certs=ca)) as client:
        session = await client.connect(url=f"{url}/echo")
        stream = await session.create_bidirectional_stream()
        await stream.write(data=b"there and back", end_stream=True)
        print("both", (await stream.read_all()).decode())
        out = await session.create_unidirectional_stream()
        await out.write(data=b"one way", end_stream=True)
        async for back in session.incoming_streams():
            print("one", (await back.read_all()).decode())
            break
        print("datagram", (await datagram(session)).decode())
        out = await session.create_unidirectional_stream()  # abort() gives up both directions of another one
        await out.write(data=b"word")
        async for back in session.incoming_streams():
            print("back", (await back.read(size=4)).decode())
            break
        await out.abort(code=1000)
        await back.wait_closed()  # the answer is given up, too
        await session.close(code=3, reason="done", close_connection=False)

        try:
            await client.connect(url=f"{url}/refuse")
        except WebTransportError as error:
            print("refused", str(error).rpartition("HTTP status ")[2])


asyncio.run(main(*sys.argv[1:]))
