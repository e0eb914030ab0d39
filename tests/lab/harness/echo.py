"""Datagrams that come back: a server that answers each with its own bytes behind its name, and a client that counts.

Run as a program in the namespaces of a server and of the client; the classes at the end start it there.
"""

import json
import pathlib
import selectors
import socket
import struct
import sys
import time

if __name__ != "__main__":
    from harness import process

PORT = 4433
NAT_PORT = 4434
NAME_BYTES = 8  # of an answer, in the place of as many of the question
_TIMEOUT = 2.0  # for an answer
_READY = "ready"


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _bound(address, port):
    bound = socket.socket(_family(address), socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bound.bind((address, port))
    return bound


def _serve(name, *places):
    """A socket for each ADDRESS PORT: an answer must come from where it was asked."""
    waiting = selectors.DefaultSelector()
    for address, port in zip(places[::2], places[1::2]):
        waiting.register(_bound(address, int(port)), selectors.EVENT_READ)
    prefix = name.encode().ljust(NAME_BYTES)
    print(_READY, flush=True)
    while True:
        for key, _ in waiting.select():
            question, client = key.fileobj.recvfrom(65536)
            key.fileobj.sendto(prefix + question[NAME_BYTES:], client)


class _Flow:
    """A source of its own, with one question on the way at a time."""

    def __init__(self, source, port, target, sizes):
        self.socket = _bound(source, port)
        self.socket.connect(target)
        self.sizes = list(sizes)
        self.asked = None
        self.since = 0.0
        self.names = set()

    def ask(self):
        """False: nothing is left to ask."""
        if not self.sizes:
            return False
        size = self.sizes.pop()
        head = struct.pack("!8xHH", self.socket.getsockname()[1], size)
        self.asked = head + bytes(index % 251 for index in range(size - len(head)))
        self.since = time.monotonic()
        self.socket.send(self.asked)
        return True

    def take(self):
        """Whether the answer is the question's."""
        answer = self.socket.recv(65536)
        self.names.add(answer[:NAME_BYTES].decode(errors="replace").strip())
        return answer[NAME_BYTES:] == self.asked[NAME_BYTES:]


def _ask(source, target, port, flows, first_port, smallest, largest):
    """Every size from the smallest to the largest on every flow; one that loses an answer ends with that. Prints the
    counts, and the servers of each flow."""
    flows = [
        _Flow(source, int(first_port) + number, (target, int(port)), range(int(smallest), int(largest) + 1))
        for number in range(int(flows))
    ]
    waiting = selectors.DefaultSelector()
    for flow in flows:
        flow.ask()
        waiting.register(flow.socket, selectors.EVENT_READ, flow)
    counts = {"asked": len(flows), "answered": 0, "wrong": 0, "lost": 0}
    while waiting.get_map():
        for flow in [key.data for key, _ in waiting.select(0.1)]:
            counts["answered" if flow.take() else "wrong"] += 1
            if flow.ask():
                counts["asked"] += 1
            else:
                waiting.unregister(flow.socket)
        late = time.monotonic() - _TIMEOUT
        for flow in [key.data for key in waiting.get_map().values() if key.data.since < late]:
            counts["lost"] += 1
            waiting.unregister(flow.socket)
    servers = {str(int(first_port) + number): sorted(flow.names) for number, flow in enumerate(flows)}
    print(json.dumps({**counts, "servers": servers}))


class EchoServer:
    def __init__(self, server, service_addresses):
        """On the host of `server`, at its own addresses and the services'."""
        places = [(address, NAT_PORT) for address in server.addresses.values()]
        places += [(address, PORT) for address in service_addresses]
        output = pathlib.Path(server.directory) / "echo.out"
        with open(output, "wb") as log:
            words = [sys.executable, __file__, "serve", server.name, *(word for place in places for word in place)]
            self.child = server.namespace.spawn(*words, stdout=log, stderr=log)
        process.until(lambda: self._ready(output), f"the echo server on {server.name}, see {output}")

    def _ready(self, output):
        if self.child.poll() is not None:
            raise RuntimeError(f"the echo server ended: {output.read_text()}")
        return output.read_text().startswith(_READY)


def echo(namespace, source, target, sizes, flows=16, first_port=20_000):
    """Datagrams of all sizes, first and last included, on so many flows from `source`; the counts."""
    words = [source, target, PORT, flows, first_port, *sizes]
    return json.loads(namespace.run(sys.executable, __file__, "ask", *words).stdout)


if __name__ == "__main__":
    {"serve": _serve, "ask": _ask}[sys.argv[1]](*sys.argv[2:])
