"""Where things are: the checkout, what it built, and where the lab keeps its records."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
BIN = [pathlib.Path(folder) for folder in os.environ.get("ASTIL_BIN", str(BUILD / "release" / "bin")).split(":")]
RESULTS = BUILD / "lab-results.jsonl"
LOGS = BUILD / "lab"

OWNERS = pathlib.Path("/run/astil-lab")
SOCKETS = pathlib.Path("/run/astil")
BPFFS = pathlib.Path("/sys/fs/bpf")
PINS = BPFFS / "astil"
SHARED = pathlib.Path("/dev/shm/astil")
NAMESPACES = pathlib.Path("/run/netns")


def program(name):
    """The path of a built program, in the first folder that has it; a clear error when it is not there."""
    for folder in BIN:
        if (folder / name).exists():
            return str(folder / name)
    build = "cmake --preset release && cmake --build --preset release"
    raise FileNotFoundError(f"{BIN[-1] / name} is not built; build it with: {build}")
