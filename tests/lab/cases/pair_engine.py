"""A node whose engine does not forward has no business with the addresses: it leaves them, and takes none."""

import time

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES
from harness.engine import Engine, dataplane
from harness.namespace import let_pass
from harness.pair import NODES, Pair, PairNet, settle
from harness.topology import BACK


def _configuration(pair, name, **group):
    groups = pair.group([*ADDRESSES.values(), BACK], priority=150 if name == "lb1" else 100, advert_interval="100ms", **group)
    return pair.configuration(name, groups, {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})


def _load(lab):
    return [lab.traffic.start_long(lab.to(each), 50, ports="1024-9999", interval_ms=100, timeout_ms=10000) for each in ADDRESSES]


def _expect_whole(run, loads):
    broken = [load.stop()["failed"] for load in loads]
    run.figure(broken=broken)
    run.expect(not any(broken), f"connections broke: {broken}")


def _start_by_dpdk(pair, name):
    engine = Engine(pair.balancers[name])
    engine.start()
    pair.balancers[name].start({**_configuration(pair, name), "dataplane": dataplane(["eth0"])})
    engine.wait_until_forwarding()
    return engine


@case("dpdk_pair_engine_ends")
def dpdk_engine_ends(run):
    """kill -9 of astil-dpdk alone on the active node: the other one takes over, and when it runs again it has the addresses back. A
    node that starts without one takes nothing. No connection breaks."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)
        engines = {name: _start_by_dpdk(pair, name) for name in NODES}
        pair.until_ready()
        loads = _load(lab)
        engines["lb1"].crash()
        begun = time.monotonic()
        pair.until_state("lb2", "active")
        run.figure(takeover_ms=round((time.monotonic() - begun) * 1000))
        pair.until_state("lb1", "stopped")
        run.expect(not pair.has("lb1", BACK), "the node has addresses and forwards nothing")
        pair.balancers["lb1"].crash()
        pair.balancers["lb1"].start()
        settle(1.5)
        run.expect(pair.states("lb1")["web"] == "stopped", f"a node without an engine is {pair.states('lb1')['web']}")
        run.expect(pair.states("lb2")["web"] == "active", "the other node has lost the addresses")
        engines["lb1"].start()
        pair.until_state("lb1", "active")
        settle(0.5)
        _expect_whole(run, loads)


@case("dpdk_pair_cores_change", long=True)
def dpdk_cores_change(run):
    """Another number of cores restarts the workers, on the backup and then on the active node: the addresses stay where they are."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        for name in NODES:
            _start_by_dpdk(pair, name)
        pair.until_ready()
        moved = lambda: {name: pair.ha(name)["groups"][0]["takeovers"] for name in NODES}
        before = moved()
        for name in reversed(NODES):
            pair.balancers[name].apply({**_configuration(pair, name), "dataplane": dataplane(["eth0"], cores="1")})
            settle(1)
            pair.until_state(name, "active" if name == "lb1" else "backup")
        run.expect(moved() == before, f"takeovers: {before} before, {moved()} after")


@case("pair_interface_that_is_gone")
def interface_that_is_gone(run):
    """An interface that no group is on goes away on both nodes: whoever is active stays so."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        for name, node in pair.net.nodes.items():
            node.ip("link add eth8 type veth peer name eth9", "link set eth8 up", "link set eth9 up")
            pair.balancers[name].start({**_configuration(pair, name), "interfaces": ["eth0", "eth8"]})
        pair.until_ready()
        for node in pair.net.nodes.values():
            node.ip("link del eth8")
        settle(2)
        run.expect(pair.states("lb1")["web"] == "active", f"lb1 is {pair.states('lb1')['web']}")
        run.expect(pair.ha("lb1")["groups"][0]["takeovers"] == 1, "the addresses moved")
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")


@case("pair_engine_is_replaced")
def engine_is_replaced(run):
    """Our program is taken off the active node's interface, and somebody else's is put there: the other node takes over. When it is
    gone, the addresses come back."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)
        for name in NODES:
            pair.balancers[name].start(_configuration(pair, name))
        pair.until_ready()
        node = pair.net.nodes["lb1"]
        for pin in (paths.PINS / pair.balancers["lb1"].instance).iterdir():
            if "eth0" in pin.name or "link" in pin.name:
                node.run("bpftool", "link", "detach", "pinned", str(pin), check=False)
        let_pass(node, "eth0")
        begun = time.monotonic()
        pair.until_state("lb2", "active")
        run.figure(takeover_ms=round((time.monotonic() - begun) * 1000))
        run.expect(not pair.has("lb1", BACK), "the node has addresses and forwards nothing")
        loads = _load(lab)
        node.ip("link set dev eth0 xdpdrv off")
        pair.until_state("lb1", "active")
        settle(0.5)
        _expect_whole(run, loads)
        process.until(lambda: pair.has("lb1", BACK), "the addresses are back")
