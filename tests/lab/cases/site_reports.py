"""Sites elsewhere whose balancers tell of themselves: two nodes, each a site, and the first answers for the name."""

import json
import subprocess
import sys
import time

from cases.names import ZONE, Asker, section
from cases.remote import identity
from harness import configuration, paths, process
from harness.case import case
from harness.pair import OWN, Pair, PairNet
from harness.topology import SERVICE_NET

WWW = f"www.{ZONE}"
_TOKEN = "names-0123456789abcdef0123456789"
_PORT = 9443
HERE, THERE = configuration.TUNNEL, configuration.DIRECT
_APEX = ["@ SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", f"ns1 A {OWN['lb1']}"]


class Sites:
    """`here` is lb1's own, by tunnel, and `there` lb2's, by MAC rewrite; each service holds `capacity` connections."""

    def __init__(self, lab, run, interval, capacity=100):
        self.lab, self.run, self.capacity, self.interval = lab, run, capacity, interval
        self.pair = Pair(lab, run)
        self.here, self.there = self.pair.balancers["lb1"], self.pair.balancers["lb2"]
        lab.net.nodes["lb1"].ip(f"route replace {SERVICE_NET} dev eth0")
        self.certificate, key = identity(lab, OWN["lb2"])
        tokens, self.token = lab.directory / "tokens", lab.directory / "token"
        tokens.write_text(f"names read-only {_TOKEN}\n")
        tokens.chmod(0o600)
        self.token.write_text(_TOKEN + "\n")
        self.remote = {"listen": f'"{OWN["lb2"]}:{_PORT}"', "certificate": self.certificate, "key": key, "tokens": tokens}

    def _services(self, name, forwarding):
        # Of three backends each has its part.
        made = self.lab.configuration(forwardings=[forwarding], capacity=self.capacity // 3)
        made["instance"] = self.pair.balancers[name].instance
        made["api"] = {"socket": f"/run/astil/{made['instance']}.sock"}
        return made

    def start_there(self):
        made = self._services("lb2", "direct")
        made["api"]["remote"] = self.remote
        self.there.start(made)
        self.there.wait_until_in_rotation()

    def start_here(self, when_stale="down", **name):
        report = {
            "servers": [f'"{OWN["lb2"]}:{_PORT}"'], "token_file": self.token, "ca_file": self.certificate,
            "interval": f"{self.interval}s", "stale_after": f"{3 * self.interval}s", "when_stale": when_stale,
        }  # fmt: skip
        sites = {"here": {"services": ["tunnel"]}, "there": {"addresses": [THERE], **name.pop("there", {})}}
        names = {"www": {"ttl": {"min": "1s", "max": "60s"}, **name, "sites": sites}}
        made = self._services("lb1", "tunnel")
        made["dns"] = section(_APEX, listen=[f"{OWN['lb1']}:53"], sites={"there": report}, zone={"names": names})
        self.here.start(made)
        self.here.wait_until_in_rotation()
        self.ask = Asker(self.lab)
        process.until(lambda: self.report()["answers"] > 0, "there tells of itself")

    def report(self):
        return self.here.status()["dns"]["reports"][0]

    def site(self, name):
        return next(site for site in self.here.status()["dns"]["names"][0]["sites"] if site["site"] == name)

    def share(self):
        """Of `there`, by the weights."""
        weights = {name: self.site(name)["weight_by_load"] for name in ("here", "there")}
        return weights["there"] / sum(weights.values())

    def answers(self):
        return self.ask.short("+notcp", WWW, server=OWN["lb1"])

    def until_answered(self, addresses):
        process.until(lambda: self.answers() == sorted(addresses), f"{WWW} at {addresses}")


@case("site_tells_of_itself")
def site_tells_of_itself(run):
    """A site's state is what its balancer says of its backends, by TLS with a token; once it is silent, the rule decides."""
    with run.lab(topology=PairNet) as lab:
        sites = Sites(lab, run, interval=1)
        sites.start_there()
        sites.start_here(policy="all")
        sites.until_answered([HERE, THERE])
        told = sites.site("there")["addresses"][0]["why"]
        run.expect("told" in told and "3 of 3 backends in rotation" in told, f"why it is up: {told}")
        for backend in ("b1", "b2", "b3"):
            sites.there.astil("backend", "maintenance", backend)
        sites.until_answered([HERE])
        for backend in ("b1", "b2", "b3"):
            sites.there.astil("backend", "activate", backend)
        sites.until_answered([HERE, THERE])
        sites.there.crash()
        sites.until_answered([HERE])
        report = sites.report()
        run.expect(report["stale"] and "no daemon answers" in report["failure"], f"the report: {report}")
        text = sites.here.astil("dns", "status").stdout
        run.expect("stale" in text and f"{OWN['lb2']}:{_PORT}" in text, text)
        problems = [each["what"] for each in sites.here.status()["problems"]]
        run.expect(any("site there does not tell of itself" in each for each in problems), f"problems: {problems}")
        sites.there.start()
        sites.until_answered([HERE, THERE])


@case("silent_site_is_probed")
def silent_site_is_probed(run):
    """Where its balancer is not heard, checks from here say how a site's addresses are."""
    with run.lab(topology=PairNet) as lab:
        sites = Sites(lab, run, interval=1)
        sites.start_there()
        health = {"type": "http", "port": 80, "interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 2}
        sites.start_here(policy="all", there={"health": health})
        sites.until_answered([HERE, THERE])
        # The packet path goes on without its daemon, and so does the site.
        sites.there.crash()
        process.until(lambda: sites.report()["stale"], "what was told is old")
        why = lambda: sites.site("there")["addresses"][0]
        run.expect(why()["up"] and "checked" in why()["why"], f"by checks: {why()}")
        sites.there.astil("detach")
        sites.until_answered([HERE])


def _busy(sites, connections):
    """So many connections to `there` that no name has led."""
    return sites.lab.traffic.start_long(f"{THERE}:80", connections)


@case("sites_by_load")
def sites_by_load(run):
    """A site whose backends get busy is answered less within two reports, and more again when they are not."""
    with run.lab(topology=PairNet) as lab:
        sites = Sites(lab, run, interval=2)
        sites.start_there()
        sites.start_here(policy="load")
        run.expect(abs(sites.share() - 0.5) < 0.01, f"idle, and the share is {sites.share()}")
        ttl = sites.ask.dig("+notcp", "+noall", "+answer", WWW, server=OWN["lb1"]).split()[1]
        run.expect(int(ttl) <= 5, f"an answer that can be another soon is kept for {ttl} s")
        busy = _busy(sites, 80)
        begun = time.monotonic()
        process.until(lambda: sites.share() < 0.4, "the share falls")
        run.figure(seconds_until_less=round(time.monotonic() - begun, 2), report_interval=sites.interval)
        process.until(lambda: sites.share() < 0.3, "the share falls on")
        load = sites.site("there")["load"]
        run.expect(0.7 < load < 0.95, f"80 of 99 connections are a load of {load}")
        said = sites.here.astil("dns", "explain", WWW).stdout
        run.expect("policy load: drawn by weight, capacity and load" in said, said)
        run.expect(busy.stop()["failed"] == 0, "connections broke")
        least = sites.share()
        process.until(lambda: sites.share() > least + 0.03, "the share rises again", 60)


@case("sites_by_load_at_rest", long=True)
def sites_by_load_at_rest(run):
    """Clients are led by the name, and resolvers keep answers: after a site gets busy its share falls, and for ten minutes
    it swings no more."""
    with run.lab(topology=PairNet) as lab:
        sites = Sites(lab, run, interval=5)
        sites.start_there()
        sites.start_here(policy="load")
        program = [sys.executable, paths.ROOT / "tests/lab/harness/visitors.py"]
        visitors = lab.net.client.spawn(*program, OWN["lb1"], WWW, 50, 10, 10, 80, stdout=subprocess.PIPE)
        shares = []

        def watch(seconds):
            for _ in range(seconds // 5):
                time.sleep(5)
                shares.append(sites.share())

        watch(120)
        busy = _busy(sites, 80)
        at = len(shares)
        watch(15 * 60)
        _plot(lab, shares)
        broken = busy.stop()["failed"]
        visitors.terminate()
        told = [json.loads(line) for line in visitors.stdout]
        swing = max(shares[-120:]) - min(shares[-120:])
        run.figure(
            share_before=round(shares[at - 1], 3), after_two_reports=round(shares[at + 1], 3),
            at_rest=round(shares[-1], 3), swing=round(swing, 3), clients=sum(told[-1]["came"].values()),
        )  # fmt: skip
        run.expect(broken == 0 and told[-1]["broken"] == 0, f"{broken} and {told[-1]['broken']} connections broke")
        run.expect(shares[at + 1] < shares[at - 1] - 0.03, f"the share did not fall: {shares[at - 1 : at + 3]}")
        run.expect(swing < 0.1, f"the share swings: {[round(share, 2) for share in shares]}")


def _plot(lab, shares):
    """A line for each sample, into the lab's folder."""
    lines = [f"{5 * number:5} s {share:5.3f} {'#' * round(share * 60)}" for number, share in enumerate(shares, 1)]
    (lab.directory / "shares").write_text("\n".join(lines) + "\n")
