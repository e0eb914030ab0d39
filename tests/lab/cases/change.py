"""The configuration changes under load, and no connection notices."""

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.steady import SteadyLoad, expect_unharmed
from harness.ways import WAYS

_MOST_MOVED = 1.2  # times the least possible


def _least(before, after):
    """The share of a ring that has to move for new weights: what the gaining backends gain."""
    old, new = (
        {name: weight / sum(weights.values()) for name, weight in weights.items()} for weights in (before, after)
    )
    return sum(max(0, share - old.get(name, 0)) for name, share in new.items())


def _change_weights(run, lab, what, before, after):
    """Applies new weights, waits until their backends are used, and judges how much of each ring has moved for it."""
    earlier = lab.balancer.ring_changes()
    lab.balancer.apply(lab.configuration(weights=after))
    lab.balancer.wait_until_in_rotation(*after)
    least = _least(before, after)
    for each in FORWARDINGS:
        changes = lab.balancer.ring_changes()[len(earlier) :]
        moved = sum(change["moved"] / change["slots"] for change in changes if change["service"] == each)
        run.figure(**{f"{what}_{each}_moved": round(moved, 4), f"{what}_least": round(least, 4)})
        run.expect(moved > 0, f"{what}: the ring of {each} did not change")
        run.expect(moved <= _MOST_MOVED * least, f"{what}: {moved:.4f} of the ring of {each} moved, {least:.4f} had to")


def _under_load(run, lab, *steps):
    load = SteadyLoad(lab, FORWARDINGS, lasting=300, parallel=4)
    load.go_on(0.5)
    for step in steps:
        step()
        load.go_on(1)
    short, long = load.stop()
    expect_unharmed(run, short, long)
    return short


@case("weight_and_new_backend_under_load")
def weight_and_new_backend_under_load(run):
    """A weight changed and a backend added: nothing breaks, and hardly more of the rings moves than must."""
    with run.lab() as lab:
        lab.start_balancer()
        added = lab.add_server()
        equal = {"b1": 1, "b2": 1, "b3": 1}
        heavier = {**equal, "b1": 3}
        four = {**heavier, added: 1}
        short = _under_load(
            run,
            lab,
            lambda: _change_weights(run, lab, "weight", equal, heavier),
            lambda: _change_weights(run, lab, "added", heavier, four),
        )
        for each in FORWARDINGS:
            run.expect(added in short[each]["backends"], f"{each}: the new backend got no connection")


@case("backend_removed_under_load")
def backend_removed_under_load(run):
    """A backend taken out of the file keeps its open connections, and gets no new one."""
    with run.lab() as lab:
        lab.start_balancer()
        three, two = {"b1": 1, "b2": 1, "b3": 1}, {"b1": 1, "b2": 1}
        _under_load(run, lab, lambda: _change_weights(run, lab, "removed", three, two))
        for each in FORWARDINGS:
            after = lab.traffic.short(lab.to(each), connections=500)
            run.expect("b3" not in after["backends"], f"{each}: the removed backend got connections: {after}")
            run.expect(after["failed"] == 0, f"{each}: connections failed: {after}")


@case("forwarding_changed_under_load")
def forwarding_changed_under_load(run):
    """From nat to full-nat and back: connections that are open keep the forwarding that they began with."""
    ways = [WAYS["nat_ipv4"], WAYS["nat_ipv6"]]
    with run.lab(ways=ways) as lab:
        lab.start_balancer_for(ways)
        load = SteadyLoad(lab, ways, lasting=100, parallel=4)
        load.go_on(0.5)
        for forwarding in ("full-nat", "nat", "full-nat"):
            services = {way.name: {**way.service(lab.servers.values()), "forwarding": forwarding} for way in ways}
            lab.balancer.apply(lab.configuration_of(services))
            load.go_on(1)
            shown = {service["forwarding"] for service in lab.balancer.status()["services"]}
            run.expect(shown == {forwarding}, f"the forwarding is {shown}, not {forwarding}")
        expect_unharmed(run, *load.stop())
        for way in ways:
            flows = lab.balancer.query("flows", "--service", way.name, "--limit", "100000")["flows"]
            hidden = sum(1 for flow in flows if flow["source"])
            run.figure(**{f"{way}_flows": len(flows), f"{way}_full_nat": hidden})
            run.expect(0 < hidden < len(flows), f"{way}: of {len(flows)} flows {hidden} are under full-nat")


@case("source_addresses_changed_under_load")
def source_addresses_changed_under_load(run):
    """Source addresses of full NAT come and go: nothing breaks, and one without connections leaves the interface."""
    ways = [WAYS["full_nat_ipv4"], WAYS["full_nat_ipv6"]]
    first, second = ["10.0.0.200", "2001:db8:2::200"], ["10.0.0.201", "2001:db8:2::201"]
    timeouts = {"timeouts": {"half_open": "1s", "closing": "1s", "closed": "1s"}}
    with run.lab(ways=ways) as lab:

        def with_sources(*sources):
            return lab.configuration_for(ways, more={"full_nat": {"sources": list(sources)}, "dataplane": timeouts})

        def on_interface():
            shown = lab.net.balancer.run("ip", "-o", "address", "show", "dev", "eth1").stdout
            return {address for address in first + second if f" {address}/" in shown}

        lab.balancer.start(with_sources(*first))
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ways, lasting=100, parallel=4)
        load.go_on(0.5)
        for sources in (first + second, second, first):
            lab.balancer.apply(with_sources(*sources))
            load.go_on(1)
            run.expect(set(sources) <= on_interface(), f"on the interface are {on_interface()}, not {sources}")
        expect_unharmed(run, *load.stop())
        run.expect(on_interface() == {*first, *second}, f"{on_interface()}: those that drain have to stay")


@case("backend_moved_under_load")
def backend_moved_under_load(run):
    """A backend that gets another address under its name: its flows stay, and each metric has one series a backend."""
    with run.lab() as lab:
        lab.start_balancer()
        added = lab.add_server()
        moved = lab.configuration(weights={"b1": 1, "b2": 1, "b3": 1})
        for service in moved["services"].values():
            service["backends"]["b3"]["address"] = lab.servers[added].address
        load = SteadyLoad(lab, FORWARDINGS, lasting=300, parallel=4)
        load.go_on(0.5)
        lab.balancer.apply(moved)
        load.go_on(1.5)
        retired = [name for name, shown in lab.balancer.backends("nat").items() if shown["retired"]]
        scrape = lab.net.balancer.run("curl", "-s", "http://127.0.0.1:9105/metrics").stdout
        expect_unharmed(run, *load.stop())
        run.expect(retired == ["10.0.0.13:8080"], f"shown as retired: {retired}")
        series = [line.rsplit(" ", 1)[0] for line in scrape.splitlines() if not line.startswith("#")]
        twice = sorted({name for name in series if series.count(name) > 1})
        run.expect(series and not twice, f"of {len(series)} series there are two of {twice}")
        run.expect('astil_service_backends{service="nat"} 3' in scrape, "the retired backend counts as configured")


@case("service_added_and_removed_under_load")
def service_added_and_removed_under_load(run):
    """Services come and go beside one under load, which does not notice."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"])
        load = SteadyLoad(lab, ["nat"])
        lab.balancer.apply(lab.configuration())
        lab.balancer.wait_until_in_rotation()
        for each in ("tunnel", "direct"):
            report = lab.traffic.short(lab.to(each), connections=300)
            run.expect(report["failed"] == 0, f"the added service {each}: {report}")
        lab.balancer.apply(lab.configuration(forwardings=["nat"]))
        gone = lab.traffic.curl(f"http://{lab.to('direct')}/", "--connect-timeout", "1", check=False)
        run.expect(gone.returncode != 0, "the removed service still answers")
        expect_unharmed(run, *load.stop())
