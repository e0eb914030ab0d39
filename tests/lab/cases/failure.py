"""A backend dies under load, by its process or with its whole host, and comes back; what checks find, and what clients'
connections tell before."""

import time

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.steady import SteadyLoad
from harness.ways import WAYS

_INTERVAL_MS, _TIMEOUT_MS, _FALL = 200, 150, 3
_HEALTH = {
    "type": "http",
    "interval": f"{_INTERVAL_MS}ms",
    "timeout": f"{_TIMEOUT_MS}ms",
    "rise": 2,
    "fall": _FALL,
}
_BOUND_S = (_FALL * _INTERVAL_MS + _TIMEOUT_MS) / 1000
# The checks share two processors with the load; what they wait for a turn is not the balancer's doing.
_SCHEDULING_S = 0.1


def _process_dies(lab):
    lab.servers["b2"].kill_web()


def _process_returns(lab):
    lab.servers["b2"].start_web()


def _host_dies(lab):
    lab.net.switch.ip("link set b2 down")


def _host_returns(lab):
    lab.net.switch.ip("link set b2 up")


def _backend_dies(run, forwarding, die, come_back):
    """New connections avoid a dead backend in time, flows of the others are untouched, and it is used again later."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=[forwarding], health=_HEALTH)
        # At a pace, and with room for those that wait for the dead one, or none would be left to see when it leaves the
        # rotation. Patient enough for a SYN that was lost on the way and is sent again after a second.
        load = SteadyLoad(lab, [forwarding], timeout_ms=2500, per_second=1000, parallel=2000)
        load.go_on(0.5)
        died = time.monotonic()
        die(lab)
        lab.balancer.wait_until_out_of_rotation("b2")
        noticed = time.monotonic() - died
        load.go_on(1)
        short, long = load.stop()
        _judge(run, died, noticed, short[forwarding], long[forwarding])
        come_back(lab)
        lab.balancer.wait_until_in_rotation("b2")
        after = lab.traffic.short(lab.to(forwarding), connections=900)
        run.expect(after["failed"] == 0, f"after its return connections fail: {after}")
        run.expect("b2" in after["backends"], f"the backend that returned gets no connection: {after}")


def _judge(run, died, noticed, short, long):
    # One whose first SYN met the dead backend failed, or was delayed until its second SYN met another.
    last_met = max(short.get("last_failed_started", died), short["last_delayed_started"], died) - died
    run.figure(
        bound_s=_BOUND_S,
        out_of_rotation_s=round(noticed, 3),
        last_connection_to_it_s=round(last_met, 3),
        failed_meanwhile=short["failures"],
        delayed_meanwhile=short["delayed"],
        lasting_of_others=sum(each["connections"] for name, each in long["backends"].items() if name != "b2"),
    )
    limit = _BOUND_S + _SCHEDULING_S
    run.expect(last_met <= limit, f"a connection begun {last_met:.3f} s after the death still went there")
    run.expect(noticed <= limit, f"it was out of rotation only after {noticed:.3f} s")
    touched = {name: each["broken"] for name, each in long["backends"].items() if name != "b2" and each["broken"]}
    run.expect(not touched, f"flows of the other backends broke: {touched}")
    run.expect("changed" not in long["failures"], "a lasting connection got another backend")


for _forwarding in FORWARDINGS:
    case(
        f"backend_process_dies_{_forwarding}",
        alone=True, forwarding=_forwarding, die=_process_dies, come_back=_process_returns,
    )(_backend_dies)  # fmt: skip
for _forwarding in ("tunnel", "nat"):
    case(
        f"backend_host_dies_{_forwarding}",
        alone=True, forwarding=_forwarding, die=_host_dies, come_back=_host_returns,
    )(_backend_dies)  # fmt: skip


@case("clients_connections_hurry_the_checks")
def clients_connections_hurry_the_checks(run):
    """Checks once a minute would find a dead backend after minutes. It refuses clients' connections, or leaves them without
    an answer: that is seen, told, and checked at once, and it is out within seconds; under nat and full NAT."""
    seldom = {"type": "http", "interval": "60s", "timeout": "500ms", "rise": 1, "fall": 2}
    ways = [WAYS["nat_ipv4"], WAYS["full_nat_ipv4"]]
    with run.lab(ways=ways) as lab:
        lab.start_balancer_for(ways, health=seldom)
        options = {"per_second": 500, "parallel": 2000, "timeout_ms": 2500}
        loads = [lab.traffic.start_short(way.to(), **options) for way in ways]
        SteadyLoad.go_on(2)
        for name, word, die in (
            ("b2", "refused", lambda: lab.servers["b2"].kill_web()),
            ("b3", "left", lambda: lab.net.switch.ip("link set b3 down")),
        ):
            died = time.monotonic()
            die()
            lab.balancer.wait_until_out_of_rotation(name)
            run.figure(**{f"{word}_noticed_s": round(time.monotonic() - died, 2)})
            # The two have one check: who of them suspects first has it for both.
            whys = {way.name: lab.balancer.astil("why", name, "--service", way.name).stdout for way in ways}
            run.expect(any(f"it {word} " in why for why in whys.values()), f"of {name} why says {whys}")
            run.expect(all("its checks fail" in why for why in whys.values()), f"of {name} why says {whys}")
        for load in loads:
            load.stop()
        suspects = [line for line in lab.balancer.log_file.read_text().splitlines() if "is suspect" in line]
        run.expect(suspects, "nothing of it is in the log")
        run.expect(not any("backend=b1" in line for line in suspects), f"b1 is suspect, too: {suspects}")
