"""systemd as the first process of a PID and mount namespace of its own, in the balancer's network: it runs our unit files
as they are, but for the program's path and the log."""

import os
import pathlib
import shutil
import signal

from harness import paths, process

SYSTEMD = pathlib.Path("/lib/systemd/systemd")
_UNITS = paths.ROOT / "deploy" / "systemd"
# Nothing else of the host's: no udev, no sysctl, no journal.
_EMPTY = ("sysinit.target", "basic.target", "shutdown.target", "network.target")

_BEGIN = """\
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
exec env container=lab SYSTEMD_UNIT_PATH={units} {systemd} --system --unit=lab.target --log-target=console
"""


class Supervisor:
    """Runs astil-dpdk@INSTANCE.service."""

    def __init__(self, balancer):
        self.balancer = balancer
        self.unit = f"astil-dpdk@{balancer.instance}.service"
        self.folder = pathlib.Path(balancer.directory) / "systemd"
        self.log_file = self.folder / "astil-dpdk.log"
        self.child = None

    def start(self):
        units = self.folder / "units"
        drop_in = units / "astil-dpdk@.service.d"
        drop_in.mkdir(parents=True, exist_ok=True)
        shutil.copy(_UNITS / "astil-dpdk@.service", units)
        program = f"{paths.program('astil-dpdk')} --instance %i"
        drop_in.joinpath("lab.conf").write_text(
            f"[Service]\nExecStart=\nExecStart={program}\nStandardOutput=append:{self.log_file}\n"
            f"StandardError=append:{self.log_file}\n"
        )
        for name in _EMPTY:
            units.joinpath(name).write_text(f"[Unit]\nDescription={name}\nDefaultDependencies=no\n")
        units.joinpath("lab.target").write_text(
            f"[Unit]\nDescription=The lab\nDefaultDependencies=no\nRequires={self.unit}\nAllowIsolate=yes\n"
        )
        begin = _BEGIN.format(units=units, systemd=SYSTEMD)
        apart = ["--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--ipc", "--uts", "--cgroup"]
        with open(self.folder / "systemd.log", "ab") as log:
            self.child = self.balancer.namespace.spawn(
                "unshare", *apart, "sh", "-c", begin, stdout=log, stderr=log, stdin=open(os.devnull, "rb")
            )

    def stop(self):
        """All of its namespace goes with it."""
        process.end(self.child, signal.SIGKILL)

    def pid(self):
        """Of the workers, as everybody else has it; None: none runs."""
        wanted = [paths.program("astil-dpdk"), "--instance", self.balancer.instance]
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = entry.joinpath("cmdline").read_bytes().decode().split("\0")[:-1]
            except OSError:
                continue
            if words == wanted:
                return int(entry.name)
        return None

    def wait_until_forwarding(self, other_than=None):
        """By a process that is another one than that, with every port open."""

        def forwards():
            shown = self.balancer.status()["ports"]
            return self.pid() not in (None, other_than) and shown and all(port["state"] == "open" for port in shown)

        process.until(forwards, "every port open", timeout=20)
