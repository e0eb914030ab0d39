"""Clients of a service that has nobody, and of a backend that went down: told so at once, where that is set."""

import time

from harness import process
from harness.case import case
from harness.engine import Engine, dataplane
from harness.ways import WAYS

_QUICK = {"type": "http", "interval": "100ms", "timeout": "100ms", "fall": 2, "rise": 1}
_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "full_nat_ipv4", "direct_ipv6", "ipip_4in4", "gue_6in6")]
_BY_DPDK = [WAYS[name] for name in ("nat_ipv4", "direct_ipv6", "ipip_4in4")]
_REFUSED = 7  # curl: could not connect
_SOON = 1.0  # seconds; a client that hears nothing waits for a minute
# Says what became of a datagram, and how soon.
_ASK = """
import socket, sys, time
asked = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(5)
asked.connect((sys.argv[1], int(sys.argv[2])))
begun = time.monotonic()
asked.send(b"x" * int(sys.argv[3]))
try:
    asked.recv(1)
except OSError as error:
    print(type(error).__name__, round(time.monotonic() - begun, 3))
"""
_PORT = 5353


def _datagrams(made):
    """Every service once more, of UDP at another port."""
    for name, service in list(made["services"].items()):
        health = {"type": "tcp", "port": 80, "interval": "100ms", "timeout": "100ms", "fall": 2}
        backends = {each: {**backend, "port": _PORT} for each, backend in service["backends"].items()}
        made["services"][f"{name}_udp"] = {
            **service, "protocol": "udp", "port": _PORT, "health": health, "backends": backends
        }
    return made


def _expect_refused(run, lab, way):
    begun = time.monotonic()
    asked = lab.traffic.curl(way.url("/"), check=False)
    run.expect(asked.returncode == _REFUSED, f"{way}: curl says {asked.stderr}")
    run.expect(time.monotonic() - begun < _SOON, f"{way}: refused after {time.monotonic() - begun:.1f} s")
    for length in (0, 1, 1200):
        said = lab.net.client.run("python3", "-c", _ASK, way.address, str(_PORT), str(length)).stdout.split()
        run.expect(said[0] == "ConnectionRefusedError", f"{way}: a datagram of {length} bytes: {said}")


def _refused(run, ways, hook, **more):
    """curl hears that nobody is there, and so does who sends datagrams; when servers are back, all are served."""
    with run.lab(ways=ways, **more) as lab:
        engine = None
        if hook == "dpdk":
            engine = Engine(lab.balancer)
            engine.start()
            changes = {"dataplane": dataplane(lab.net.interfaces)}
        else:
            changes = {"dataplane": {"hook": hook}}
            if hook == "tc":
                for host in (lab.net.client, lab.net.balancer, *lab.net.backends.values()):
                    host.leave_to_device("eth0")
        made = _datagrams(lab.configuration_for(ways, more=changes, health=_QUICK, when_down="reject"))
        lab.balancer.start(made)
        lab.balancer.wait_until_in_rotation()
        if engine:
            engine.wait_until_forwarding()
        for server in lab.servers.values():
            server.kill_web()
        for name in lab.servers:
            lab.balancer.wait_until_out_of_rotation(name)
        for way in ways:
            _expect_refused(run, lab, way)
        counts = {drop["reason"]: drop for drop in lab.balancer.query("drops")["drops"]}
        run.figure(refused=counts["refused"]["count"], no_backend=counts["no_backend"]["count"])
        run.expect(counts["refused"]["count"] >= 4 * len(ways), f"not counted: {counts['refused']}")
        run.expect(counts["no_backend"]["count"] == 0, f"also dropped: {counts['no_backend']}")
        for server in lab.servers.values():
            server.start_web()
        lab.balancer.wait_until_in_rotation()
        for way in ways:
            served = lab.traffic.short(way.to(), connections=200)
            run.expect(served["failed"] == 0, f"{way}: connections failed when servers were back: {served}")


case("refused_when_all_are_down", ways=_WAYS, hook="xdp")(_refused)
case("refused_when_all_are_down_by_tc", ways=_WAYS, hook="tc")(_refused)
case("refused_when_all_are_down_by_dpdk", ways=_BY_DPDK, hook="dpdk")(_refused)


def _reset(run, way):
    """Of lasting connections those of a backend that hangs are reset with their next packet, and no others are."""
    with run.lab(ways=[way]) as lab:
        lab.start_balancer_for([way], health=_QUICK, when_backend_down="reset")
        lasting = lab.traffic.start_long(way.to(), 60, interval_ms=100, timeout_ms=60000)
        flows = lambda: {name: b["traffic"]["active_flows"] for name, b in lab.balancer.backends(way.name).items()}
        process.until(lambda: sum(flows().values()) == 60, "every connection counted")
        held = flows()["b2"]
        resets = lambda: {drop["reason"]: drop["count"] for drop in lab.balancer.query("drops")["drops"]}["reset"]
        lab.net.switch.ip("link set b2 down")
        lab.balancer.wait_until_out_of_rotation("b2")
        process.until(lambda: resets() >= held, "every connection of b2 reset", timeout=30)
        served = lab.traffic.short(way.to(), connections=200)
        lab.net.switch.ip("link set b2 up")
        report = lasting.stop()
        reset = resets()
        run.figure(failed=report["failed"], connections=report["connections"], held=held, reset=reset)
        run.expect(0 < report["failed"] < report["connections"], f"not only those of b2 failed: {report}")
        run.expect(reset >= report["failed"], f"{report['failed']} connections ended by {reset} resets")
        run.expect(served["failed"] == 0, f"new connections failed: {served}")


for _name in ("nat_ipv4", "full_nat_ipv4", "ipip_4in4", "direct_ipv6"):
    case(f"flows_of_a_backend_that_is_down_reset_{_name}", way=WAYS[_name])(_reset)
