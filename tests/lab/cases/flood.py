"""Floods: SYNs, SYNs with ACKs, bare ACKs, from sources that nobody has and more than the flow table has room for, while
the ring changes. The connections that were there before do not notice."""

import collections
import functools
import itertools
import time

from harness import process
from harness.case import case
from harness.flood import KINDS, Flood
from harness.topology import two_arm
from harness.ways import WAYS

_LASTING = 1000
_INTERVAL_MS = 500
# Links that are full lose packets, and flood, clients, servers and balancer share the processors: an answer may take its
# time. It must come: through nat, from a wrong backend it never does.
_TIMEOUT_MS = 60_000
_SLOTS = 65_536
_OVERFILL = 4  # So many times the table's slots have to reach the balancer; full links may lose the others.
_BETWEEN_CHANGES_S = 0.25
# One after the other, so that each flow has to leave the ring's choice at some time.
_WEIGHTS = ({"b1": 0}, {"b2": 0}, {"b3": 0}, {"b1": 3})
_EVENTS = ("evicted_established", "evicted_closing", "evicted_half_open", "contended", "limited")
_DROPS = ("no_port", "no_connection")  # under full NAT alone
_TABLES = {"dataplane": {"tables": {"flow_slots": _SLOTS}}}


def _await_established(lab, way):
    """Where replies do not pass the balancer, connections have earned their place after two age ticks of 16 s."""

    def all_are():
        flows = lab.balancer.query("flows", "--service", way.name, "--limit", "100000")["flows"]
        return sum(flow["state"] == "established" for flow in flows) >= _LASTING

    process.until(all_are, f"{_LASTING} established flows", timeout=60)


def _counts(lab):
    """Of the one service's traffic, of what happened to the flow table, and of what was dropped."""
    status = lab.balancer.status()
    events = {event["event"]: event["count"] for event in status["flow_events"]}
    drops = collections.Counter()
    for drop in lab.balancer.query("drops")["drops"]:
        drops[drop["reason"]] += drop["count"]
    return {**status["services"][0]["traffic"], **events, **{reason: drops[reason] for reason in _DROPS}}


def _counter_of_flows(kind, way):
    """An ACK opens no connection; under full NAT it is dropped as one of none."""
    if kind != "acks":
        return "new_connections"
    return "no_connection" if way.hides_clients else "packets"


def _flood_and_change(run, lab, way, kind, flows, first, weights):
    """A flood of one kind, and meanwhile one change of the ring after the other."""
    before = _counts(lab)
    flood = Flood(lab, way, kind, flows, first)
    changes, limited = 0, False
    while flood.lasts():
        lab.balancer.apply(lab.configuration_for([way], more=_TABLES, weights=next(weights)))
        changes += 1
        limited = limited or lab.balancer.status()["limits_new_flows"]
        time.sleep(_BETWEEN_CHANGES_S)
    report = flood.finish()
    after = _counts(lab)
    seen = {name: after[name] - before[name] for name in after}
    arrived = seen[_counter_of_flows(kind, way)]
    run.figure(**{
        f"{kind}_frames": report["frames"],
        f"{kind}_seconds": round(report["seconds"], 1),
        f"{kind}_lost": max(flows - arrived, 0),
        f"{kind}_changes": changes,
        f"{kind}_limit_told": limited,
        **{f"{kind}_{name}": seen[name] for name in (*_EVENTS, *_DROPS) if seen[name]},
    })  # fmt: skip
    run.expect(report["frames"] == flood.frames, f"{kind}: {report} of {flood.frames} frames")
    run.expect(arrived > _OVERFILL * _SLOTS, f"{kind}: of {flows} flows came {arrived}: {seen}")
    run.expect(changes >= 2, f"{kind}: the ring changed {changes} times")


def _floods(run, way, flows):
    """1,000 lasting connections through a table of 64 K slots outlive floods of SYNs, of SYNs and ACKs, and of ACKs,
    while backends are drained and come back: none breaks."""
    with run.lab(functools.partial(two_arm, crowded=True), ways=[way]) as lab:
        lab.net.route_strangers()
        lab.start_balancer_for([way], more=_TABLES)
        lasting = lab.traffic.start_long(way.to(), _LASTING, interval_ms=_INTERVAL_MS, timeout_ms=_TIMEOUT_MS)
        _await_established(lab, way)
        weights = itertools.cycle(_WEIGHTS)
        for number, kind in enumerate(KINDS):
            _flood_and_change(run, lab, way, kind, flows, number * flows, weights)
        report = lasting.stop()
        run.figure(broken=report["failed"], requests=report["answers"], longest_ms=round(report["longest_ms"]))
        run.expect(report["failed"] == 0, f"of {_LASTING} connections broke {report['failed']}: {report}")
        run.expect(report["connections"] == _LASTING, f"there were not {_LASTING} connections: {report}")


case("flood", alone=True, way=WAYS["nat_ipv4"], flows=500_000)(_floods)
case("flood_under_full_nat", alone=True, way=WAYS["full_nat_ipv4"], flows=1_000_000)(_floods)
for _name in ("nat_ipv4", "ipip_4in4", "direct_ipv4", "gue_6in6", "nat_ipv6", "full_nat_ipv4", "full_nat_ipv6"):
    case(f"flood_of_ten_million_{_name}", long=True, alone=True, way=WAYS[_name], flows=10_000_000)(_floods)
