"""pywebtransport as a server: `server.py CERT KEY` prints "ready PORT" and serves. It lacks the QUIC that its draft wants of a server, so no session of
ours is ever opened.
"""

import asyncio
import logging
import sys

from pywebtransport import ServerConfig
from pywebtransport.server import WebTransportServer

logging.disable(logging.CRITICAL)


async def main(cert: str, key: str) -> None:
    async with WebTransportServer(config=ServerConfig(certfile=cert, keyfile=key)) as server:
        await server.listen(host="127.0.0.1", port=0)
        assert server.local_address is not None
        print("ready", server.local_address[1], flush=True)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
