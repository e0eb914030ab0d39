"""A small name server for discovery: it answers what a file says at the moment, over UDP. Run as a program in a host's
namespace; `NameServer` starts it and changes what it says."""

import json
import pathlib
import socket
import struct
import subprocess
import sys

_A = 1
_TYPES = {_A: "A", 28: "AAAA", 33: "SRV"}


class NameServer:
    """`records` by type and name: {"A web.lab.": [[ttl, "10.0.0.11"]], "SRV _http._tcp.lab.": [[ttl, 0, 5, 8080, "b1.lab."]]}

    With "fail" it says SERVFAIL. With "forged", an address, there come before each answer others with that address: with another
    id, with another question, and from elsewhere. With "hollow" its records have no data."""

    def __init__(self, namespace, directory, records, port=5301):
        self.file = pathlib.Path(directory) / "names.json"
        self.endpoint = f"127.0.0.1:{port}"
        self.say(records)
        self.child = namespace.spawn("python3", __file__, str(self.file), str(port), stdout=subprocess.PIPE)
        self.child.stdout.readline()

    def say(self, records):
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(records))
        new.replace(self.file)


def _name_bytes(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _data_of(kind, fields):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, fields[0])
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, fields[0])
    return struct.pack("!HHH", *fields[:3]) + _name_bytes(fields[3])


def _answer(query, records):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    kind = _TYPES.get(struct.unpack("!H", query[at + 1 : at + 3])[0], "?")
    name = ".".join(labels).lower() + "."
    found = records.get(f"{kind} {name}", [])
    known = any(key.endswith(" " + name) for key in records)
    code = 0 if known else 3
    if records.get("fail"):
        found, code = [], 2
    body = b""
    for ttl, *fields in found:
        data = b"" if records.get("hollow") else _data_of(kind, fields)
        number = next(number for number, word in _TYPES.items() if word == kind)
        body += b"\xc0\x0c" + struct.pack("!HHIH", number, 1, ttl, len(data)) + data
    return query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0) + question + body


def _forge(listening, query, sender, host):
    record = b"\xc0\x0c" + struct.pack("!HHIH", _A, 1, 600, 4) + socket.inet_aton(host)
    forged = query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0) + query[12:] + record
    listening.sendto(bytes([forged[0] ^ 1]) + forged[1:], sender)
    listening.sendto(forged[:13] + bytes([forged[13] ^ 1]) + forged[14:], sender)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(forged, sender)


def _serve(file, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", port))
        print("there", flush=True)
        while True:
            query, sender = listening.recvfrom(4096)
            records = json.loads(pathlib.Path(file).read_text())
            if records.get("forged"):
                _forge(listening, query, sender, records["forged"])
            listening.sendto(_answer(query, records), sender)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
