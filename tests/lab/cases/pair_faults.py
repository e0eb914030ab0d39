"""What a pair does, and says, where one of its nodes is configured otherwise, hangs, or can not have the addresses."""

import os
import signal
import time

from harness import process
from harness.case import case
from harness.configuration import ADDRESSES, TUNNEL
from harness.pair import NODES, SYNC, VRID, Pair, PairNet, settle
from harness.topology import BACK


def _configuration(pair, name, groups, **ha):
    return pair.configuration(name, groups, {"forwardings": ("tunnel",)}, **{**pair.paths(name), "sync": {}, **ha})


def _group(name, addresses, vrid=VRID, **more):
    priority = 150 if name == "lb1" else 100
    return {"virtual_router_id": vrid, "addresses": addresses, "priority": priority, "advert_interval": "100ms", **more}


def _start(pair, groups_of, **ha):
    for name in NODES:
        pair.balancers[name].start(_configuration(pair, name, groups_of(name), **ha))
    pair.until_ready()


def _problems(pair, name):
    return [problem["what"] for problem in pair.balancers[name].status()["problems"]]


def _until_problem(pair, name, words):
    process.until(lambda: any(words in problem for problem in _problems(pair, name)), f"{name} has a problem: {words}", 20)


def _until_no_problem(pair, name, words):
    process.until(lambda: not any(words in problem for problem in _problems(pair, name)), f"{name} has no problem: {words}", 40)


@case("pair_sync_group_of_which_one_is_unknown")
def sync_group_of_which_one_is_unknown(run):
    """A group of a sync group that only the backup has: nothing moves, and both say what is wrong until the files are alike."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)

        def groups(name, both):
            made = {"web": _group(name, [TUNNEL], sync_group="all")}
            return made | ({"gate": _group(name, [BACK], 52, sync_group="all")} if both else {})

        _start(pair, lambda name: groups(name, both=False))
        before = {group["name"]: group["transitions"] for group in pair.ha("lb1")["groups"]}
        pair.balancers["lb2"].apply(_configuration(pair, "lb2", groups("lb2", both=True)))
        _until_problem(pair, "lb2", "group gate is not known to the other node")
        _until_problem(pair, "lb2", "another one of its sync group hears who is active")
        settle(2)
        run.expect(pair.states("lb2") == {"web": "backup", "gate": "backup"}, f"lb2: {pair.states('lb2')}")
        now = {group["name"]: group["transitions"] for group in pair.ha("lb1")["groups"]}
        run.expect(now == before, f"groups of the active node moved: {before} to {now}")
        _until_problem(pair, "lb1", "are not configured as on the other node")
        pair.balancers["lb1"].apply(_configuration(pair, "lb1", groups("lb1", both=True)))
        pair.until_state("lb1", "active", "gate")
        pair.until_state("lb1", "active", "web")
        for name in NODES:
            for words in ("is not known", "another one of its sync group", "are not configured as", "other addresses"):
                _until_no_problem(pair, name, words)


@case("pair_path_that_comes_late")
def path_that_comes_late(run):
    """The only path between the nodes has no network when they start: heartbeats go over it once it has."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        for node in pair.net.nodes.values():
            node.ip("link set eth1 down")
        for name in NODES:
            paths = {"cable": {"local": SYNC[name], "peer": SYNC[NODES[1 - NODES.index(name)]]}}
            pair.balancers[name].start(_configuration(pair, name, {"web": _group(name, [TUNNEL])}, paths=paths))
        pair.until_state("lb1", "active")
        _until_problem(pair, "lb2", "no heartbeats of the other node")
        for node in pair.net.nodes.values():
            node.ip("link set eth1 up")
        for name in NODES:
            process.until(lambda name=name: pair.ha(name)["heartbeats_alive"], f"{name} hears heartbeats")
        pair.until_flows_are_at("lb2")


@case("pair_election_that_hangs")
def election_that_hangs(run):
    """astil-vrrp stands still on the active node: within seconds it is killed, its addresses are removed and it is started again; the
    other node has taken over, and gives the addresses back. So it is where astild is a new one, and detach removes it. No
    connection breaks."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)

        def groups(name):
            return {"web": _group(name, [*ADDRESSES.values(), BACK])}

        for name in NODES:
            config = pair.configuration(name, groups(name), {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})
            pair.balancers[name].start(config)
        pair.until_ready()
        loads = [lab.traffic.start_long(lab.to(each), 50, ports="1024-9999", interval_ms=100, timeout_ms=10000) for each in ADDRESSES]
        (election,) = [pid for pid, name in pair.election_pids("lb1").items() if name == "astil-vrrp"]
        os.kill(election, signal.SIGSTOP)
        begun = time.monotonic()
        pair.until_state("lb2", "active")
        process.until(lambda: election not in pair.election_pids("lb1"), "the process that hangs is killed", 20)
        run.figure(killed_after_seconds=round(time.monotonic() - begun, 1))
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        # Now with an astild that does not know the process, and by detach.
        (election,) = [pid for pid, name in pair.election_pids("lb1").items() if name == "astil-vrrp"]
        os.kill(election, signal.SIGSTOP)
        pair.balancers["lb1"].crash()
        pair.balancers["lb1"].start()
        process.until(lambda: election not in pair.election_pids("lb1"), "the process that hangs is killed", 20)
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        settle(0.5)
        broken = [load.stop()["failed"] for load in loads]
        (election,) = [pid for pid, name in pair.election_pids("lb2").items() if name == "astil-vrrp"]
        os.kill(election, signal.SIGSTOP)
        pair.balancers["lb2"].astil("detach")
        process.until(lambda: not pair.election_pids("lb2"), "nothing is left on lb2")
        run.figure(broken=broken)
        run.expect(not any(broken), f"connections broke: {broken}")


@case("handover_to_one_that_can_not")
def handover_to_one_that_can_not(run):
    """A handover to a node whose interface is down, or whose election hangs, is refused, and the addresses stay."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        _start(pair, lambda name: {"web": _group(name, [TUNNEL])})
        pair.net.nodes["lb2"].ip("link set eth0 down")
        process.until(lambda: pair.ha("lb1")["groups"][0]["peer_state"] == "fault", "lb1 hears that lb2 is in fault")
        refused = pair.balancers["lb1"].astil("handover", check=False)
        run.expect(refused.returncode != 0 and "its state is fault" in refused.stderr, f"not refused: {refused}")
        run.expect(pair.has("lb1", TUNNEL), "the address is gone")
        pair.net.mend("lb2")
        pair.until_state("lb2", "backup")
        pair.until_flows_are_at("lb2")
        elections = [pid for pid, name in pair.election_pids("lb2").items() if name == "astil-vrrp"]
        os.kill(elections[0], signal.SIGSTOP)
        process.until(lambda: not pair.ha("lb1")["heartbeats_alive"], "lb2 is not heard")
        refused = pair.balancers["lb1"].astil("handover", check=False)
        run.expect(refused.returncode != 0 and "heartbeats do not come" in refused.stderr, f"not refused: {refused}")
        run.expect(pair.has("lb1", TUNNEL), "the address is gone")
        os.kill(elections[0], signal.SIGCONT)


@case("pair_other_number")
def other_number(run):
    """Nodes with other numbers of one group are both active, and both say so; as two with one name."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        for name in NODES:
            pair.balancers[name].start(_configuration(pair, name, {"web": _group(name, [TUNNEL], VRID + NODES.index(name))}))
        for name in NODES:
            pair.until_state(name, "active")
            _until_problem(pair, name, "is not known to the other node")
            _until_problem(pair, name, "are not configured as on the other node")
        pair.balancers["lb2"].apply(_configuration(pair, "lb2", {"web": _group("lb2", [TUNNEL])}))
        pair.until_state("lb2", "backup")
        for name in NODES:
            _until_no_problem(pair, name, "is not known to the other node")
        pair.balancers["lb2"].apply({**_configuration(pair, "lb2", {"web": _group("lb2", [TUNNEL])}, node="lb1")})
        for name in NODES:
            _until_problem(pair, name, "calls itself lb1, as this one does")


@case("pair_apply_without_its_key")
def apply_without_its_key(run):
    """A change to a key that is not there is refused; what runs goes on."""
    with run.lab(PairNet, backends=1) as lab:
        pair = Pair(lab, run)
        _start(pair, lambda name: {"web": _group(name, [TUNNEL])})
        file = run.directory / "other.yaml"
        pair.balancers["lb1"].write(_configuration(pair, "lb1", {"web": _group("lb1", [TUNNEL])}, key_file="/nonexistent/key"))
        file.write_text(pair.balancers["lb1"].config_file.read_text())
        for command in ("plan", "apply"):
            refused = pair.balancers["lb1"].astil(command, str(file), check=False)
            run.expect(refused.returncode != 0 and "/nonexistent/key" in refused.stderr, f"{command} is not refused: {refused}")
        told = pair.balancers["lb1"].astil("plan", str(_changed(pair, run)), check=False)
        run.expect("group web: priority changed from 150 to 90" in told.stdout, f"plan says nothing of the priority: {told}")
        run.expect(pair.states("lb1")["web"] == "active", "the group moved")


def _changed(pair, run):
    file = run.directory / "lower.yaml"
    pair.balancers["lb1"].write(_configuration(pair, "lb1", {"web": {**_group("lb1", [TUNNEL]), "priority": 90}}))
    file.write_text(pair.balancers["lb1"].config_file.read_text())
    return file
