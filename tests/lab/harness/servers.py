"""What runs on a backend's host: a real nginx, the service addresses, and the agent that decapsulates for `tunnel`.

The nginx says which backend answered, in a header and in the body. It gives the same at ports 80 (for `tunnel` and
`direct`, which keep the port), 8080 (for `nat`) and 8081, of both versions of IP. `/1m` and `/1g-...` are files of 1 MiB
and 1 GiB, `/slow` is the first at 64 KiB/s; what is PUT to `/put/NAME` is the file `put/NAME` in the server's folder.
"""

import contextlib
import json
import os
import pathlib
import random

from harness import paths, process
from harness.topology import backend_address, backend_address_6

_MEBIBYTE = 1 << 20
_WEB_PORTS = (80, 8080, 8081)
TLS_PORT = 8443

_NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
worker_rlimit_nofile 200000;
events {{ worker_connections 65536; }}
http {{
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 100000000;
  client_max_body_size 2g;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen [::]:80 backlog=65535 ipv6only=on;
    listen [::]:8080 backlog=65535 ipv6only=on;
    listen [::]:8081 backlog=65535 ipv6only=on;
    listen 80 backlog=65535;
    listen 8080 backlog=65535;
    listen 8081 backlog=65535;
    add_header X-Backend {name};
    add_header X-Client $remote_addr:$remote_port;
    root {files};
    location / {{ return 200 "{name}\\n"; }}
    location /1m {{ }}
    location /1g {{ }}
    location /slow {{ alias {files}/1m; limit_rate 64k; }}
    location /put/ {{ root {directory}; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""

# One more nginx, for who asks for it.
_TLS_NGINX = """\
daemon off;
master_process off;
pid {directory}/tls.pid;
error_log {directory}/tls.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen {port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ return 200 "{name} by TLS\\n"; }}
  }}
}}
"""


def files():
    """The folder of files that every backend serves."""
    folder = paths.LOGS / "files"
    folder.mkdir(parents=True, exist_ok=True)
    large = folder / "1m"
    if not large.exists() or large.stat().st_size != _MEBIBYTE:
        large.write_bytes(bytes(index * 7 % 251 for index in range(_MEBIBYTE)))
    return folder


@contextlib.contextmanager
def gibibyte():
    """A file of 1 GiB that servers give by its name; it is there within the block, and nobody else's: cases run side by
    side. No two of its mebibytes are alike."""
    for left in files().glob("1g*"):  # by a run that was killed
        if not pathlib.Path("/proc", left.name.rpartition("-")[2]).exists():
            left.unlink(missing_ok=True)
    large = files() / f"1g-{os.getpid()}"
    mebibyte = random.Random(1).randbytes(_MEBIBYTE - 8)
    try:
        with open(large, "wb") as file:
            for number in range(1024):
                file.write(number.to_bytes(8, "big") + mebibyte)
        yield large
    finally:
        large.unlink(missing_ok=True)


def _listens(sockets, ports):
    """Is a TCP socket listening on each port, as the table of /proc/net says?"""
    lines = [line.split() for line in sockets.read_text().splitlines()[1:]]
    return {f"{port:04X}" for port in ports} <= {line[1].split(":")[1] for line in lines if line[3] == "0A"}


class Server:
    """One backend's host, and what was started on it."""

    def __init__(self, number, namespace, directory):
        self.name = name = f"b{number}"
        self.addresses = {4: backend_address(number), 6: backend_address_6(number)}
        self.namespace = namespace
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.web = None
        self.agent = None

    @property
    def address(self):
        """The one of IPv4."""
        return self.addresses[4]

    def start_web(self):
        config = self.directory / "nginx.conf"
        config.write_text(_NGINX.format(name=self.name, directory=self.directory, files=files()))
        errors = open(self.directory / "nginx.err", "ab")
        words = ["nginx", "-p", self.directory, "-c", config, "-e", self.directory / "nginx.log"]
        self.web = self.namespace.spawn(*words, stdout=errors, stderr=errors)
        errors.close()
        process.until(lambda: self._listening("tcp", "tcp6"), f"nginx on {self.name}, see {errors.name}")

    def start_tls(self, certificate, key):
        """The same by TLS, at TLS_PORT of IPv4, as another nginx."""
        config = self.directory / "tls.conf"
        places = {"directory": self.directory, "certificate": certificate, "key": key}
        config.write_text(_TLS_NGINX.format(name=self.name, port=TLS_PORT, **places))
        log = self.directory / "tls.log"
        web = self.namespace.spawn("nginx", "-p", self.directory, "-c", config, "-e", log)
        table = pathlib.Path(f"/proc/{web.pid}/net/tcp")
        process.until(lambda: _listens(table, [TLS_PORT]), f"nginx by TLS on {self.name}, see {log}")

    def kill_web(self):
        """As a crash does it: the kernel closes its connections, and refuses new ones."""
        process.end(self.web)

    def _listening(self, *tables):
        if self.web.poll() is not None:
            raise RuntimeError(f"nginx on {self.name} ended, see {self.directory / 'nginx.log'}")
        # A process's /proc/PID/net is that of its own namespace.
        return all(_listens(pathlib.Path(f"/proc/{self.web.pid}/net/{table}"), _WEB_PORTS) for table in tables)

    def hold_direct(self, *addresses):
        """Sets up service addresses for `direct`: ours to answer for, not ours to announce. Of IPv6 addresses on `lo`
        the kernel announces none on other interfaces."""
        self.namespace.sysctl("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        self.namespace.hold("lo", *(f"{address}/{128 if ':' in address else 32}" for address in addresses))

    def start_agent(self, *addresses, interface="eth0"):
        """Decapsulation, and the service addresses for `tunnel`. Returns the process."""
        log = open(self.directory / "agent.log", "ab")
        agent = self.namespace.spawn(
            # What it notes of the host would otherwise stay in /run when the lab kills it.
            *("env", f"RUNTIME_DIRECTORY={self.directory}/agent", paths.program("astil-agent")),
            *("--interface", interface, *(word for address in addresses for word in ("--address", address))),
            stdout=log,
            stderr=log,
        )
        log.close()
        process.until(
            lambda: self._agent_works(agent, addresses, interface),
            f"astil-agent on {self.name}, see {log.name}",
            timeout=20.0,  # the kernel's thread for IPv6 addresses may have much to do
        )
        return agent

    def _agent_works(self, agent, addresses, interface):
        if agent.poll() is not None:
            raise RuntimeError(f"astil-agent on {self.name} ended:\n{(self.directory / 'agent.log').read_text()}")
        return self.holds(*addresses) and "xdp" in self._interfaces()[interface]

    def holds(self, *addresses):
        """Are the addresses on `lo`?"""
        return set(addresses) <= {entry.get("local") for entry in self._interfaces()["lo"]["addr_info"]}

    def _interfaces(self):
        """By name, as `ip` knows them."""
        shown = process.run(["ip", "-n", self.namespace.name, "-j", "address"]).stdout
        return {interface["ifname"]: interface for interface in json.loads(shown)}
