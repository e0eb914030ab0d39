"""Records VRRP packets that an interface carries and sends them again, as they were: run in a namespace, with the interface
and how many. Whoever is behind the interface hears each twice."""

import socket
import sys


def main(interface, count):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    wire.settimeout(10)
    recorded = []
    while len(recorded) < count:
        frame = wire.recv(2048)
        if frame[12:14] == b"\x08\x00" and frame[23] == 112:
            recorded.append(frame)
    for frame in recorded:
        wire.send(frame)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
