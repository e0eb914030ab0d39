"""Packets as the wire carried them, and tshark as the judge of them."""

import contextlib
import os
import signal
import time

from harness import process

# dumpcap takes packets from the kernel this often, and drops what it has not taken when it is told to end.
_READ_INTERVAL = 0.25

# What carries connections, tunnelled or not.
EVERYTHING = "tcp or udp or proto 4 or proto 41"
# What tells a sender that its packets are too long, as it is on the wire: in a tunnel or not.
ERRORS = "icmp or icmp6 or proto 4 or proto 41 or udp port 6080"
TOO_LONG = "(icmp.type == 3 && icmp.code == 4) || icmpv6.type == 2"

_CHECKSUMS = [word for layer in ("ip", "tcp", "udp") for word in ("-o", f"{layer}.check_checksum:TRUE")]
# Behind GUE's UDP header, variant 1, stands an IP packet of either version.
_GUE = ["-d", "udp.port==6080,ip"]

# An ICMP error quotes only a part of its packet, of which no checksum can be right.
_WHOLE = "!icmp && !icmpv6"
_WRONG = (
    *(f"{layer}.checksum.status == Bad" for layer in ("ip", "icmp", "icmpv6")),
    f"(udp.checksum.status == Bad && {_WHOLE})",
    # Linux itself writes 0xffff for a TCP checksum of 0, which every receiver takes as right and tshark does not.
    f"(tcp.checksum.status == Bad && tcp.checksum != 0xffff && {_WHOLE})",
    *("_ws.malformed", "ip.bogus_header_length", "ip.bogus_ip_length", "ip.bogus_ip_version"),
    *("ipv6.bogus_ipv6_version", "ipv6.invalid_header", "udp.length.bad"),
)


class Capture:
    """A file of packets. One whose writer was killed may end in the middle of a packet: the ones before count."""

    def __init__(self, file, cut_short=False):
        self.file = file
        self.cut_short = cut_short

    def rows(self, display_filter, *fields):
        """One list a packet. A field that occurs twice, outer and inner, comes as 'outer,inner'."""
        wanted = [word for field in fields for word in ("-e", field)]
        shown = process.run(
            ["tshark", "-n", "-r", self.file, *_CHECKSUMS, *_GUE, "-Y", display_filter, "-T", "fields", *wanted],
            check=False,
        )
        is_read = shown.returncode == 0 or (self.cut_short and "cut short in the middle of a packet" in shown.stderr)
        if not is_read:
            raise RuntimeError(f"tshark, of {self.file}: exit status {shown.returncode}: {shown.stderr}")
        return [line.split("\t") for line in shown.stdout.splitlines()]

    def packets(self, display_filter, *fields):
        """One dictionary a packet: each field's values, the outermost header's first."""
        return [
            {field: text.split(",") if text else [] for field, text in zip(fields, row)}
            for row in self.rows(display_filter, *fields)
        ]

    def count(self, display_filter):
        return len(self.rows(display_filter, "frame.number"))

    def complaints(self):
        """What tshark finds wrong: bad checksums, malformed packets. Empty: nothing. It takes a second or so."""
        fields = ("frame.number", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "_ws.col.Info")
        return self.rows(" || ".join(_WRONG), *fields)


@contextlib.contextmanager
def capture(namespace, interface, file, packet_filter=EVERYTHING):
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
