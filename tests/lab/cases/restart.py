"""The daemon ends and starts in every way, under load on every forwarding, and on ways of both versions of IP: no
connection fails and none is reset."""

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.faulty import FAULTY_PORT, FaultyServer
from harness.steady import SteadyLoad, expect_unharmed
from harness.ways import WAYS

# Of both versions of IP: IPv6 flows, and IPv6 addresses of services and of backends.
_BOTH = [WAYS[name] for name in ("nat_ipv6", "full_nat_ipv4", "full_nat_ipv6", "direct_ipv6", "ipip_6in4", "gue_4in6")]
# Their weights change once the lasting connections are open. Then the rings say another backend for a part of those, and
# nothing but the flow table holds them.
_EQUAL, _SHIFTED = {}, {"b1": 3}

_SLOTS = {"usual": 131072, "larger": 524288, "smaller": 16384}
# Room for every flow of the load: a full line gives up connections whose replies do not pass the balancer, which it can
# not tell from a flood's SYNs while they are young.
_ROOMY = {"usual": 1048576, "larger": 2097152, "smaller": 524288}


def _slots_for(ways):
    return _ROOMY if ways else _SLOTS


def _configuration(lab, size="usual", weights=None):
    more = {"dataplane": {"tables": {"flow_slots": _slots_for(lab.ways)[size]}}}
    if lab.ways:
        return lab.configuration_for(lab.ways, more=more, weights=_SHIFTED if weights is None else weights)
    return lab.configuration(more=more)


def _under_load(run, *steps, ways=()):
    """Starts the balancer and the load, does the steps, and expects that no connection failed."""
    with run.lab(ways=ways) as lab:
        lab.balancer.start(_configuration(lab, weights=_EQUAL))
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ways or FORWARDINGS)
        if ways:
            lab.balancer.apply(_configuration(lab))
        load.go_on(1)
        for step in steps:
            step(lab)
            load.go_on(1)
        expect_unharmed(run, *load.stop())
        status = lab.balancer.status()
        run.expect(not status["problems"], f"at the end there are problems: {status['problems']}")
        return status


def _start(program="astild", size="usual"):
    def step(lab):
        lab.balancer.start(_configuration(lab, size), program=program)

    return step


def _crash(lab):
    lab.balancer.crash()


def _stop(lab):
    lab.balancer.stop()


@case("kill_9_under_load_both_versions", ways=_BOTH)
@case("kill_9_under_load", long=True)
def kill_9_under_load(run, ways=()):
    """kill -9 of astild and a new start, twice."""
    status = _under_load(run, _crash, _start(), _crash, _start(), ways=ways)
    run.expect(status["adopted"], "the new daemon did not adopt the packet path that was running")


@case("restart_while_probes_get_no_answer")
def restart_while_probes_get_no_answer(run):
    """For a moment after a restart no probe is answered in time: backends stay in rotation, as they were before, and the
    rings as they are. One that was down before is not used for that."""
    health = {"type": "http", "port": FAULTY_PORT, "interval": "500ms", "timeout": "200ms", "rise": 1, "fall": 4}
    with run.lab() as lab:
        servers = {name: FaultyServer(server) for name, server in lab.servers.items()}
        lab.start_balancer(health=health)
        servers["b3"].become("error")
        lab.balancer.wait_until_out_of_rotation("b3")
        load = SteadyLoad(lab, FORWARDINGS)
        lab.balancer.crash()
        for name in ("b1", "b2"):
            servers[name].become("hang")
        before = len(lab.balancer.ring_changes())
        lab.balancer.start(lab.configuration(health=health))
        load.go_on(0.8)
        for name in ("b1", "b2"):
            servers[name].become("well")
        load.go_on(1.5)
        changes = lab.balancer.ring_changes()[before:]
        run.expect(not changes, f"the rings changed: {changes}")
        rotation = {name: each["in_rotation"] for name, each in lab.balancer.backends("nat").items()}
        run.expect(rotation == {"b1": True, "b2": True, "b3": False}, f"in rotation are {rotation}")
        expect_unharmed(run, *load.stop())


@case("stop_under_load")
def stop_under_load(run):
    """SIGTERM leaves packets flowing, and a new start takes over."""
    status = _under_load(run, _stop, _start())
    run.expect(status["adopted"], "the new daemon did not adopt the packet path that was running")


@case("new_program_under_load")
def new_program_under_load(run):
    """A newly loaded program takes the place of the running one, on every interface."""
    seen = []
    _under_load(
        run,
        lambda lab: seen.append(lab.balancer.programs()),
        _stop,
        _start(),
        lambda lab: seen.append(lab.balancer.programs()),
    )
    before, after = seen
    run.expect(set(before) == set(after) == {"eth0", "eth1"}, f"not on every interface: {before}, then {after}")
    run.expect(all(before[name] != after[name] for name in before), f"the program is the old one: {before}, {after}")


@case("other_layout_under_load_both_versions", ways=_BOTH)
@case("other_layout_under_load", long=True)
def other_layout_under_load(run, ways=()):
    """A daemon with another layout of the tables takes over with all flows, and one with the first layout does again."""
    versions = []
    _under_load(
        run,
        lambda lab: versions.append(lab.balancer.status()["layout_version"]),
        _stop,
        _start("astild-next"),
        lambda lab: versions.append(lab.balancer.status()["layout_version"]),
        _crash,
        _start("astild-back"),
        ways=ways,
    )
    run.figure(layout_versions=versions)
    run.expect(versions[0] != versions[1], f"both daemons have layout {versions[0]}")


def _slots(lab):
    return next(table["capacity"] for table in lab.balancer.status()["tables"] if table["name"] == "flows")


@case("other_table_size_at_start_under_load_both_versions", long=True, ways=_BOTH)
@case("other_table_size_at_start_under_load")
def other_table_size_at_start_under_load(run, ways=()):
    """A restart with a larger flow table, and one with a smaller one, carries all flows over."""
    sizes = []
    _under_load(
        run,
        _stop,
        _start(size="larger"),
        lambda lab: sizes.append(_slots(lab)),
        _stop,
        _start(size="smaller"),
        lambda lab: sizes.append(_slots(lab)),
        ways=ways,
    )
    wanted = [_slots_for(ways)[size] for size in ("larger", "smaller")]
    run.expect(sizes == wanted, f"the tables have {sizes} slots")


@case("other_table_size_live_under_load_both_versions", long=True, ways=_BOTH)
@case("other_table_size_live_under_load")
def other_table_size_live_under_load(run, ways=()):
    """The same by `astil apply`, without a restart."""
    sizes = []
    _under_load(
        run,
        lambda lab: lab.balancer.apply(_configuration(lab, "larger")),
        lambda lab: sizes.append(_slots(lab)),
        ways=ways,
    )
    run.expect(sizes == [_slots_for(ways)["larger"]], f"the table has {sizes} slots")


@case("start_and_detach_reset_nobody")
def start_and_detach_reset_nobody(run):
    """Clients that are there before the start and after the detach see silence or 'unreachable', never a reset."""
    with run.lab() as lab:
        load = lab.traffic.start_short(lab.to("direct"), parallel=4, timeout_ms=300)
        lab.start_balancer(forwardings=["direct"])
        SteadyLoad.go_on(0.5)
        lab.balancer.astil("detach")
        SteadyLoad.go_on(0.5)
        report = load.stop()
        run.figure(connections=report["connections"], failures=report["failures"])
        run.expect(report["connections"] > 0, f"no connection at all: {report}")
        seen = {kind for kind in report["failures"] if kind in ("refused", "reset", "cut_short")}
        run.expect(not seen, f"clients saw {seen}: {report['failures']}")
