"""What the kernel's hooks do, done by the DPDK engine as well: checks through the path, full NAT, draining, flow sync of a
pair, neighbours that are not known, and the command line's views of what happens."""

import json
import signal
import time

from harness import process
from harness.balancer import Balancer
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS
from harness.engine import Engine, by_dpdk, dataplane, start_dpdk
from harness.followers import DropFollower
from harness.namespace import connect, let_pass
from harness.ownership import Owner
from harness.pair import NODES, Pair, PairNet, settle
from harness.steady import SteadyLoad, expect_unharmed
from harness.supervisor import Supervisor
from harness.topology import BACK, BACK_6
from harness.ways import KINDS, WAYS

_HEALTH = {"type": "http", "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}


@case("dpdk_path_checks")
def dpdk_path_checks(run):
    """Probes go through the path: a backend without the service's address on its loopback is found, and back when it has
    it; so is one that does not take the tunnel off."""
    ways = [*KINDS["direct"], *KINDS["ipip"]]
    up = lambda way, name: lab.balancer.backends(way.name)[name]["in_rotation"]
    with run.lab(ways=ways) as lab:
        start_dpdk(lab, ways, health=_HEALTH)
        b2 = lab.servers["b2"].namespace
        held = [f"{way.address}/{32 if way.version == 4 else 128}" for way in KINDS["direct"]]
        b2.ip(*(f"address delete {each} dev lo" for each in held))
        process.until(lambda: not any(up(way, "b2") for way in KINDS["direct"]), "b2 down by direct")
        run.expect(all(up(way, "b2") for way in KINDS["ipip"]), "b2 is down by tunnels too")
        b2.hold("lo", *held)
        lab.balancer.wait_until_in_rotation()
        process.end(lab.servers["b3"].agent)
        process.until(lambda: not any(up(way, "b3") for way in KINDS["ipip"]), "b3 down by its tunnels")
        run.expect(all(up(way, "b3") for way in KINDS["direct"]), "b3 is down by direct too")
        for way in ways:
            report = lab.traffic.short(way.to(), connections=100)
            run.expect(report["failed"] == 0, f"{way}: {report}")


@case("dpdk_full_nat")
def dpdk_full_nat(run):
    """Full NAT of either version of IP: connections, and transfers of 1 MiB; source addresses are the daemon's to hold."""
    ways = [WAYS["full_nat_ipv4"], WAYS["full_nat_ipv6"]]
    with run.lab(ways=ways) as lab:
        start_dpdk(lab, ways)
        for way in ways:
            report = lab.traffic.short(way.to(), connections=1_000)
            run.expect(report["failed"] == 0, f"{way}: {report}")
            run.expect(len(report["backends"]) == 3, f"{way}: not every backend was used: {report}")
        lab.balancer.crash()
        lab.balancer.start()
        lab.balancer.wait_until_in_rotation()
        for way in ways:
            report = lab.traffic.short(way.to(), connections=200)
            run.expect(report["failed"] == 0, f"{way}, after a crash of the daemon: {report}")


@case("dpdk_drain")
def dpdk_drain(run):
    """A drained backend keeps its connections and gets no new one."""
    with run.lab() as lab:
        start_dpdk(lab)
        load = SteadyLoad(lab, FORWARDINGS, lasting=50, parallel=4)
        load.go_on(0.5)
        lab.balancer.astil("backend", "drain", "b3")
        for each in FORWARDINGS:
            after = lab.traffic.short(lab.to(each), connections=200)
            run.expect("b3" not in after["backends"], f"{each}: the drained backend got connections: {after}")
            run.expect(after["failed"] == 0, f"{each}: {after}")
            left = lambda: lab.balancer.backends(each)["b3"]["traffic"]["active_flows"] > 0  # as the last census has it
            process.until(left, f"flows of b3 by {each}")
        lab.balancer.astil("backend", "activate", "b3")
        lab.balancer.wait_until_in_rotation("b3")
        expect_unharmed(run, *load.stop())


@case("dpdk_backend_down")
def dpdk_backend_down(run):
    """Flows of a backend that is down are steered anew where the configuration says so; those of others go on."""
    quick = {"type": "http", "interval": "100ms", "timeout": "100ms", "rise": 1, "fall": 2}
    with run.lab() as lab:
        start_dpdk(lab, forwardings=["direct"], health=quick, when_backend_down="re-steer")
        lasting = lab.traffic.start_long(lab.to("direct"), 60, interval_ms=100, timeout_ms=60000)
        lab.net.switch.ip("link set b2 down")
        lab.balancer.wait_until_out_of_rotation("b2")
        left = lambda: lab.balancer.backends("direct")["b2"]["traffic"]["active_flows"]
        process.until(lambda: left() == 0, "every flow elsewhere")
        report = lasting.stop()
        run.expect(0 < report["failed"] < report["connections"], f"not only those of b2 failed: {report}")


@case("dpdk_first_reply_to_a_stranger")
def dpdk_first_reply_to_a_stranger(run):
    """The first reply to a client whose MAC address nobody knows is sent, not lost: each connection of such a client is as
    quick as any, of either version of IP; whether the kernel forwards or not."""
    ways = [WAYS["nat_ipv4"], WAYS["nat_ipv6"], WAYS["full_nat_ipv4"]]
    with run.lab(ways=ways) as lab:
        start_dpdk(lab, ways)
        host = lab.net.balancer
        host.sysctl("net.ipv4.conf.all.forwarding=0", "net.ipv6.conf.all.forwarding=0")
        run.expect(not lab.balancer.status()["problems"], f"problems: {lab.balancer.status()['problems']}")
        slowest = {}
        for way in ways:
            times = []
            for _ in range(10):
                host.run("ip", "neighbour", "flush", "dev", "eth0")
                asked = lab.traffic.curl(way.url(), "--output", "/dev/null", "--write-out", "%{time_total}")
                times.append(float(asked.stdout))
            slowest[str(way)] = round(max(times), 3)
        run.figure(slowest=slowest)
        # A SYN-ACK that is lost comes again after a second.
        run.expect(max(slowest.values()) < 0.8, f"a reply was lost: {slowest}")
        lost = [each for each in lab.balancer.query("drops")["drops"] if each["reason"] == "no_neighbour"]
        run.expect(not any(each["count"] for each in lost), f"dropped: {lost}")


_GATEWAY = "10.0.0.1"


def _start_node(pair, name, **group):
    """A node of a pair that brings the other its flows, by DPDK."""
    priority = 150 if name == "lb1" else 100
    groups = pair.group([*ADDRESSES.values(), _GATEWAY], priority=priority, advert_interval="100ms", **group)
    config = pair.configuration(name, groups, {"forwardings": tuple(ADDRESSES)}, **pair.paths(name), sync={})
    engine = Engine(pair.balancers[name])
    engine.start()
    pair.balancers[name].start({**config, "dataplane": dataplane(["eth0"])})
    engine.wait_until_forwarding()
    return engine


@case("dpdk_pair_failover")
@case("dpdk_pair_failover_virtual_mac", virtual_mac="true")
def dpdk_pair_failover(run, **group):
    """kill -9 of all our processes on the active node of a pair, both by DPDK, its links cut: connections go on by the
    other, which has their flows, and by the first one when it is back."""
    with run.lab(PairNet) as lab:
        pair = Pair(lab, run)
        engines = {name: _start_node(pair, name, **group) for name in NODES}
        pair.until_state("lb1", "active")
        pair.until_state("lb2", "backup")
        for balancer in pair.balancers.values():
            balancer.wait_until_in_rotation()
        pair.until_flows_are_at("lb2")
        lasting = [lab.traffic.start_long(lab.to(each), 100, interval_ms=100, timeout_ms=10000) for each in ADDRESSES]
        settle(1)
        engines["lb1"].crash()
        pair.kill_everything("lb1")
        pair.until_state("lb2", "active")
        settle(1)
        pair.balancers["lb1"].daemon.wait()
        pair.balancers["lb1"].astil("detach")  # as after a reboot
        pair.net.mend("lb1")
        _start_node(pair, "lb1", **group)
        pair.until_state("lb1", "active")
        pair.until_flows_are_at("lb1")
        settle(1)
        for load in lasting:
            report = load.stop()
            run.expect(report["failed"] == 0, f"connections broke: {report}")


@case("dpdk_restarted_by_systemd")
def dpdk_restarted_by_systemd(run):
    """kill -9 of astil-dpdk, three times: systemd, with the unit file as it is delivered, starts it again each time, and
    established connections go on."""
    with run.lab() as lab:
        supervisor = Supervisor(lab.balancer)
        supervisor.start()
        lab.balancer.start(lab.configuration(more=by_dpdk(lab)))
        supervisor.wait_until_forwarding()
        lab.balancer.wait_until_in_rotation()
        lasting = [lab.traffic.start_long(lab.to(each), 50, timeout_ms=15_000) for each in FORWARDINGS]
        back_after = []
        for _ in range(3):
            killed = supervisor.pid()
            begun = time.monotonic()
            process.kill(killed)
            supervisor.wait_until_forwarding(other_than=killed)
            back_after.append(round(time.monotonic() - begun, 2))
            report = lab.traffic.short(lab.to("nat"), connections=100)
            run.expect(report["failed"] == 0, f"new connections: {report}")
        for load in lasting:
            report = load.stop()
            run.expect(report["failed"] == 0, f"established connections ended: {report}")
        run.figure(back_after_seconds=back_after)
        supervisor.stop()


def _told(run, lab, name):
    """What each verb says of the same things: a lasting flow, a packet that is dropped, a backend's past, the metrics."""
    lasting = lab.traffic.start_long(lab.to("nat"), 20, ports="20000-29999")
    source = "10.1.0.10:4321"
    dropped = DropFollower(run, lab, f"{name}.drops", "--service", "direct")

    def drops():
        lab.traffic.curl(f"http://{lab.to('direct')}/", "--connect-timeout", "1", check=False)
        return dropped.drops()

    drop = process.until(drops, "a drop", timeout=20)[0]
    process.end(dropped.child)
    told = {
        "status": set(lab.balancer.status()) - {"ports", "workers"},
        "services": [service["name"] for service in lab.balancer.status()["services"]],
        "flows": lab.balancer.query("flows", "--service", "nat")["matched"],
        "trace": {key: lab.balancer.trace(source, lab.to("nat"))[key] for key in ("verdict", "reason")},
        "drop": {key: drop[key] for key in ("reason", "service", "protocol", "interface")},
        "why": {use["service"]: use["reason"] for use in lab.balancer.query("why", "b2")["backends"]},
    }
    report = lasting.stop()
    run.expect(report["failed"] == 0, f"{name}: {report}")
    return told, _metric_names(lab)


def _metric_names(lab):
    """Of the engine's and the services' metrics."""
    text = lab.net.balancer.run("curl", "--silent", "http://127.0.0.1:9105/metrics").stdout
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE astil_")}


@case("dpdk_tells_the_same")
def dpdk_tells_the_same(run):
    """status, flows, drops and their followers, trace, why and the metrics say the same of the same things by the kernel's
    hooks and by DPDK, which has its ports and workers besides."""
    with run.lab() as lab:
        engine = Engine(lab.balancer)
        engine.start()
        services = {"forwardings": ["nat", "direct"]}
        config = lab.configuration(**services)
        config["services"]["direct"]["backends"] = {"b9": {"address": "10.0.0.99", "port": 80}}
        lab.balancer.start(config)
        lab.balancer.wait_until_in_rotation(service="nat")
        told_by_kernel, kernel_metrics = _told(run, lab, "kernel")
        lab.balancer.apply({**config, **by_dpdk(lab)})
        engine.wait_until_forwarding()
        log = lab.balancer.log_file.read_text()
        run.expect("service=nat backend=b1 state=down" not in log, "the change of engines took backends for dead")
        told_by_dpdk, dpdk_metrics = _told(run, lab, "dpdk")
        run.expect(told_by_kernel == told_by_dpdk, f"by the kernel {told_by_kernel}, by DPDK {told_by_dpdk}")
        run.expect(kernel_metrics <= dpdk_metrics, f"not by DPDK: {kernel_metrics - dpdk_metrics}")
        more = dpdk_metrics - kernel_metrics
        own = ("astil_port_", "astil_queue_", "astil_worker_")
        run.expect(more and all(name.startswith(own) for name in more), f"metrics of DPDK alone: {more}")


@case("dpdk_port_vanishes")
def dpdk_port_vanishes(run):
    """The interface of a port goes, and another one comes under its name: that is told meanwhile, and then packets go on."""
    with run.lab() as lab:
        supervisor = Supervisor(lab.balancer)
        supervisor.start()
        lab.balancer.start(lab.configuration(more=by_dpdk(lab)))
        supervisor.wait_until_forwarding()
        lab.balancer.wait_until_in_rotation()
        net = lab.net
        net.balancer.ip("link delete eth1")
        told = lambda: [each for each in lab.balancer.status()["problems"] if "astil-dpdk" in str(each) and "eth1" in str(each)]
        process.until(told, "the lost port in the problems")
        connect(net.balancer, "eth1", net.switch, "balancer", mtu=net.back_mtu)
        net.switch.ip("link set balancer master br0")
        let_pass(net.switch, "balancer")
        net.balancer.hold("eth1", f"{BACK}/24", f"{BACK_6}/64")
        supervisor.wait_until_forwarding()
        lab.balancer.wait_until_in_rotation()
        for each in FORWARDINGS:
            report = lab.traffic.short(lab.to(each), connections=100)
            run.expect(report["failed"] == 0, f"{each}: {report}")
        supervisor.stop()


@case("dpdk_stands_still")
def dpdk_stands_still(run):
    """astil-dpdk is stopped while it has packets under way: an apply says so and changes nothing, nor does a backend that
    dies meanwhile bring the daemon down; the status tells. Once it goes on, so does all else, and no connection breaks."""
    quick = {**_HEALTH, "fall": 1}
    with run.lab() as lab:
        engine = start_dpdk(lab, health=quick)
        daemon = lab.balancer.daemon.pid
        load = SteadyLoad(lab, FORWARDINGS, lasting=20, timeout_ms=60_000)
        refused = None
        for attempt in range(20):
            engine.child.send_signal(signal.SIGSTOP)
            file = lab.balancer.write(lab.configuration(health=quick, more=by_dpdk(lab), weights={"b1": 1, "b2": 1, "b3": 2 + attempt}))
            done = lab.balancer.astil("apply", file, check=False)
            if done.returncode != 0:
                refused = done.stderr
                break
            engine.child.send_signal(signal.SIGCONT)
            load.go_on(0.05 + attempt / 100)
        run.expect(refused is not None, "it was never stopped with packets under way")
        run.expect("stands still" in (refused or "") and "the daemon failed" not in refused, f"apply says {refused!r}")
        told = lambda: any("stands still" in each["what"] for each in lab.balancer.status()["problems"])
        process.until(told, "the status says that it stands still", timeout=10)
        lab.servers["b2"].kill_web()
        load.go_on(1.5)
        engine.child.send_signal(signal.SIGCONT)
        lab.servers["b2"].start_web()
        lab.balancer.wait_until_in_rotation()
        run.expect(lab.balancer.daemon.poll() is None and lab.balancer.daemon.pid == daemon, "the daemon ended")
        lab.balancer.apply(lab.configuration(health=quick, more=by_dpdk(lab)))
        short, long = load.stop()
        for way in FORWARDINGS:
            broken = {name: each["broken"] for name, each in long[way]["backends"].items() if name != "b2"}
            run.expect(not any(broken.values()), f"{way}: lasting connections of others than b2 broke: {long[way]}")
        log = lab.balancer.log_file.read_text()
        run.expect("somebody else had written" not in log, "what it had written itself was taken for somebody else's")


@case("dpdk_second_instance_is_refused")
def dpdk_second_instance_is_refused(run):
    """Another instance that wants the same interface is refused by the name of the first, which notices nothing."""
    with run.lab() as lab:
        start_dpdk(lab)
        name = f"{lab.balancer.instance}-b"
        Owner.current().note("instances", name)
        folder = lab.balancer.directory / "second"
        folder.mkdir()
        second = Balancer(lab.balancer.namespace, name, folder)
        config = {**lab.configuration(), **by_dpdk(lab), "instance": name, "api": {"socket": f"/run/astil/{name}.sock"}}
        second.write(config)
        second.spawn()
        refused = f"is taken by the instance {lab.balancer.instance} already"
        process.until(lambda: second.log_file.exists() and refused in second.log_file.read_text(), "the refusal", 15)
        report = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(report["failed"] == 0, f"{report}")


def _expect_no_filters(run, lab):
    for link in json.loads(lab.net.balancer.run("ip", "-json", "link").stdout):
        shown = lab.net.balancer.run("tc", "filter", "show", "dev", link["ifname"], "ingress").stdout
        run.expect("astil" not in shown, f"filters of {link['ifname']} are left: {shown}")


@case("dpdk_detach_after_a_renaming")
def dpdk_detach_after_a_renaming(run):
    """An interface that was renamed while it had a port is given back to the kernel all the same."""
    with run.lab() as lab:
        engine = start_dpdk(lab)
        lab.balancer.stop()
        engine.stop()
        host = lab.net.balancer
        host.ip("link set eth1 down", "link set eth1 name other", "link set other up")
        run.expect("astil" in host.run("tc", "filter", "show", "dev", "other", "ingress").stdout, "there was no fence")
        lab.balancer.astil("detach")
        _expect_no_filters(run, lab)


@case("dpdk_detach_of_a_damaged_share")
def dpdk_detach_of_a_damaged_share(run):
    """What both processes share is of a version that neither knows: a start is refused, and the remedy that it names gives
    interfaces and addresses back to the kernel."""
    with run.lab() as lab:
        engine = start_dpdk(lab)
        lab.balancer.stop()
        engine.stop()
        with open(f"/dev/shm/astil/{lab.balancer.instance}/engine", "r+b") as share:
            share.seek(8)
            share.write(b"\xff")
        refused = lab.balancer.spawn()
        run.expect(refused.wait(timeout=30) != 0, "it started")
        run.expect("astil detach" in lab.balancer.log_file.read_text(), "the remedy is not in the log")
        lab.balancer.astil("detach")
        _expect_no_filters(run, lab)
        left = lab.net.balancer.run("ip", "address").stdout
        run.expect(ADDRESSES["nat"] not in left, f"the service's address is left: {left}")
        engine.start()
        lab.balancer.start({**lab.configuration(), **by_dpdk(lab)})
        engine.wait_until_forwarding()


@case("dpdk_what_the_host_lacks_is_refused")
def dpdk_what_the_host_lacks_is_refused(run):
    """A plan and an apply that this host can not do are refused, with what is missing: no astil-dpdk, queues without a
    worker, cores that are not there. Packets go on as before."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, FORWARDINGS, lasting=20, parallel=4)

        def expect_refused(told, **changes):
            file = lab.balancer.write(lab.configuration(more=by_dpdk(lab, **changes)))
            for word in ("plan", "apply"):
                done = lab.balancer.astil(word, file, check=False)
                run.expect(done.returncode != 0 and told in done.stderr, f"{word} of {changes}: {done}")

        expect_refused("systemctl start astil-dpdk@")
        engine = Engine(lab.balancer)
        engine.start()
        possible = lab.balancer.write(lab.configuration(more=by_dpdk(lab)))
        process.until(
            lambda: "systemctl start" not in lab.balancer.astil("plan", possible, check=False).stderr, "astil-dpdk seen"
        )
        expect_refused("core 1000 is not there", cores=1000)
        expect_refused("vm.nr_hugepages", hugepages="true")
        two = {name: {"device": f'"net_af_xdp{number},iface={name},queue_count=2"'} for number, name in enumerate(lab.net.interfaces)}
        expect_refused("queue_count=1", ports=two)
        expect_unharmed(run, *load.stop())
        lab.balancer.apply(lab.configuration(more=by_dpdk(lab)))
        engine.wait_until_forwarding()
