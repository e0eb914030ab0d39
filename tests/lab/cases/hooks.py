"""The hooks of the kernel: tc beside XDP, and the way from one to the other."""

import time

from harness.case import case
from harness.configuration import FORWARDINGS
from harness.servers import files, gibibyte
from harness.steady import SteadyLoad, expect_unharmed
from harness.transfers import digest, download, upload, wrong_transfers
from harness.ways import KINDS, WAYS

_CONNECTIONS = 2000


def _leave_to_devices(lab):
    for host in (lab.net.client, lab.net.balancer, *lab.net.backends.values()):
        host.leave_to_device("eth0")


def _by_tc(run, ways):
    """Checksums and segments are left to the devices, as by default: many connections and transfers of 1 MiB, each
    byte of which arrives."""
    large = files() / "1m"
    wanted = digest(large)
    with run.lab(ways=ways) as lab:
        _leave_to_devices(lab)
        lab.start_balancer_for(ways, more={"dataplane": {"hook": "auto"}})
        hooks = {each["name"]: each["hook"] for each in lab.balancer.status()["interfaces"]}
        run.expect(set(hooks.values()) == {"tc"}, f"virtual interfaces are attached to by {hooks}")
        for way in ways:
            report = lab.traffic.short(way.to(), connections=_CONNECTIONS)
            run.expect(report["failed"] == 0, f"{way}: {report}")
            run.expect(len(report["backends"]) == 3, f"{way}: not every backend was used: {report}")
            wrong = wrong_transfers(lab, way, large, wanted)
            run.expect(not wrong, f"{way}: {wrong}")
            run.figure(**{f"{way}_failed": report["failed"]})
        for service in lab.balancer.status()["services"]:
            traffic = service["traffic"]
            mean = traffic["bytes"] / traffic["packets"]
            run.figure(**{f"{service['name']}_mean_bytes": round(mean)})
            run.expect(traffic["bytes"] > large.stat().st_size, f"{service['name']}: {traffic}")


for _kind, _ways in KINDS.items():
    case(f"tc_{_kind}", ways=_ways)(_by_tc)


def _gibibyte(run, way, transfer):
    """1 GiB arrives byte for byte, in packets that are larger than the wire's."""
    with gibibyte() as large, run.lab(backends=1, ways=[way]) as lab:
        wanted = digest(large)
        _leave_to_devices(lab)
        lab.start_balancer_for([way], more={"dataplane": {"hook": "tc"}})
        begun = time.monotonic()
        wrong = transfer(lab, way, large, wanted, timeout=100)
        run.figure(seconds=round(time.monotonic() - begun, 1))
        run.expect(not wrong, wrong)


for _way in WAYS.values():
    for _transfer in (download, upload):
        case(f"tc_gibibyte_{_transfer.__name__}_{_way}", long=True, way=_way, transfer=_transfer)(_gibibyte)


@case("hook_changed_under_load")
def hook_changed_under_load(run):
    """From XDP to tc and to generic XDP and back, by `astil apply`: nothing breaks."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, FORWARDINGS, lasting=300, parallel=4)
        load.go_on(0.5)
        for hook, shown in (("tc", "tc"), ("xdp", "xdp native"), ("tc", "tc"), ("xdp-generic", "xdp generic")):
            lab.balancer.apply(lab.configuration(more={"dataplane": {"hook": hook}}))
            hooks = [each["hook"] for each in lab.balancer.status()["interfaces"]]
            run.expect(set(hooks) == {shown}, f"the hook is {hook}, and in use is {hooks}")
            load.go_on(1)
        expect_unharmed(run, *load.stop())


@case("kill_9_under_load_by_tc")
def kill_9_under_load_by_tc(run):
    """kill -9 of astild and a new start: what is at the tc hook stays, and is taken over."""
    more = {"dataplane": {"hook": "tc"}}
    with run.lab() as lab:
        lab.start_balancer(more=more)
        load = SteadyLoad(lab, FORWARDINGS, lasting=300, parallel=4)
        load.go_on(0.5)
        lab.balancer.crash()
        load.go_on(1)
        lab.balancer.start(lab.configuration(more=more))
        lab.balancer.wait_until_in_rotation()
        load.go_on(1)
        expect_unharmed(run, *load.stop())
        hooks = [each["hook"] for each in lab.balancer.status()["interfaces"]]
        run.expect(set(hooks) == {"tc"}, f"in use is {hooks}")
