"""The wall's clock as the daemon sees it, moved without moving the machine's."""

import os
import pathlib
import struct

from harness import paths, process


class WallClock:
    """For a balancer that is not started yet."""

    def __init__(self, balancer, directory):
        self.file = pathlib.Path(directory) / "clock-shift"
        self.move_to(0)
        balancer.environment = {
            **balancer.environment,
            "LD_PRELOAD": str(_library()),
            "CLOCK_SHIFT": str(self.file),
        }

    def move_to(self, seconds):
        """So many seconds from the machine's clock, at once."""
        if not self.file.exists():
            self.file.write_bytes(struct.pack("=q", seconds))
            return
        with open(self.file, "r+b") as file:
            file.write(struct.pack("=q", seconds))


def _library():
    source = paths.ROOT / "tests" / "lab" / "harness" / "clock_shift.c"
    compiled = paths.LOGS / "clock_shift.so"
    if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
        compiled.parent.mkdir(parents=True, exist_ok=True)
        own = compiled.with_suffix(f".{os.getpid()}.so")
        process.run(["cc", "-shared", "-fPIC", "-O2", "-o", own, source])
        own.replace(compiled)
    return compiled
