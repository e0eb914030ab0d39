"""The name server, asked by the tools that operators have: each of them is a judge of what it says."""

import re
import subprocess
import sys

from harness import paths
from harness.case import case
from harness.topology import FRONT, FRONT_6

ZONE = "example.org"
RECORDS = [
    "@ 3600 SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", "@ MX 10 mail", f"ns1 A {FRONT}",
    "mail A 192.0.2.25", "www A 192.0.2.1", "www A 192.0.2.2", "www AAAA 2001:db8::1", "alias CNAME www",
    "*.wild TXT any", "a.b TXT deep",
]  # fmt: skip
LARGE = [f"large A 198.51.100.{number}" for number in range(120)]


def section(records, listen=(f"{FRONT}:53", f"[{FRONT_6}]:53"), **more):
    """The section dns, with one zone."""
    zone = {"records": [f"'{record}'" for record in records]} if records else {}
    zone.update(more.pop("zone", {}))
    return {"listen": [f"'{each}'" for each in listen], **more, "zones": {ZONE: zone}}


class Asker:
    """dig, kdig and drill on the client's host."""

    def __init__(self, lab):
        self.client = lab.net.client

    def dig(self, *words, server=FRONT):
        return self.client.run("dig", f"@{server}", "+tries=1", "+time=3", *words, check=False).stdout

    def kdig(self, *words, server=FRONT):
        return self.client.run("kdig", f"@{server}", "+retry=0", "+time=3", *words, check=False).stdout

    def drill(self, *words, server=FRONT):
        return self.client.run("drill", f"@{server}", *words, check=False).stdout

    def short(self, *words, server=FRONT):
        return sorted(self.dig("+short", *words, server=server).split("\n")[:-1])


def status_of(text):
    found = re.search(r"(?:status|rcode): (\w+)", text)
    return found[1] if found else "NONE"


@case("names_by_every_tool")
def names_by_every_tool(run):
    """dig, kdig and drill get the right answers over UDP and TCP, of both versions of IP, and complain of nothing."""
    with run.lab(backends=1) as lab:
        dns = section(RECORDS + LARGE, nsid="lab")
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        ask = Asker(lab)
        for server in (FRONT, FRONT_6):
            for way in ("+notcp", "+tcp"):
                said = ask.short(way, f"www.{ZONE}", server=server)
                run.expect(said == ["192.0.2.1", "192.0.2.2"], f"{server} {way}: {said}")
        _expect_flags(run, ask)
        _expect_kinds(run, ask)
        _expect_refusals(run, ask)
        said = ask.dig(f"large.{ZONE}")
        run.expect("Truncated, retrying in TCP mode" in said and "ANSWER: 120" in said, f"large: {said}")
        said = ask.kdig("+tcp", "+keepopen", f"www.{ZONE}", f"alias.{ZONE}", f"missing.{ZONE}")
        codes = re.findall(r"status: (\w+)", said)
        run.expect(codes == ["NOERROR", "NOERROR", "NXDOMAIN"], f"kdig on one connection: {said}")
        shown = lab.balancer.status()["dns"]
        counted = {each["name"]: each["count"] for each in shown["queries"]}
        run.expect(all(counted[name] > 0 for name in counted), f"queries counted: {counted}")
        run.expect(shown["truncated"] == 1, f"truncated: {shown['truncated']}")
        text = lab.balancer.astil("dns", "status").stdout
        run.expect(ZONE in text and "NXDOMAIN" in text, f"astil dns status: {text}")


def _expect_flags(run, ask):
    """Whatever dig sets, it finds the response in order."""
    for words in (
        ["+dnssec"], ["+cookie"], ["+nsid"], ["+subnet=203.0.113.0/24"], ["+noedns"], ["+cdflag"], ["+adflag"],
        ["+norecurse"], ["+ednsopt=100:00"], ["+ednsflags=0x40"], ["+padding=128"], ["+bufsize=512"], ["+zflag"],
        ["+keepalive", "+tcp"], ["+expire"],
    ):  # fmt: skip
        said = ask.dig(*words, f"www.{ZONE}")
        sound = status_of(said) == "NOERROR" and "WARNING" not in said.upper().replace("RECURSION REQUESTED", "")
        sound = sound or _only_recursion(said)
        run.expect(sound and "ANSWER: 2" in said, f"dig {words}: {said}")
    run.expect('("lab")' in ask.dig("+nsid", f"www.{ZONE}"), "the identifier is not there")
    run.expect("BADVERS" in ask.dig("+edns=1", "+noednsnegotiation", f"www.{ZONE}"), "EDNS version 1 is not refused")


def _only_recursion(said):
    """dig warns that recursion is not available, which is so."""
    warnings = [line for line in said.splitlines() if "WARNING" in line]
    return status_of(said) == "NOERROR" and warnings == [";; WARNING: recursion requested but not available"]


def _expect_kinds(run, ask):
    """What a name is, and what it is not."""
    table = [
        ("www", "TXT", "NOERROR", 0), ("missing", "A", "NXDOMAIN", 0), ("b", "A", "NOERROR", 0),
        ("x.wild", "TXT", "NOERROR", 1), ("alias", "A", "NOERROR", 3), ("www", "ANY", "NOERROR", 1),
        ("@", "MX", "NOERROR", 1), ("@", "SOA", "NOERROR", 1), ("www", "TYPE4711", "NOERROR", 0),
    ]  # fmt: skip
    for name, kind, code, answers in table:
        full = ZONE if name == "@" else f"{name}.{ZONE}"
        for tool, said in (("dig", ask.dig("+notcp", full, kind)), ("drill", ask.drill(full, kind))):
            count = re.search(r"ANSWER: (\d+)", said)
            told = (status_of(said), int(count[1]) if count else -1)
            run.expect(told == (code, answers), f"{tool} {full} {kind}: {said}")
            if answers == 0:
                run.expect(re.search(rf"^{ZONE}\.\s+60\s+IN\s+SOA", said, re.M), f"no SOA: {said}")


def _expect_refusals(run, ask):
    run.expect(status_of(ask.dig("www.example.net")) == "REFUSED", "another zone is not refused")
    run.expect("Transfer failed" in ask.dig(ZONE, "AXFR"), "a transfer is not refused")
    run.expect(status_of(ask.dig("+opcode=UPDATE", ZONE)) == "NOTIMP", "an update is not refused")


@case("names_that_change")
def names_that_change(run):
    """Records, zone files and addresses change while the daemon runs; what is wrong changes nothing."""
    with run.lab(backends=1) as lab:
        configure = lambda **dns: lab.configuration(forwardings=["nat"], more={"dns": section(**dns)})
        lab.balancer.start(lab.configuration(forwardings=["nat"]))
        ask = Asker(lab)
        run.expect(status_of(ask.dig("+notcp", f"www.{ZONE}")) == "NONE", "it answers without being configured")
        lab.balancer.apply(configure(records=RECORDS))
        run.expect(len(ask.short(f"www.{ZONE}")) == 2, "it does not answer")
        zone = lab.directory / "zone"
        zone.write_text("\n".join([*RECORDS, "www A 192.0.2.3", ""]))
        by_file = configure(records=None, zone={"file": zone})
        lab.balancer.apply(by_file)
        run.expect(len(ask.short(f"www.{ZONE}")) == 3, "the zone file is not taken")
        zone.write_text("@ SOA broken\n")
        refused = lab.balancer.astil("apply", str(lab.balancer.write(by_file)), check=False)
        run.expect(refused.returncode == 1 and f"{zone}:1:" in refused.stderr, f"not refused: {refused.stderr}")
        run.expect(len(ask.short(f"www.{ZONE}")) == 3, "a file that is wrong changed something")
        lab.balancer.apply(configure(records=RECORDS, listen=[f"{FRONT}:5300"], workers=2))
        run.expect(len(ask.short("-p", "5300", f"www.{ZONE}")) == 2, "it does not listen where it should")
        run.expect(status_of(ask.dig("+notcp", f"www.{ZONE}")) == "NONE", "it still listens where it should not")
        counted = {each["name"]: each["count"] for each in lab.balancer.status()["dns"]["queries"]}
        run.expect(counted["udp-ipv4"] >= 4, f"counters went down: {counted}")
        lab.balancer.apply(lab.configuration(forwardings=["nat"]))
        run.expect(lab.balancer.status()["dns"] is None, "there still is a name server")


def _bytes(namespace):
    """Received and sent by the namespace's eth0."""
    read = lambda which: int(namespace.run("cat", "/proc/net/dev").stdout.split("eth0:")[1].split()[which])
    return read(0), read(8)


@case("names_asked_in_others_names")
def names_asked_in_others_names(run):
    """Queries with made up sources of a network bring on it less than they are; who is there, and has a cookie, is answered."""
    with run.lab(backends=1) as lab:
        limit = {"per_second": 100, "slip": 2}
        dns = section(RECORDS + LARGE, listen=[f"{FRONT}:53"], rate_limit=limit)
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        victim = "198.18.7.9"
        lab.net.route_strangers()
        lab.net.client.ip(f"address add {victim}/32 dev eth0")
        ask = Asker(lab)
        cookie = re.search(r"COOKIE: (\w+) \(good\)", ask.dig("+cookie", "-b", victim, f"www.{ZONE}"))
        run.expect(cookie, "dig gets no cookie")
        received, _ = _bytes(lab.net.client)
        program = [sys.executable, paths.ROOT / "tests/lab/harness/spoofed_queries.py"]
        names = [f"{name}.{ZONE}" for name in ("www", "missing", "large")]
        flood = lab.net.client.spawn(*program, FRONT, "198.18.7.0/24", 5000, 4, *names, stdout=subprocess.PIPE)
        said = [ask.dig("+notcp", "+ignore", "-b", victim, f"+cookie={cookie[1]}", f"www.{ZONE}") for _ in range(20)]
        sent = int(flood.communicate(timeout=60)[0])
        received = _bytes(lab.net.client)[0] - received
        shown = lab.balancer.status()["dns"]
        drops = {each["name"]: each["count"] for each in shown["drops"]}
        run.figure(amplification=round(received / sent, 3), dropped=drops["rate-limited"], slipped=shown["slipped"])
        run.expect(received < sent, f"{received} bytes came back for {sent}")
        run.expect(drops["rate-limited"] > 5000, f"hardly anything was limited: {shown}")
        answered = sum("ANSWER: 2" in each for each in said)
        run.expect(answered == len(said), f"{answered} of {len(said)} answers to a client with a cookie")


@case("names_under_flood")
def names_under_flood(run):
    """A flood of queries from one network gets back less than it sends; a client of it with a cookie is answered on."""
    with run.lab(backends=1) as lab:
        limit = {"per_second": 100, "slip": 2}
        dns = section(RECORDS + LARGE, listen=[f"{FRONT}:53"], rate_limit=limit)
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        ask = Asker(lab)
        cookie = re.search(r"COOKIE: (\w+) \(good\)", ask.dig("+cookie", f"www.{ZONE}"))
        run.expect(cookie, "dig gets no cookie")
        queries = lab.directory / "queries"
        queries.write_text(f"www.{ZONE} A\nmissing.{ZONE} A\nlarge.{ZONE} A\n")
        received, sent = _bytes(lab.net.client)
        with open(lab.directory / "dnsperf", "wb") as told:
            words = ["-s", FRONT, "-d", queries, "-l", "4", "-Q", "5000", "-q", "60000", "-t", "1", "-e"]
            flood = lab.net.client.spawn("dnsperf", *words, stdout=told, stderr=told)
            said = [ask.dig("+notcp", "+ignore", f"+cookie={cookie[1]}", f"www.{ZONE}") for _ in range(20)]
            flood.wait(timeout=60)
        received, sent = (now - before for now, before in zip(_bytes(lab.net.client), (received, sent)))
        amplification = received / sent
        shown = lab.balancer.status()["dns"]
        drops = {each["name"]: each["count"] for each in shown["drops"]}
        run.figure(amplification=round(amplification, 3), dropped=drops["rate-limited"], slipped=shown["slipped"])
        run.expect(amplification < 1, f"{received} bytes came back for {sent}")
        run.expect(drops["rate-limited"] > 0 and shown["slipped"] > 0, f"nothing was limited: {shown}")
        answered = sum("ANSWER: 2" in each for each in said)
        run.expect(answered == len(said), f"{answered} of {len(said)} answers to a client with a cookie")
