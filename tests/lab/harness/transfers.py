"""Whole files through a service, and whether every byte arrived."""

import hashlib
import shlex


def digest(file):
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _from(source):
    return [] if source is None else ["--interface", source]


def download(lab, way, file, wanted, timeout=30, source=None):
    """Fetches the file of this name. Returns what went wrong, or nothing; `wanted` is the digest that it must have.
    `source` is the client's address, where it matters."""
    words = ["curl", "--silent", "--show-error", "--max-time", timeout, *_from(source), way.url("/" + file.name)]
    command = f"{shlex.join(map(str, words))} | sha256sum"
    done = lab.traffic.namespace.run("bash", "-c", f"set -o pipefail; {command}", check=False)
    if done.returncode != 0:
        return f"download: {done.stderr.strip()}"
    return "" if done.stdout.split()[0] == wanted else f"download: the digest is {done.stdout}, not {wanted}"


def upload(lab, way, file, wanted, timeout=30, source=None):
    """Sends the file, and looks at what the server made of it."""
    done = lab.traffic.curl(
        way.url(f"/put/{way.name}"), "--max-time", timeout, *_from(source), "--upload-file", file, "-H", "Expect:",
        "-o", "/dev/null", "-w", "%{http_code} %header{x-backend}", check=False,
    )  # fmt: skip
    status, _, server = done.stdout.partition(" ")
    if done.returncode != 0 or status not in ("201", "204"):
        return f"upload: {done.stdout} {done.stderr.strip()}"
    received = lab.servers[server].directory / "put" / way.name
    there = digest(received)
    received.unlink()
    return "" if there == wanted else f"upload: the digest is {there}, not {wanted}"


def wrong_transfers(lab, way, file, wanted, **options):
    """Of one download and one upload, those that went wrong."""
    return [wrong for transfer in (download, upload) if (wrong := transfer(lab, way, file, wanted, **options))]
