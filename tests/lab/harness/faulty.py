"""A web server that can be ill, on a backend's host, for checks: it does as it is told by a file.

    faulty.py PORT FILE

FILE holds one word, which is read for each connection: well, hang (it accepts and never answers), error (status 500), slow
(an answer after a second), reset (a reset instead of an answer).
"""

import asyncio
import pathlib
import socket
import struct
import sys

if __name__ != "__main__":
    from harness import process

FAULTY_PORT = 9000
_SLOW = 1.0


class FaultyServer:
    """The server on one backend's host, for the lab. Well at first."""

    def __init__(self, server):
        self._word = server.directory / "faulty.word"
        self.become("well")
        log = open(server.directory / "faulty.log", "ab")
        child = server.namespace.spawn(sys.executable, __file__, str(FAULTY_PORT), self._word, stdout=log, stderr=log)
        log.close()
        table = pathlib.Path(f"/proc/{child.pid}/net/tcp")
        process.until(lambda: f":{FAULTY_PORT:04X} " in table.read_text(), f"the server of {server.name}, see {log.name}")

    def become(self, word):
        beside = self._word.with_suffix(".new")
        beside.write_text(word)
        beside.replace(self._word)


async def _answer(file, reader, writer):
    word = file.read_text()
    try:
        await reader.readuntil(b"\r\n\r\n")
        if word == "hang":
            await asyncio.sleep(3600)
        if word == "slow":
            await asyncio.sleep(_SLOW)
        if word == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            status = "500 Internal Server Error" if word == "error" else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the probe was given up
    writer.close()


async def _serve(port, file):
    async def answer(reader, writer):
        await _answer(pathlib.Path(file), reader, writer)

    server = await asyncio.start_server(answer, "0.0.0.0", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
