"""Where things are: the checkout, what it built, and where the lab keeps its records."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
BIN = pathlib.Path(os.environ.get("ASTIL_BIN", BUILD / "release" / "bin"))
RESULTS = BUILD / "lab-results.jsonl"
LOGS = BUILD / "lab"

OWNERS = pathlib.Path("/run/astil-lab")
SOCKETS = pathlib.Path("/run/astil")
BPFFS = pathlib.Path("/sys/fs/bpf")
PINS = BPFFS / "astil"
SHARED = pathlib.Path("/dev/shm/astil")
NAMESPACES = pathlib.Path("/run/netns")


def program(name):
    """The path of a built program; a clear error when it is not there."""
    path = BIN / name
    if not path.exists():
        build = "cmake --preset release && cmake --build --preset release"
        raise FileNotFoundError(f"{path} is not built; build it with: {build}")
    return str(path)
