"""Somebody changes the balancer's host behind the daemon's back, and it puts things right."""

import contextlib
import re
import signal
import subprocess

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES, NAT
from harness.namespace import connect, let_pass
from harness.topology import BACK


@case("service_address_taken_away_is_put_back")
def service_address_taken_away_is_put_back(run):
    """A service address that somebody removes comes back, also where an earlier daemon had put it there."""
    with run.lab() as lab:
        lab.start_balancer()
        lab.balancer.crash()
        lab.start_balancer()
        lab.net.balancer.ip(f"address delete {NAT}/32 dev eth0")
        process.until(lambda: NAT in lab.balancer.addresses(), "the return of the address")


def _occupied_eth1(lab):
    """A new eth1 with somebody else's program on it, in the place of the old one."""
    balancer, switch = lab.net.balancer, lab.net.switch
    balancer.ip("link delete eth1")
    connect(balancer, "spare", switch, "balancer")
    switch.ip("link set balancer master br0")
    let_pass(switch, "balancer")
    let_pass(balancer, "spare")
    balancer.ip("link set spare down", "link set spare name eth1", f"address add {BACK}/24 dev eth1", "link set eth1 up")


@case("failed_attachment_is_tried_again")
def failed_attachment_is_tried_again(run):
    """An interface that another program holds is taken as soon as that one is gone, without any other event."""
    with run.lab() as lab:
        lab.start_balancer(health=None)
        _occupied_eth1(lab)
        told = lambda: [each["what"] for each in lab.balancer.status()["problems"]]
        process.until(lambda: any("interface eth1: " in what for what in told()), "the failed attachment as a problem")
        lab.balancer.wait_until_in_rotation()  # the last event: next hops are known again
        lab.net.balancer.ip("link set dev eth1 xdpdrv off")
        process.until(lambda: not told(), "the end of the problems")
        report = lab.traffic.short(lab.to("nat"), connections=300)
        run.expect(report["failed"] == 0, f"connections failed: {report}")


@case("refused_apply_leaves_table_sizes")
def refused_apply_leaves_table_sizes(run):
    """An apply that is refused after the tables were made anew leaves their sizes, too, as they were."""
    with run.lab() as lab:
        let_pass(lab.net.balancer, "eth1")
        lab.balancer.start({**lab.configuration(), "interfaces": ["eth0"]})
        before = lab.balancer.status()
        larger = lab.configuration(more={"dataplane": {"tables": {"flow_slots": 2097152}}})
        answer = lab.balancer.astil("apply", lab.balancer.write(larger), check=False)
        run.expect(answer.returncode == 1, f"exit status {answer.returncode}: {answer.stdout}{answer.stderr}")
        after = lab.balancer.status()
        sizes = [{table["name"]: table["capacity"] for table in shown["tables"]} for shown in (before, after)]
        run.expect(sizes[0] == sizes[1], f"the tables changed: {sizes}")
        run.expect(lab.balancer.addresses() >= set(ADDRESSES.values()), "service addresses are gone")


@case("api_listens_again")
def api_listens_again(run):
    """A metrics port that is taken is no reason not to start, and is taken later; a socket's file that is removed is back."""
    with run.lab() as lab, run_listener(lab) as listener:
        lab.start_balancer(forwardings=["nat"])
        told = lambda: [each["what"] for each in lab.balancer.status()["problems"]]
        run.expect(any("9105" in what for what in told()), f"the port that is taken is not told: {told()}")
        process.end(listener, signal.SIGTERM)
        process.until(lambda: not told(), "the port taken")
        (paths.SOCKETS / f"{lab.instance}.sock").unlink()
        process.until(lambda: (paths.SOCKETS / f"{lab.instance}.sock").exists(), "the return of the socket")
        scrape = lab.net.balancer.run("curl", "-s", "http://127.0.0.1:9105/metrics").stdout
        for listener in ("socket", "metrics"):
            counted = re.search(rf'astil_api_listen_failures_total{{listener="{listener}"}} ([0-9.]+)', scrape)
            run.expect(counted and float(counted[1]) > 0, f"{listener} is not counted")


@contextlib.contextmanager
def run_listener(lab):
    """Another program at the port of the metrics."""
    script = "import socket, time; s = socket.create_server(('127.0.0.1', 9105)); print('there', flush=True); time.sleep(600)"
    listener = lab.net.balancer.spawn("python3", "-c", script, stdout=subprocess.PIPE)
    listener.stdout.readline()
    yield listener
    process.end(listener, signal.SIGTERM)
