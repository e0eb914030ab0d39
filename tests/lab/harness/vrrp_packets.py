"""Sends VRRP packets of every wrong kind, as an attacker on the network would: run in a namespace, with the destination, the
VRID and the advertised address. Prints what it sent, a line each: the reason that the receiver should have, and its name."""

import socket
import struct
import sys


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advert(source, to, vrid, address, version=3, kind=1, priority=254, count=1, interval=100, right=True):
    head = struct.pack("!BBBBHH", version << 4 | kind, vrid, priority, count, interval, 0)
    body = head + socket.inet_aton(address)
    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack("!HH", 112, len(body))
    total = checksum(pseudo + body) ^ (0 if right else 0x5555)
    return body[:6] + struct.pack("!H", total) + body[8:]


def main(source, to, vrid, address):
    vrid = int(vrid)
    make = lambda **changes: advert(source, to, vrid, address, **changes)
    packets = [
        ("ttl", 254, make()),
        ("ttl", 1, make()),
        ("version", 255, make(version=2)),
        ("type", 255, make(kind=2)),
        ("truncated", 255, make(count=2)),
        ("truncated", 255, make()[:7]),
        ("checksum", 255, make(right=False)),
        ("interval", 255, make(interval=0)),
        ("unknown_router", 255, advert(source, to, vrid ^ 1, address)),
    ]
    if "--unauthenticated" in sys.argv:
        packets.append(("unauthenticated", 255, make()))
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    for reason, ttl, packet in packets:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sender.sendto(packet, (to, 0))
        print(reason)


if __name__ == "__main__":
    main(*sys.argv[1:5])
