"""Packets as the wire carried them, and tshark as the judge of them."""

import contextlib
import os
import signal
import time

from harness import process

# dumpcap takes packets from the kernel this often, and drops what it has not taken when it is told to end.
_READ_INTERVAL = 0.25

_CHECKSUMS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]


class Capture:
    def __init__(self, file):
        self.file = file

    def rows(self, display_filter, *fields):
        """One list a packet. A field that occurs twice, outer and inner, comes as 'outer,inner'."""
        wanted = [word for field in fields for word in ("-e", field)]
        shown = process.run(["tshark", "-r", self.file, *_CHECKSUMS, "-Y", display_filter, "-T", "fields", *wanted])
        return [line.split("\t") for line in shown.stdout.splitlines()]

    def count(self, display_filter):
        return len(self.rows(display_filter, "frame.number"))

    def complaints(self):
        """What tshark finds wrong: bad checksums, malformed packets. Empty: nothing.

        Linux itself writes 0xffff for a TCP checksum of 0, which every receiver takes as right and tshark does not.
        """
        wrong = (
            "ip.checksum.status == Bad || (tcp.checksum.status == Bad && tcp.checksum != 0xffff) || _ws.malformed"
            " || ip.bogus_header_length"
        )
        return self.rows(wrong, "frame.number", "ip.src", "ip.dst", "_ws.col.Info")


@contextlib.contextmanager
def capture(namespace, interface, file, packet_filter="tcp or proto 4"):
    """Captures within the block; packets of the block's last statement are in the file."""
    ready, error = os.pipe()
    child = namespace.spawn("dumpcap", "-q", "-i", interface, "-f", packet_filter, "-w", file, stderr=error)
    os.close(error)
    with os.fdopen(ready) as messages:
        # dumpcap names its file once the interface is open.
        if not any("File:" in line for line in messages):
            raise RuntimeError(f"dumpcap on {interface} of {namespace.name} ended at once")
        try:
            yield Capture(file)
            time.sleep(2 * _READ_INTERVAL)
        finally:
            process.end(child, signal.SIGINT)
