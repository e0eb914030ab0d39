"""Connections through each forwarding: many of them, spread by weight, large transfers, and the field's own tools."""

import hashlib

from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS
from harness.servers import files
from harness.topology import one_arm, two_arm

_WEIGHTS = {"b1": 1, "b2": 1, "b3": 2}
_SPREAD = 0.05  # how far a share may be from its weight's


def _shares(report):
    total = sum(backend["connections"] for backend in report["backends"].values())
    return {name: backend["connections"] / total for name, backend in report["backends"].items()}


def _expect_spread(run, report, tolerance):
    shares = _shares(report)
    run.figure(shares={name: round(share, 4) for name, share in shares.items()})
    for name, weight in _WEIGHTS.items():
        wanted = weight / sum(_WEIGHTS.values())
        off = abs(shares.get(name, 0) / wanted - 1)
        run.expect(off <= tolerance, f"{name} has {shares.get(name, 0):.4f} of the connections, not {wanted}")


def _hundred_thousand(run, forwarding):
    """100,000 connections, none fails; 20,000 different flows spread as the weights 1:1:2 say."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=[forwarding], weights=_WEIGHTS)
        spread = lab.traffic.short(lab.to(forwarding), connections=20_000, ports="1024-10999")
        _expect_spread(run, spread, _SPREAD)
        rest = lab.traffic.short(lab.to(forwarding), connections=80_000, ports="11000-65535", parallel=100)
        run.figure(
            connections=spread["connections"] + rest["connections"],
            failed=spread["failed"] + rest["failed"],
            per_second=round(rest["connections"] / rest["seconds"]),
        )
        run.expect(spread["failed"] + rest["failed"] == 0, f"connections failed: {spread}, {rest}")
        run.expect(spread["connections"] + rest["connections"] == 100_000, "not every connection was made")


for _forwarding in FORWARDINGS:
    case(f"connections_{_forwarding}", forwarding=_forwarding)(_hundred_thousand)


@case("round_robin_weights")
def round_robin_weights(run):
    """Round robin gives each backend its weight's share exactly, up to one turn on each processor."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["direct"], weights=_WEIGHTS, scheduler="round-robin")
        report = lab.traffic.short(lab.to("direct"), connections=20_000)
        _expect_spread(run, report, tolerance=0.01)
        run.expect(report["failed"] == 0, f"connections failed: {report}")


def _transfers(lab, forwarding, count=20):
    """Downloads and uploads of 1 MiB, checked byte for byte. Returns how many came out wrong."""
    large = files() / "1m"
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    wrong = 0
    for _ in range(count):
        target = lab.directory / "downloaded"
        lab.traffic.curl(f"http://{lab.to(forwarding)}/1m", "--output", target)
        wrong += hashlib.sha256(target.read_bytes()).hexdigest() != digest
        sent = lab.traffic.curl(
            f"http://{lab.to(forwarding)}/", "--data-binary", f"@{large}", "-H", "Expect:", "-o", "/dev/null",
            "-w", "%{http_code} %{size_upload}",
        ).stdout
        wrong += sent != f"200 {large.stat().st_size}"
    return wrong


def _every_forwarding(run, topology):
    """Short, lasting and large transfers through every forwarding, by lab_client, curl, wrk and h2load."""
    with run.lab(topology) as lab:
        lab.start_balancer()
        for each in FORWARDINGS:
            url = f"http://{ADDRESSES[each]}/"
            short = lab.traffic.short(lab.to(each), connections=3000)
            lasting = lab.traffic.start_long(lab.to(each), connections=300).stop()
            wrong = _transfers(lab, each)
            wrk = lab.traffic.wrk(url, seconds=2, close=True)
            h2load = lab.traffic.h2load(url)
            failed = short["failed"] + lasting["failed"] + wrk["failed"] + h2load["failed"]
            run.figure(**{f"{each}_failed": failed, f"{each}_wrong_transfers": wrong, f"{each}_wrk": wrk["per_second"]})
            run.expect(failed == 0, f"{each}: {short} {lasting} {wrk} {h2load}")
            run.expect(wrong == 0, f"{each}: {wrong} transfers of 1 MiB came out wrong")
            run.expect(len(short["backends"]) == 3, f"{each}: not every backend was used: {short}")
            run.expect(wrk["requests"] > 0 and h2load["requests"] == 20_000, f"{each}: {wrk} {h2load}")


case("two_arm", topology=two_arm)(_every_forwarding)
case("one_arm", topology=one_arm, long=True)(_every_forwarding)


@case("client_behind_router")
def client_behind_router(run):
    """Under nat, replies find clients that are not on the balancer's own net."""
    with run.lab() as lab:
        remote = "198.51.100"
        lab.net.client.ip(*(f"address add {remote}.{host}/32 dev lo" for host in range(1, 5)))
        lab.net.balancer.ip(f"route add {remote}.0/24 via 10.1.0.10")
        lab.start_balancer(forwardings=["nat"])
        report = lab.traffic.short(lab.to("nat"), connections=2000, source=f"{remote}.1-{remote}.4")
        run.figure(connections=report["connections"], failed=report["failed"])
        run.expect(report["failed"] == 0, f"connections failed: {report}")


@case("connections_100k_wrk", long=True)
def connections_100k_wrk(run):
    """wrk makes at least 100,000 connections through each forwarding, and none fails."""
    with run.lab() as lab:
        lab.start_balancer()
        for each in FORWARDINGS:
            done = lab.traffic.wrk_until(f"http://{lab.to(each)}/", 100_000, seconds=10)
            run.figure(**{f"{each}_requests": done["requests"], f"{each}_failed": done["failed"]})
            run.expect(done["requests"] >= 100_000 and done["failed"] == 0, f"{each}: wrk counts {done}")
