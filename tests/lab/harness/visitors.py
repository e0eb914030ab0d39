"""Clients as the world has them: each asks a resolver, which keeps what it was told for its time to live, and stays
connected for a while to the site that it is led to. Run as a program, it tells each second what goes on:

    visitors.py SERVER NAME RESOLVERS PER_SECOND LASTING PORT
"""

import asyncio
import ipaddress
import json
import random
import socket
import struct
import sys
import time


def _question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", random.randrange(65536), 0x0100, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, 1, 1)


class Resolver:
    """One of many, each with an answer of its own."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.until, self.address = 0.0, None

    def resolve(self):
        if time.monotonic() >= self.until:
            asked = _question(self.name)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
                channel.settimeout(2)
                channel.sendto(asked, (self.server, 53))
                answer = channel.recv(4096)
            # The first record stands behind the question, its name is a pointer.
            record = answer[len(asked) :]
            ttl = struct.unpack("!I", record[6:10])[0]
            self.address = str(ipaddress.ip_address(record[12:16]))
            self.until = time.monotonic() + ttl
        return self.address


class Visitors:
    def __init__(self, server, name, resolvers, lasting, port):
        self.resolvers = [Resolver(server, name) for _ in range(resolvers)]
        self.lasting, self.port = lasting, port
        self.came, self.broken = {}, 0

    async def visit(self):
        address = random.choice(self.resolvers).resolve()
        self.came[address] = self.came.get(address, 0) + 1
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(address, self.port), 5)
            writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
            await asyncio.wait_for(reader.readline(), 5)
            await asyncio.sleep(random.expovariate(1 / self.lasting))
            writer.close()
        except OSError as error:
            print(f"{address}: {error}", file=sys.stderr, flush=True)
            self.broken += 1


async def _main(server, name, resolvers, per_second, lasting, port):
    visitors = Visitors(server, name, int(resolvers), float(lasting), int(port))
    under_way = set()
    due = told = time.monotonic()
    while True:
        visit = asyncio.create_task(visitors.visit())
        under_way.add(visit)
        visit.add_done_callback(under_way.discard)
        due += 1 / float(per_second)
        await asyncio.sleep(max(0, due - time.monotonic()))
        if time.monotonic() - told >= 1:
            told += 1
            print(json.dumps({"came": visitors.came, "broken": visitors.broken}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
