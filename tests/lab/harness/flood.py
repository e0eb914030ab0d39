"""A flood from the client's host: lab_flood in the background, from sources that nobody has."""

import json
import subprocess

from harness import paths

KINDS = ("syns", "pairs", "acks")
_FRAMES = {"syns": 1, "pairs": 2, "acks": 1}  # of each flow


class Flood:
    def __init__(self, lab, way, kind, flows, first):
        """So many flows, whose sources are those of the numbers from `first` on."""
        (front,) = [each for each in lab.balancer.status()["interfaces"] if each["name"] == "eth0"]
        self.frames = flows * _FRAMES[kind]
        words = {
            "interface": "eth0", "next-hop": front["mac"], "to": way.to(), "kind": kind, "flows": flows, "first": first,
        }  # fmt: skip
        options = [word for name, value in words.items() for word in (f"--{name}", value)]
        with open(lab.directory / "flood.log", "ab") as errors:
            self.child = lab.net.client.spawn(
                paths.program("lab_flood"), *options, stdout=subprocess.PIPE, stderr=errors
            )

    def lasts(self):
        return self.child.poll() is None

    def finish(self):
        """Waits until all has left, and returns the report."""
        shown, _ = self.child.communicate()
        if self.child.returncode != 0:
            raise RuntimeError(f"lab_flood ended with status {self.child.returncode}")
        return json.loads(shown)
