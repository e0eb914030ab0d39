"""Commands that follow what happens, in the background."""

import json

from harness import paths


class DropFollower:
    """`astil drops --follow` in the background."""

    def __init__(self, run, lab, name, *words):
        self.path = run.directory / name
        command = [paths.program("astil"), "--instance", lab.balancer.instance, "drops", "--follow", "-o", "json", *words]
        with open(self.path, "wb") as out, open(f"{self.path}.err", "wb") as err:
            self.child = lab.balancer.namespace.spawn(*command, stdout=out, stderr=err)

    def drops(self):
        lines = self.path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]
