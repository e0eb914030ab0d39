"""A real name server (nsd) on a backend's host. `who.lab.test` is a TXT record that names the backend, `large.lab.test`
one whose answer is as large as a datagram of QUIC."""

import pathlib

from harness import process

PORT = 53
NAT_PORT = 5353
LARGE = 1200

_CONFIG = """\
server:
  {addresses}
  username: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/nsd.pid"
  logfile: "{directory}/nsd.log"
  xfrdfile: ""
  zonelistfile: "{directory}/zone.list"
  server-count: 1
  ipv4-edns-size: 4096
  ipv6-edns-size: 4096
  database: ""
remote-control:
  control-enable: no
zone:
  name: lab.test
  zonefile: lab.test.zone
"""

_ZONE = """\
$TTL 1
@ SOA ns.lab.test. admin.lab.test. 1 3600 600 86400 1
@ NS ns.lab.test.
ns A 192.0.2.1
who TXT "{name}"
large TXT {large}
"""


class NameServer:
    def __init__(self, server, service_addresses):
        """On the host of `server`, at its own addresses and the services': an answer must come from where it was asked."""
        directory = pathlib.Path(server.directory)
        own = server.addresses.values()
        places = [f"{address}@{port}" for address in own for port in (NAT_PORT, PORT)]
        places += [f"{address}@{PORT}" for address in service_addresses]
        config = directory / "nsd.conf"
        config.write_text(
            _CONFIG.format(addresses="\n  ".join(f"ip-address: {place}" for place in places), directory=directory)
        )
        text = " ".join('"' + "x" * 240 + '"' for _ in range(LARGE // 240))
        (directory / "lab.test.zone").write_text(_ZONE.format(name=server.name, large=text))
        self.log = directory / "nsd.out"
        with open(self.log, "ab") as output:
            self.child = server.namespace.spawn("nsd", "-d", "-c", config, stdout=output, stderr=output)
        process.until(lambda: self._answers(server), f"nsd on {server.name}, see {self.log}")

    def _answers(self, server):
        if self.child.poll() is not None:
            raise RuntimeError(f"nsd on {server.name} ended, see {self.log}")
        return ask(server.namespace, server.address) == [server.name]

    def stop(self):
        process.end(self.child)


def ask(namespace, address, name="who.lab.test", times=1, source=None):
    """What dig is told, in order, of as many queries as `times`, each from a port of its own unless `source`, which is
    an ADDRESS or ADDRESS#PORT, names one. A query without an answer gives nothing."""
    words = ["dig", f"@{address}", "+short", "+tries=1", "+time=2", "+notcp", "+bufsize=4096"]
    if source is not None:
        words += ["-b", source]
    shown = namespace.run(*words, *(word for _ in range(times) for word in (name, "TXT")), check=False).stdout
    return [line.strip().strip('"') for line in shown.splitlines() if line and not line.startswith(";")]
