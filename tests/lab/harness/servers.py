"""What runs on a backend's host: a real nginx, the service addresses, and the agent that decapsulates for `tunnel`.

The nginx says which backend answered, in a header and in the body. Ports 80 (for `tunnel` and `direct`, which keep the
port) and 8080 (for `nat`) give the same. `/1m` is a file of 1 MiB, `/slow` the same at 64 KiB/s.
"""

import json
import pathlib

from harness import paths, process

_MEBIBYTE = 1 << 20

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
  client_max_body_size 1g;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 80 backlog=65535;
    listen 8080 backlog=65535;
    add_header X-Backend {name};
    add_header X-Client $remote_addr:$remote_port;
    root {files};
    location / {{ return 200 "{name}\\n"; }}
    location /1m {{ }}
    location /slow {{ alias {files}/1m; limit_rate 64k; }}
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


class Server:
    """One backend's host, and what was started on it."""

    def __init__(self, name, address, namespace, directory):
        self.name = name
        self.address = address
        self.namespace = namespace
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.web = None
        self.agent = None

    def start_web(self):
        config = self.directory / "nginx.conf"
        config.write_text(_NGINX.format(name=self.name, directory=self.directory, files=files()))
        errors = open(self.directory / "nginx.err", "ab")
        words = ["nginx", "-p", self.directory, "-c", config, "-e", self.directory / "nginx.log"]
        self.web = self.namespace.spawn(*words, stdout=errors, stderr=errors)
        errors.close()
        process.until(lambda: self._listening(8080), f"nginx on {self.name}, see {errors.name}")

    def kill_web(self):
        """As a crash does it: the kernel closes its connections, and refuses new ones."""
        process.end(self.web)

    def _listening(self, port):
        if self.web.poll() is not None:
            raise RuntimeError(f"nginx on {self.name} ended, see {self.directory / 'nginx.log'}")
        # A process's /proc/PID/net is that of its own namespace.
        sockets = pathlib.Path(f"/proc/{self.web.pid}/net/tcp").read_text().splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in sockets)

    def hold_direct(self, address):
        """Sets up a service address for `direct`: ours to answer for, not ours to announce by ARP."""
        self.namespace.sysctl("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        self.namespace.ip(f"address replace {address}/32 dev lo")

    def start_agent(self, address, interface="eth0"):
        """Decapsulation, and the service address for `tunnel`. Returns the process."""
        log = open(self.directory / "agent.log", "ab")
        agent = self.namespace.spawn(
            # What it notes of the host would otherwise stay in /run when the lab kills it.
            *("env", f"RUNTIME_DIRECTORY={self.directory}/agent", paths.program("astil-agent")),
            *("--interface", interface, "--address", address),
            stdout=log,
            stderr=log,
        )
        log.close()
        process.until(
            lambda: self._agent_works(agent, address, interface), f"astil-agent on {self.name}, see {log.name}"
        )
        return agent

    def _agent_works(self, agent, address, interface):
        if agent.poll() is not None:
            raise RuntimeError(f"astil-agent on {self.name} ended:\n{(self.directory / 'agent.log').read_text()}")
        return self.holds(address) and "xdp" in self._interfaces()[interface]

    def holds(self, address):
        """Is the address on `lo`?"""
        return address in [entry.get("local") for entry in self._interfaces()["lo"]["addr_info"]]

    def _interfaces(self):
        """By name, as `ip` knows them."""
        shown = process.run(["ip", "-n", self.namespace.name, "-j", "address"]).stdout
        return {interface["ifname"]: interface for interface in json.loads(shown)}
