"""Addresses that go to the other node by order while connections are under way, and orders that can not be followed."""

import os
import signal
import subprocess
import time

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES, DIRECT, NAT, TUNNEL
from harness.pair import NODES, VRID, Pair, PairNet, settle

_GATEWAY = "10.0.0.1"


def _groups(pair, priority):
    """Three groups that move one by one; under nat with the backends' gateway, in a sync group or in one of theirs."""
    common = {"priority": priority, "advert_interval": "100ms"}
    return {
        "tunnel": {"virtual_router_id": VRID, "addresses": [TUNNEL], **common},
        "direct": {"virtual_router_id": VRID + 1, "addresses": [DIRECT], **common},
        "nat": {"virtual_router_id": VRID + 2, "addresses": [NAT], **common, "sync_group": "nat"},
        "gateway": {"virtual_router_id": VRID + 3, "addresses": [_GATEWAY], **common, "sync_group": "nat"},
    }


def _start_both(pair):
    for name, priority in (("lb1", 150), ("lb2", 100)):
        configuration = pair.configuration(name, _groups(pair, priority), {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})
        pair.balancers[name].start(configuration)
    for group in _groups(pair, 0):
        pair.until_state("lb1", "active", group)
        pair.until_state("lb2", "backup", group)
    for balancer in pair.balancers.values():
        balancer.wait_until_in_rotation()
    pair.until_flows_are_at("lb2")
    pair.until_flows_are_at("lb1")


@case("address_moves", connections=100)
@case("addresses_move_to_and_fro", connections=300, further=True, long=True)
def address_moves(run, connections, further=False):
    """`astil address move` of single addresses, there and back, with connections of every forwarding under way: each goes
    alone, those of a sync group together, none comes back by itself, and no connection breaks."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)
        _start_both(pair)
        long = {each: lab.traffic.start_long(lab.to(each), connections, ports="1024-9999", interval_ms=50, timeout_ms=10000) for each in ADDRESSES}
        settle(0.5)
        place = {TUNNEL: "lb1", DIRECT: "lb1", NAT: "lb1", _GATEWAY: "lb1"}
        took = []

        def move(address, to, *more):
            source = place[address]
            moved = pair.balancers[source].query("address", "move", address, "--to", to, *more)
            run.expect(moved["node"] == to and not moved["was_there"], f"it says something else: {moved}")
            took.append(round(moved["seconds"] * 1000))
            place.update({each: to for each in moved["addresses"]})
            for each, node in place.items():
                holders = [name for name in NODES if pair.has(name, each)]
                run.expect(holders == [node], f"{each} should be on {node} alone, and is on {holders}")
            settle(0.3)

        move(TUNNEL, "lb2")
        refused = pair.balancers["lb1"].astil("address", "move", NAT, "--to", "lb2", check=False)
        run.expect(refused.returncode != 0 and _GATEWAY in refused.stderr, f"the sync group's other address is not named: {refused}")
        move(NAT, "lb2", "--with-group")
        run.expect(place[_GATEWAY] == "lb2", "the backends' gateway stayed")
        again = pair.balancers["lb1"].query("address", "move", TUNNEL, "--to", "lb2")
        run.expect(again["was_there"], f"what is there already moved again: {again}")
        for words, said in (((TUNNEL, "lb1"), "say the same to the node"), ((DIRECT, "lb3"), "no node 'lb3'"), (("192.0.2.99", "lb2"), "none of ha.groups")):
            refused = pair.balancers["lb1"].astil("address", "move", words[0], "--to", words[1], check=False)
            run.expect(refused.returncode != 0 and said in refused.stderr, f"{words} is not refused: {refused}")
        settle(1)  # ten adverts of the lower priority: nothing comes back by itself
        move(TUNNEL, "lb1")
        if further:
            move(DIRECT, "lb2")
            move(NAT, "lb1", "--with-group")
        reports = {each: running.stop() for each, running in long.items()}
        broken = {each: report["failed"] for each, report in reports.items()}
        longest = {each: round(report["longest_ms"], 1) for each, report in reports.items()}
        run.figure(moves_ms=took, lasting=sum(report["connections"] for report in reports.values()), broken=broken, longest_ms=longest)
        run.expect(not any(broken.values()), f"connections broke: {broken}")
        events = pair.balancers["lb1"].query("events", "--limit", "1000")["events"]
        states = [(each["group"], each["after"]) for each in events if each["kind"] == "group"]
        run.expect(states.count(("tunnel", "active")) == 2 and ("nat", "backup") in states, f"events lack some: {states}")


@case("handover_from_one_that_hangs", long=True)
def handover_from_one_that_hangs(run):
    """astil-vrrp stands still: a handover says so after its time, the daemon answers others meanwhile, and in the end one node
    has the addresses."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        _start_both(pair)
        (election,) = [pid for pid, name in pair.election_pids("lb1").items() if name == "astil-vrrp"]
        os.kill(election, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            words = [paths.program("astil"), "--instance", pair.balancers["lb1"].instance, "handover"]
            ordered = lab.net.nodes["lb1"].spawn(*words, stderr=subprocess.PIPE, text=True)
            answered = 0
            while ordered.poll() is None:
                pair.ha("lb1")
                answered += 1
            said = ordered.stderr.read()
        finally:
            os.kill(election, signal.SIGCONT)
        run.figure(answered_meanwhile=answered, seconds=round(time.monotonic() - begun, 2), said=said.strip())
        run.expect(ordered.returncode != 0 and "astil-vrrp does not answer" in said, f"it says something else: {said}")
        run.expect(answered >= 5, f"the daemon answered nobody meanwhile: {answered}")
        process.until(lambda: sum(pair.has(name, TUNNEL) for name in NODES) == 1, "one node has the address")
