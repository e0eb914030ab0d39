"""The DPDK engine over AF_XDP sockets, with real servers and clients: every forwarding, kills of either process, and the
change of a running balancer from one engine to the other and back."""

import functools

from harness import process
from harness.case import case
from harness.configuration import FORWARDINGS
from harness.echo import NAT_PORT, PORT, EchoServer
from harness.engine import Engine, by_dpdk, start_dpdk
from harness.fragments import LAST_FIRST, ask
from harness.servers import files, gibibyte
from harness.steady import SteadyLoad, expect_unharmed
from harness.topology import BACK, BACK_6, FRONT, FRONT_6, two_arm
from harness.transfers import digest, download, wrong_transfers
from harness.ways import WAYS

_WAYS = [WAYS[name] for name in ("nat_ipv4", "nat_ipv6", "direct_ipv4", "direct_ipv6", "ipip_4in4", "ipip_6in6")]


def _every_way(run, connections):
    with run.lab(ways=_WAYS) as lab:
        start_dpdk(lab, _WAYS)
        large = files() / "1m"
        wanted = digest(large)
        for way in _WAYS:
            report = lab.traffic.short(way.to(), connections=connections, ports="2000-65535")
            by_wrk = lab.traffic.wrk_until(f"http://{way.to()}/", connections, seconds=1)
            wrong = wrong_transfers(lab, way, large, wanted)
            failed = report["failed"] + by_wrk["failed"]
            run.figure(**{f"{way}_delayed": report["delayed"], f"{way}_failed": failed, f"{way}_per_second": round(connections / report["seconds"])})
            run.figure(**{f"{way}_wrk_requests": by_wrk["requests"]})
            run.expect(failed == 0, f"{way}: {report} {by_wrk}")
            run.expect(len(report["backends"]) == 3, f"{way}: not every backend was used: {report}")
            run.expect(by_wrk["requests"] >= connections, f"{way}: wrk made {by_wrk}")
            run.expect(not wrong, f"{way}: {wrong}")
        status = lab.balancer.status()
        run.expect(not status["problems"], f"at the end there are problems: {status['problems']}")


@case("dpdk_every_way")
def dpdk_every_way(run):
    """1,000 connections, as many by wrk, and transfers of 1 MiB through each forwarding and version of IP: none fails."""
    _every_way(run, 1_000)


@case("dpdk_many_connections", long=True)
def dpdk_many_connections(run):
    """10,000 connections through each forwarding and version of IP, as many by wrk: none fails."""
    _every_way(run, 10_000)


@case("dpdk_gibibyte", long=True)
def dpdk_gibibyte(run):
    """1 GiB arrives byte for byte through the DPDK engine."""
    ways = [WAYS["nat_ipv4"]]
    with gibibyte() as large, run.lab(backends=1, ways=ways) as lab:
        wanted = digest(large)
        start_dpdk(lab, ways)
        wrong = download(lab, ways[0], large, wanted, timeout=200)
        run.expect(not wrong, wrong)


@case("dpdk_kill_9_of_either")
def dpdk_kill_9_of_either(run):
    """kill -9 of astild is not noticed, nor are other tables; of astil-dpdk, established connections go on when it is
    started again."""
    with run.lab() as lab:
        engine = start_dpdk(lab)
        load = SteadyLoad(lab, FORWARDINGS)
        load.go_on(1)
        lab.balancer.crash()
        load.go_on(1)
        lab.balancer.start()
        engine.wait_until_forwarding()
        run.expect(lab.balancer.status()["adopted"], "the new daemon did not adopt the tables")
        load.go_on(1)
        more = by_dpdk(lab)
        more["dataplane"]["tables"] = {"flow_slots": 2097152}
        lab.balancer.apply(lab.configuration(more=more))
        load.go_on(1)
        expect_unharmed(run, *load.stop())
        lasting = [lab.traffic.start_long(lab.to(each), 50, timeout_ms=15_000) for each in FORWARDINGS]
        engine.crash()
        engine.start()
        engine.wait_until_forwarding()
        _expect_to_go_on(run, lasting)


def _expect_to_go_on(run, lasting):
    """Whoever waits for an answer gets it: each connection asked while nobody forwarded, and asks again and again."""
    for load in lasting:
        report = load.stop()
        run.expect(report["failed"] == 0, f"established connections ended: {report}")


def _tables_changing(run, seconds):
    with run.lab() as lab:
        engine = start_dpdk(lab)
        load = SteadyLoad(lab, FORWARDINGS)
        for second in range(seconds):
            more = by_dpdk(lab)
            more["dataplane"]["tables"] = {"flow_slots": 1048576 << (second // 10 % 2)}
            lab.balancer.apply(lab.configuration(more=more, weights={"b1": 1, "b2": 1, "b3": 1 + second % 3}))
            load.go_on(1)
            if second == 20:
                settled = process.anonymous_kib(engine.child.pid)
        expect_unharmed(run, *load.stop())
        status = lab.balancer.status()
        lost = {name: sum(port[name] for port in status["ports"]) for name in ("kernel_refused", "from_kernel_lost")}
        behind = sum(queue["to_kernel_lost"] for port in status["ports"] for queue in port["queues"])
        run.figure(**lost, to_kernel_lost=behind, strays=status["workers"][0]["strays"], unfit=status["workers"][0]["unfit"])
        run.figure(grown_mib=round((process.anonymous_kib(engine.child.pid) - settled) / 1024, 1))
        run.expect(not any(lost.values()), f"lost between port and kernel: {lost}")
        run.expect(process.anonymous_kib(engine.child.pid) - settled < 32 * 1024, "astil-dpdk grows with changes of tables")
        run.expect(engine.child.poll() is None, "astil-dpdk ended")
        run.expect(engine.stop() == 0, f"astil-dpdk did not end well, see {engine.log_file}")


@case("dpdk_tables_changing", long=True)
def dpdk_tables_changing(run):
    """Weights change each second for a minute, and every tenth time the tables' size: no connection fails, and nothing
    is lost between port and kernel."""
    _tables_changing(run, 60)


@case("dpdk_tables_changing_for_ten_minutes", long=True)
def dpdk_tables_changing_for_ten_minutes(run):
    """The same for ten minutes."""
    _tables_changing(run, 600)


@case("dpdk_fragments")
def dpdk_fragments(run):
    """Datagrams in fragments, the last one first: the daemon holds them, and astil-dpdk takes them back."""
    ways = [WAYS["nat_ipv4"], WAYS["nat_ipv6"], WAYS["direct_ipv4"]]
    with run.lab(functools.partial(two_arm, back_mtu=1500), ways=ways) as lab:
        for server in lab.servers.values():
            EchoServer(server, [way.address for way in ways if not way.rewrites])
        engine = Engine(lab.balancer)
        engine.start()
        lab.start_udp_balancer_for(ways, PORT, NAT_PORT, health_port=8080, more=by_dpdk(lab))
        engine.wait_until_forwarding()
        for way in ways:
            whole = ask(lab.net.client, way.client, way.address, LAST_FIRST, 10, 6000)
            run.expect(whole == 10, f"{way}: {10 - whole} of 10 datagrams did not come back")


_TAPS = {"front": "eth0", "back": "eth1"}


def _move_addresses(lab):
    """What the interfaces had is on the taps, once the daemon has made them."""
    host = lab.net.balancer
    process.until(lambda: all(name in host.run("ip", "link").stdout for name in _TAPS), "the taps")
    host.ip(*(f"address flush dev {wire} scope global" for wire in _TAPS.values()))
    host.hold("front", f"{FRONT}/24", f"{FRONT_6}/64")
    host.hold("back", f"{BACK}/24", f"{BACK_6}/64")


def _expect_to_forward_by_a_tap_made_anew(run, lab, engine, ways):
    """Somebody deletes a tap: it comes back without its addresses, which the log of astil-dpdk says; with them,
    connections go on."""
    lab.net.balancer.ip("link delete front")
    process.until(lambda: "tap device was gone" in engine.log_file.read_text(), "word of the tap that was gone")
    engine.wait_until_forwarding()
    lab.net.balancer.hold("front", f"{FRONT}/24", f"{FRONT_6}/64")
    lab.balancer.wait_until_in_rotation()
    for way in ways:
        report = lab.traffic.short(way.to(), connections=100)
        run.expect(report["failed"] == 0, f"{way}, by a tap made anew: {report}")


@case("dpdk_taps")
def dpdk_taps(run):
    """Ports by af_packet with two workers, and taps for the kernel's side: connections, and what is for the balancer
    itself. A tap that was there before stays when the engine goes."""
    ways = [WAYS["nat_ipv4"], WAYS["ipip_4in4"]]
    with run.lab(ways=ways) as lab:
        engine = Engine(lab.balancer)
        engine.start()
        ports = {
            name: {"device": f'"net_af_packet{number},iface={wire},qpairs=2"'}
            for number, (name, wire) in enumerate(_TAPS.items())
        }
        more = {"dataplane": {"engine": "dpdk", "dpdk": {"hugepages": "false", "cores": "0-1", "ports": ports}}}
        config = {**lab.configuration_for(ways, more=more), "interfaces": list(_TAPS)}
        lab.net.balancer.ip("tuntap add dev back mode tap")
        lab.balancer.start(config, meanwhile=lambda: _move_addresses(lab))
        engine.wait_until_forwarding()
        lab.balancer.wait_until_in_rotation()
        for way in ways:
            report = lab.traffic.short(way.to(), connections=500)
            run.expect(report["failed"] == 0, f"{way}: {report}")
        status = lab.balancer.status()
        received = [queue["received_packets"] for port in status["ports"] for queue in port["queues"]]
        run.expect(len(status["workers"]) == 2 and all(received), f"not every queue is used: {status['ports']}")
        ports = {port["interface"]: port for port in status["ports"]}
        run.expect(ports["front"]["from_kernel"] > 0, f"the kernel sent nothing by its tap: {ports}")
        _expect_to_forward_by_a_tap_made_anew(run, lab, engine, ways)
        lab.balancer.astil("detach")
        left = lab.net.balancer.run("ip", "link").stdout
        run.expect("front" not in left, f"the tap is still there after detach: {left}")
        run.expect("back" in left, f"a tap that was not the engine's is gone: {left}")


@case("dpdk_change_of_engine")
def dpdk_change_of_engine(run):
    """From the kernel's hooks to DPDK and back, by apply, also where astil-dpdk was killed: established connections go
    on."""
    with run.lab() as lab:
        engine = Engine(lab.balancer)
        engine.start()
        lab.start_balancer()
        lasting = [lab.traffic.start_long(lab.to(each), 50, timeout_ms=15_000) for each in FORWARDINGS]
        applied = lab.balancer.apply(lab.configuration(more=by_dpdk(lab)))
        engine.wait_until_forwarding()
        run.expect(any("engine changed" in change for change in applied["changes"]), f"it told {applied}")
        report = lab.traffic.short(lab.to("nat"), connections=200, ports="30000-40000")
        run.expect(report["failed"] == 0, f"through DPDK: {report}")
        lab.balancer.apply(lab.configuration())
        run.expect(lab.balancer.status()["engine"] == "kernel", "it is not the kernel's engine again")
        report = lab.traffic.short(lab.to("nat"), connections=200, ports="40001-50000")
        run.expect(report["failed"] == 0, f"through the kernel's hooks again: {report}")
        lab.balancer.apply(lab.configuration(more=by_dpdk(lab)))
        engine.wait_until_forwarding()
        engine.crash()
        lab.balancer.apply(lab.configuration())
        report = lab.traffic.short(lab.to("nat"), connections=200, ports="50001-60000")
        run.expect(report["failed"] == 0, f"through the kernel's hooks, astil-dpdk killed before: {report}")
        _expect_to_go_on(run, lasting)
