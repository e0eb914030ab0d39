"""The configuration changes under load, and no connection notices."""

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.steady import SteadyLoad, expect_unharmed

_MOST_MOVED = 1.2  # times the least possible


def _apply(run, lab, what, config):
    """Applies and judges how much of the rings moved."""
    rings = lab.balancer.apply(config)["rings"]
    run.expect({ring["service"] for ring in rings} == set(FORWARDINGS), f"{what}: not every ring changed: {rings}")
    for ring in rings:
        share, least = ring["moved"] / ring["slots"], ring["least"] / ring["slots"]
        key = f"{what}_{ring['service']}"
        run.figure(**{f"{key}_moved": round(share, 4), f"{key}_least": round(least, 4)})
        enough = ring["moved"] <= _MOST_MOVED * ring["least"]
        run.expect(enough, f"{what}: {share:.4f} of the ring moved, {least:.4f} had to")


def _under_load(run, lab, steps):
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
        weights = {"b1": 3, "b2": 1, "b3": 1}
        short = _under_load(
            run,
            lab,
            [
                lambda: _apply(run, lab, "weight", lab.configuration(weights=weights)),
                lambda: _apply(run, lab, "added", lab.configuration(weights={**weights, added: 1})),
                lambda: lab.balancer.wait_until_in_rotation(added),
            ],
        )
        for each in FORWARDINGS:
            run.expect(added in short[each]["backends"], f"{each}: the new backend got no connection")


@case("backend_removed_under_load")
def backend_removed_under_load(run):
    """A backend taken out of the file keeps its open connections, and gets no new one."""
    with run.lab() as lab:
        lab.start_balancer()
        _under_load(run, lab, [lambda: _apply(run, lab, "removed", lab.configuration(weights={"b1": 1, "b2": 1}))])
        for each in FORWARDINGS:
            after = lab.traffic.short(lab.to(each), connections=500)
            run.expect("b3" not in after["backends"], f"{each}: the removed backend got connections: {after}")
            run.expect(after["failed"] == 0, f"{each}: connections failed: {after}")


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
