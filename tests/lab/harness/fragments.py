"""Run on a host of the lab: `fragments.py echo PORT ADDRESS...` sends every datagram back; `fragments.py ask ADDRESS PORT
ORDER TIMES BYTES` asks as often by datagrams that come in fragments, in the order `first-first` or `last-first`, and
prints how many came back whole."""

import os
import selectors
import socket
import struct
import sys

_SOURCE = "10.1.0.10"
_PER_FRAGMENT = 1400  # a multiple of 8


def _echo(port, addresses):
    selector = selectors.DefaultSelector()
    for address in addresses:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address, int(port)))
        selector.register(server, selectors.EVENT_READ)
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            data, client = key.fileobj.recvfrom(65535)
            key.fileobj.sendto(data, client)


def _fragments(source_port, address, port, data, identification):
    """IPv4 packets (RFC 791, section 3.2) that make up one datagram without a UDP checksum."""
    datagram = struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data
    for offset in range(0, len(datagram), _PER_FRAGMENT):
        part = datagram[offset : offset + _PER_FRAGMENT]
        more = 0x2000 if offset + len(part) < len(datagram) else 0
        yield struct.pack(
            "!BBHHHBBH4s4s",
            *(0x45, 0, 20 + len(part), identification, more | (offset // 8), 64, socket.IPPROTO_UDP, 0),
            *(socket.inet_aton(_SOURCE), socket.inet_aton(address)),
        ) + part


def _ask(address, port, order, times, size):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    whole = 0
    identification = 1000 if order == "first-first" else 2000  # of no datagram that the balancer knows
    for number in range(times):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind((_SOURCE, 0))
        client.settimeout(3)
        data = os.urandom(size)
        packets = list(_fragments(client.getsockname()[1], address, port, data, identification + number))
        for packet in packets if order == "first-first" else reversed(packets):
            raw.sendto(packet, (address, 0))
        try:
            whole += client.recv(65535) == data
        except TimeoutError:
            pass
        client.close()
    print(whole)


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        _echo(sys.argv[2], sys.argv[3:])
    else:
        _ask(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
