"""Clients of the API over the network that wish it ill, each kind in threads of its own until standard input ends. Run in
a host's namespace: address, port, certificate, a read-only token. Prints how often each kind did what it does."""

import collections
import json
import secrets
import socket
import ssl
import sys
import threading

_PATIENCE = 30


class _Attack:
    def __init__(self, address, port, certificate, token):
        self.to = (address, int(port))
        self.context = ssl.create_default_context(cafile=certificate)
        self.token = token
        self.over = threading.Event()
        self.done = collections.Counter()

    def tcp(self):
        return socket.create_connection(self.to, _PATIENCE)

    def tls(self, receive_buffer=None):
        plain = socket.socket()
        plain.settimeout(_PATIENCE)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect(self.to)
        return self.context.wrap_socket(plain, server_hostname=self.to[0])

    def head(self, path, token, more=""):
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n".encode()

    def say_nothing(self, held):
        held.append(self.tcp())

    def shake_hands_by_halves(self, held):
        held.append(self.tcp())
        held[-1].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")

    def half_a_request(self, held):
        held.append(self.tls())
        held[-1].sendall(b"GET /v1/status HTTP/1.1\r\nHost:")

    def half_closed(self, held):
        held.append(self.tls())
        held[-1].sendall(self.head("/v1/status", self.token)[:-2])
        socket.socket.shutdown(held[-1], socket.SHUT_WR)

    def huge_head(self, held):
        with self.tls() as stream:
            stream.sendall(self.head("/v1/status", self.token, "".join(f"X-{i}: {'a' * 1000}\r\n" for i in range(64))))
            if b" 431 " in stream.recv(4096):
                self.done["refused"] += 1

    def guess(self, held):
        with self.tls() as stream:
            for _ in range(20):
                stream.sendall(self.head("/v1/status", secrets.token_hex(32)))
                if b" 401 " not in stream.recv(4096):
                    self.done["guessed"] += 1

    def take_no_answer(self, held):
        held.append(self.tls(receive_buffer=2048))
        held[-1].sendall(self.head("/metrics", self.token) * 50)

    def follow(self, held):
        held.append(self.tls())
        held[-1].sendall(self.head("/v1/events", self.token))

    def keep_at(self, kind):
        held = []
        while not self.over.wait(0.25):  # together fewer than the handshakes that there are in a second
            try:
                getattr(self, kind)(held)
                self.done[kind] += 1
            except OSError:
                self.done[f"{kind} cut off"] += 1
            if len(held) > 40:
                held.pop(0).close()


def main(*words):
    attack = _Attack(*words)
    kinds = [
        "say_nothing", "shake_hands_by_halves", "half_a_request", "half_closed", "huge_head", "guess", "take_no_answer",
        "follow",
    ]  # fmt: skip
    threads = [threading.Thread(target=attack.keep_at, args=(kind,), daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    attack.over.set()
    print(json.dumps(attack.done))


if __name__ == "__main__":
    main(*sys.argv[1:])
