"""Datagrams that leave in fragments, in an order of our choice, to a server of harness/echo.py. Run as a program on the
client's host; `ask` starts it there."""

import os
import select
import socket
import struct
import sys

if __name__ != "__main__":
    import json

    from harness.echo import NAME_BYTES, PORT

FIRST_FIRST, LAST_FIRST = "first-first", "last-first"
_PER_FRAGMENT = 1400  # a multiple of 8, with room for a tunnel's headers in 1500
_HOPS = 64
_FRAGMENT_HEADER = 44
_TIMEOUT = 3.0


def _sum(data):
    """RFC 1071's, over 16-bit words."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _datagram(ends, ports, data):
    """UDP with its checksum, which IPv6 does not do without (RFC 8200, section 8.1)."""
    length = 8 + len(data)
    pseudo = b"".join(ends) + struct.pack("!HH", socket.IPPROTO_UDP, length)
    checksum = 0xFFFF ^ _sum(pseudo + struct.pack("!HHH", *ports, length) + data)
    return struct.pack("!HHHH", *ports, length, checksum or 0xFFFF) + data


def _ipv4(ends, identification, offset, more, part):
    """RFC 791, section 3.2. The kernel fills in length and checksum."""
    place = (0x2000 if more else 0) | offset // 8
    return struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(part), identification, place, _HOPS, socket.IPPROTO_UDP, 0
    ) + b"".join(ends) + part  # fmt: skip


def _ipv6(ends, identification, offset, more, part):
    """RFC 8200, section 4.5."""
    header = struct.pack("!IHBB", 6 << 28, 8 + len(part), _FRAGMENT_HEADER, _HOPS) + b"".join(ends)
    return header + struct.pack("!BBHI", socket.IPPROTO_UDP, 0, offset | more, identification) + part


def _fragments(ends, ports, data, identification):
    datagram = _datagram(ends, ports, data)
    packet = _ipv4 if len(ends[0]) == 4 else _ipv6
    for offset in range(0, len(datagram), _PER_FRAGMENT):
        part = datagram[offset : offset + _PER_FRAGMENT]
        yield packet(ends, identification, offset, offset + len(part) < len(datagram), part)


def _ask(source, target, port, order, times, size, name_bytes):
    """Asks one datagram after the other, each from a port of its own; prints how many came back whole."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ends = [socket.inet_pton(family, end) for end in (source, target)]
    identification = 1000 if order == FIRST_FIRST else 2000  # of no datagram that the balancer knows
    whole = 0
    for number in range(int(times)):
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.bind((source, 0))
            data = os.urandom(int(size))
            packets = list(_fragments(ends, (client.getsockname()[1], int(port)), data, identification + number))
            for packet in packets if order == FIRST_FIRST else reversed(packets):
                raw.sendto(packet, (target, 0))
            if select.select([client], [], [], _TIMEOUT)[0]:
                whole += client.recv(65535)[int(name_bytes) :] == data[int(name_bytes) :]
    print(whole)


def ask(namespace, source, target, order, times, size):
    """How many of so many datagrams of so many bytes came back whole."""
    words = [source, target, PORT, order, times, size, NAME_BYTES]
    return json.loads(namespace.run(sys.executable, __file__, *words).stdout)


if __name__ == "__main__":
    _ask(*sys.argv[1:])
