"""Ten thousand backends: what their checks cost, and what becomes of everything else when all of them go down at once."""

import json
import os
import pathlib
import time

from harness import configuration, process
from harness.case import case
from harness.steady import SteadyLoad, expect_unharmed
from harness.topology import backend_address

_SERVICES, _EACH = 10, 1000
_HEALTH = {"type": "tcp", "port": 8081, "interval": "1s", "timeout": "900ms", "rise": 2, "fall": 3}


def _services():
    """Services of a thousand backends each, all of which are addresses of one host."""
    services = {}
    for number in range(_SERVICES):
        hosts = {f"s{number}b{i}": (f"10.77.{number * 4 + i // 250}.{i % 250 + 1}", 1) for i in range(_EACH)}
        made = configuration.service("nat", hosts, address=f"192.0.2.{100 + number}", health=dict(_HEALTH))
        services[f"many{number}"] = made
    return services


def _processor_seconds(pid):
    """That the daemon's loop has taken, user and system: its first thread."""
    fields = pathlib.Path(f"/proc/{pid}/task/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _states(lab):
    """How many of the many are up, and how many down."""
    time.sleep(0.5)  # a status of so many backends is work for the daemon
    answer = lab.balancer.astil("status", "-o", "json", check=False)
    if answer.returncode != 0:
        return 0, 0  # it had no time to answer
    shown = [each for service in json.loads(answer.stdout)["services"] for each in service["backends"]]
    states = [each["health"]["state"] for each in shown if each["name"].startswith("s")]
    return states.count("up"), states.count("down")


@case("ten_thousand_backends_go_down_at_once", long=True, alone=True)
def ten_thousand_backends_go_down_at_once(run):
    """10,000 backends are checked each second, go down at once and come back: other services notice nothing."""
    with run.lab() as lab:
        host = lab.servers["b1"].namespace
        host.ip("route add local 10.77.0.0/16 dev lo")
        lab.net.balancer.ip(f"route add 10.77.0.0/16 via {backend_address(1)}")
        services = {**_services(), **lab.configuration(forwardings=["nat"])["services"]}
        lab.balancer.start(lab.configuration_of(services))
        all_of_them = _SERVICES * _EACH
        process.until(lambda: _states(lab)[0] == all_of_them, "all backends up", timeout=60)
        pid = lab.balancer.daemon.pid
        time.sleep(3)  # the last publications
        before, begun = _processor_seconds(pid), time.monotonic()
        time.sleep(10)
        run.figure(core_share=round((_processor_seconds(pid) - before) / (time.monotonic() - begun), 3))

        load = SteadyLoad(lab, ["nat"])
        host.ip("route del local 10.77.0.0/16 dev lo")
        down = time.monotonic()
        process.until(lambda: _states(lab)[1] == all_of_them, "all backends down", timeout=120)
        run.figure(all_noticed_s=round(time.monotonic() - down, 1))
        host.ip("route add local 10.77.0.0/16 dev lo")
        back = time.monotonic()
        process.until(lambda: _states(lab)[0] == all_of_them, "all backends up again", timeout=120)
        run.figure(all_recovered_s=round(time.monotonic() - back, 1))
        expect_unharmed(run, *load.stop())
