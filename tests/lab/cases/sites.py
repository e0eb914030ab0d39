"""Names that lead to sites: which are answered as their servers come and go, and as the operator orders."""

import re
import subprocess
import time

from cases.names import ZONE, Asker, section, status_of
from harness import process
from harness.case import case
from harness.configuration import NAT
from harness.topology import FRONT

_APEX = ["@ SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", f"ns1 A {FRONT}"]
_HEALTH = {"type": "http", "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}
WWW = f"www.{ZONE}"


def _names(lab, **changes):
    """A name with a site here, whose only backend is b1, and two elsewhere: b2 and b3 themselves."""
    elsewhere = lambda name, tier: {
        "addresses": [lab.servers[name].address], "tier": tier, "health": {**_HEALTH, "port": 80},
    }  # fmt: skip
    sites = {"here": {"services": ["nat"]}, "near": elsewhere("b2", 2), "far": elsewhere("b3", 3)}
    return {"www": {"policy": "failover", "ttl": {"min": "0s", "max": "60s"}, **changes, "sites": sites}}


def _configuration(lab, names, records=()):
    dns = section([*_APEX, *records], listen=[f"{FRONT}:53"], zone={"names": names})
    return lab.configuration(forwardings=["nat"], weights={"b1": 1}, health=_HEALTH, more={"dns": dns})


def _start(lab, names):
    lab.balancer.start(_configuration(lab, names))
    ask = Asker(lab)
    _await(ask, [NAT])
    return ask


def _await(ask, addresses, name=WWW):
    """Returns the seconds until the name has these."""
    begun = time.monotonic()
    process.until(lambda: ask.short("+notcp", name) == sorted(addresses), f"{name} at {addresses}")
    return time.monotonic() - begun


@case("sites_that_fail")
def sites_that_fail(run):
    """The answer follows the servers: from tier to tier as they are killed, and back as they return; SERVFAIL at last."""
    with run.lab() as lab:
        ask = _start(lab, _names(lab, when_down="servfail"))
        near, far = lab.servers["b2"].address, lab.servers["b3"].address
        lab.servers["b1"].kill_web()
        run.figure(seconds_until_other=round(_await(ask, [near]), 3), check_seconds=2 * 0.2 + 0.15)
        ttl = int(re.search(rf"^{WWW}\.\s+(\d+)", ask.dig("+notcp", WWW), re.M)[1])
        run.expect(ttl == 0, f"an answer that can be another in 200 ms is kept for {ttl} s")
        lab.servers["b2"].kill_web()
        _await(ask, [far])
        lab.servers["b3"].kill_web()
        process.until(lambda: status_of(ask.dig("+notcp", WWW)) == "SERVFAIL", "SERVFAIL")
        said = lab.balancer.astil("dns", "explain", WWW, "--from", "203.0.113.9").stdout
        run.expect("SERVFAIL" in said and "no site is up: servfail" in said and "0 of 1 backends" in said, said)
        lab.servers["b1"].start_web()
        _await(ask, [NAT])


@case("sites_ordered")
def sites_ordered(run):
    """What the operator orders of a site holds over a restart, until it is taken back."""
    with run.lab() as lab:
        ask = _start(lab, _names(lab, https={"alpn": ["h2"]}))
        near = lab.servers["b2"].address
        hint = lambda: ask.dig("+short", WWW, "HTTPS").strip()
        run.expect(hint() == f'1 . alpn="h2" ipv4hint={NAT}', f"HTTPS: {hint()}")
        lab.balancer.astil("dns", "site", "here", "down")
        _await(ask, [near])
        run.expect(hint() == f'1 . alpn="h2" ipv4hint={near}', f"HTTPS: {hint()}")
        lab.balancer.stop()
        lab.balancer.start()
        _await(ask, [near])
        said = lab.balancer.astil("dns", "explain", WWW).stdout
        run.expect("ordered down" in said and "tier 2 is the first" in said and near in said, said)
        lab.balancer.astil("dns", "site", "here", "auto")
        _await(ask, [NAT])
        refused = lab.balancer.astil("dns", "site", "hree", "down", check=False)
        run.expect(refused.returncode == 1 and "no name has a site 'hree'" in refused.stderr, refused.stderr)


def _dnsperf(lab, queries, *words):
    """What dnsperf tells of these queries: how many were sent, completed, lost, and the codes."""
    file = lab.directory / "queries"
    file.write_text("".join(f"{query}\n" for query in queries))
    told = lab.net.client.run("dnsperf", "-s", FRONT, "-d", file, "-q", "50", *map(str, words)).stdout
    number = lambda what: int(re.search(rf"Queries {what}:\s+(\d+)", told)[1])
    codes = dict(re.findall(r"(\w+) (\d+) \(", re.search(r"Response codes:(.*)", told)[1]))
    return number("sent"), number("completed"), number("lost"), codes


@case("sites_of_services_that_change_places")
def sites_of_services_that_change_places(run):
    """Services change places in the file, one that is well and one that is not: the name of the first is answered on."""
    with run.lab() as lab:
        names = {"www": {"when_down": "servfail", "ttl": {"min": "0s", "max": "60s"}, "sites": {"here": {"services": ["nat"]}}}}

        def configure(*order):
            dns = section(_APEX, listen=[f"{FRONT}:53"], zone={"names": names})
            made = lab.configuration(forwardings=["nat", "tunnel"], health=_HEALTH, more={"dns": dns})
            made["services"]["tunnel"]["health"] = {"type": "tcp", "port": 9, "interval": "200ms", "timeout": "100ms", "fall": 1}
            return {**made, "services": {each: made["services"][each] for each in order}}

        lab.balancer.start(configure("nat", "tunnel"))
        lab.balancer.wait_until_in_rotation(service="nat")
        for backend in lab.servers:
            process.until(lambda: not lab.balancer.backends("tunnel")[backend]["in_rotation"], f"{backend} out of the other")
        file = lab.directory / "queries"
        file.write_text(f"{WWW} A\n")
        words = ["-s", FRONT, "-d", file, "-l", "4", "-Q", "1000"]
        asked = lab.net.client.spawn("dnsperf", *words, stdout=subprocess.PIPE, text=True)
        for _ in range(4):
            lab.balancer.apply(configure("tunnel", "nat"))
            lab.balancer.apply(configure("nat", "tunnel"))
        told = asked.communicate(timeout=60)[0]
        codes = re.search(r"Response codes:(.*)", told)[1]
        run.expect("SERVFAIL" not in codes and "Queries lost:         0" in told, told)


@case("sites_by_weight")
def sites_by_weight(run):
    """Of 100,000 answers each site has its part, within a percentage point."""
    with run.lab(backends=1) as lab:
        weights = {"one": 1, "two": 2, "seven": 7}
        sites = {
            name: {"addresses": [f"198.51.100.{weight}"], "weight": weight} for name, weight in weights.items()
        }
        lab.balancer.start(_configuration(lab, {"www": {"policy": "weighted", "sites": sites}}))
        sent, completed, lost, _ = _dnsperf(lab, [f"{WWW} A"], "-n", 100_000)
        shown = lab.balancer.status()["dns"]["names"][0]["sites"]
        answers = {site["site"]: site["answers"] for site in shown}
        run.figure(sent=sent, lost=lost, **answers)
        total = sum(answers.values())
        run.expect(total >= completed, f"answers counted: {answers}, completed: {completed}")
        for name, weight in weights.items():
            run.expect(abs(answers[name] / total - weight / 10) < 0.01, f"shares: {answers}")


@case("names_change_under_load")
def names_change_under_load(run):
    """1,000 names get another address again and again while they are asked: no answer is lost, none is wrong."""
    with run.lab(backends=1) as lab:
        names = [f"n{number}" for number in range(1000)]
        records = lambda host: [f"{name} 10 A 198.51.100.{host}" for name in names]
        configure = lambda host: _configuration(lab, {}, records(host))
        lab.balancer.start(configure(1))
        queries = lab.directory / "names"
        queries.write_text("".join(f"{name}.{ZONE} A\n" for name in names))
        told = lab.directory / "dnsperf"
        asked = lab.directory / "dig"
        with open(told, "wb") as out, open(asked, "wb") as answers:
            load = lab.net.client.spawn(
                "dnsperf", "-s", FRONT, "-d", queries, "-l", "6", "-Q", "5000", stdout=out, stderr=out
            )
            judge = lab.net.client.spawn("dig", f"@{FRONT}", "+short", "+notcp", "-f", queries, stdout=answers)
            for host in (2, 1, 2, 1, 2, 1, 2):
                lab.balancer.apply(configure(host))
            load.wait(timeout=60)
            judge.wait(timeout=60)
        text = told.read_text()
        sent, lost = (int(re.search(rf"Queries {what}:\s+(\d+)", text)[1]) for what in ("sent", "lost"))
        codes = re.search(r"Response codes:\s+(.*)", text)[1]
        run.figure(sent=sent, lost=lost)
        run.expect(lost == 0 and codes.startswith("NOERROR") and "," not in codes, text)
        said = asked.read_text().split()
        run.expect(len(said) == 1000 and set(said) <= {"198.51.100.1", "198.51.100.2"}, f"dig: {len(said)} {set(said)}")
        ask = Asker(lab)
        run.expect(ask.short(f"n999.{ZONE}") == ["198.51.100.2"], "the last change is not there")
