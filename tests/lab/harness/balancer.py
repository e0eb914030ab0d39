"""The balancer under test: its daemon, started and ended in every way, and the command line against it."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import time

from harness import configuration, paths, process


class Balancer:
    def __init__(self, namespace, instance, directory):
        self.namespace = namespace
        self.instance = instance
        self.directory = pathlib.Path(directory)
        self.config_file = self.directory / "astil.yaml"
        self.log_file = self.directory / "astild.log"
        self.daemon = None
        self.environment = {}

    def write(self, config):
        """Takes a dictionary, or the text of a file."""
        text = config if isinstance(config, str) else configuration.to_yaml(config) + "\n"
        self.config_file.write_text(text)
        return self.config_file

    def start(self, config=None, program="astild", meanwhile=lambda: None):
        """Starts the daemon and returns the seconds until it said that it is ready. `meanwhile` is done before that."""
        if config is not None:
            self.write(config)
        address = self.directory / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.settimeout(0.02)
            begun = time.monotonic()
            self.daemon = self.spawn(program, NOTIFY_SOCKET=str(address))
            meanwhile()
            self._await_ready(notify, begun + 30)
            return time.monotonic() - begun

    def spawn(self, program="astild", config_file=None, **environment):
        """Starts the daemon without waiting for anything."""
        with open(self.log_file, "ab") as log:
            return self.namespace.spawn(
                paths.program(program),
                "--config",
                config_file or self.config_file,
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(self.directory), **self.environment, **environment},
            )

    def _await_ready(self, notify, deadline):
        while True:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except socket.timeout:
                if self.daemon.poll() is not None:
                    status = self.daemon.returncode
                    raise RuntimeError(f"astild ended with status {status}, see {self.log_file}") from None
                if time.monotonic() > deadline:
                    raise TimeoutError(f"astild did not become ready, see {self.log_file}") from None

    def crash(self):
        process.end(self.daemon, signal.SIGKILL)

    def stop(self):
        """As systemd would. Returns the exit status."""
        return process.end(self.daemon, signal.SIGTERM)

    def astil(self, *words, check=True, **options):
        """Runs the command line against this balancer."""
        command = [paths.program("astil"), "--instance", self.instance, *words]
        return self.namespace.run(*command, check=check, **options)

    def query(self, *words):
        return json.loads(self.astil(*words, "-o", "json").stdout)

    def status(self):
        return self.query("status")

    def apply(self, config):
        return self.query("apply", str(self.write(config)))

    def trace(self, source, target, protocol="tcp"):
        return self.query("trace", "--from", source, "--to", target, "--protocol", protocol)

    def backends(self, service):
        """The service's backends by name, as the status shows them."""
        services = {shown["name"]: shown for shown in self.status()["services"]}
        return {shown["name"]: shown for shown in services[service]["backends"]}

    def wait_until_in_rotation(self, *names, service=None, timeout=15.0):
        """Until the named backends (none named: all) get new flows and have a neighbour's address, in every service."""

        def reached():
            for shown in self.status()["services"]:
                if service is not None and shown["name"] != service:
                    continue
                for backend in shown["backends"]:
                    if (not names or backend["name"] in names) and not usable(backend):
                        return False
            return True

        process.until(reached, f"{', '.join(names) or 'every backend'} in rotation", timeout)

    def wait_until_out_of_rotation(self, name, timeout=15.0):
        def reached():
            shown = [backend for service in self.status()["services"] for backend in service["backends"]]
            return not any(backend["in_rotation"] for backend in shown if backend["name"] == name)

        process.until(reached, f"{name} out of rotation", timeout)

    def ring_changes(self):
        """Every change of a ring that the log tells of: the service, the ring's slots, and how many moved."""
        told = re.findall(r"ring changed service=(\S+) slots=(\d+) moved=(\d+)", self.log_file.read_text())
        return [{"service": service, "slots": int(slots), "moved": int(moved)} for service, slots, moved in told]

    def resident_anonymous_kib(self):
        return process.anonymous_kib(self.daemon.pid)

    def pins(self):
        folder = paths.PINS / self.instance
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def programs(self):
        """The ids of the XDP programs by interface, of those interfaces that have one."""
        shown = json.loads(process.run(["ip", "-n", self.namespace.name, "-j", "link"]).stdout)
        return {link["ifname"]: link["xdp"]["prog"]["id"] for link in shown if "xdp" in link and "prog" in link["xdp"]}

    def addresses(self):
        """Every address that the balancer's host has."""
        shown = json.loads(process.run(["ip", "-n", self.namespace.name, "-j", "address"]).stdout)
        return {entry["local"] for link in shown for entry in link["addr_info"] if "local" in entry}


def usable(backend):
    return backend["in_rotation"] and bool(backend["next_hop"]["mac"])


def mount_bpffs():
    """Pins need it; a host without systemd has it not mounted."""
    if shutil.which("mountpoint") and process.run(["mountpoint", "-q", paths.BPFFS], check=False).returncode == 0:
        return
    process.run(["mount", "-t", "bpf", "bpf", paths.BPFFS])
