"""Zones that are signed: delv validates what they answer against a trust anchor, whatever a policy picks."""

import re

from cases.names import ZONE, Asker, section, status_of
from harness import paths, process
from harness.case import case
from harness.topology import FRONT

_APEX = [
    "@ 3600 SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", f"ns1 A {FRONT}", "alias CNAME all",
    "*.wild TXT any", "a.b TXT deep", "srv SRV 1 2 443 NS1", "sub NS ns.sub", "ns.sub A 192.0.2.77",
]  # fmt: skip
_POLICIES = ("failover", "weighted", "hash", "all")


def _names():
    """A name of each policy, with three sites that have addresses of both versions."""
    sites = {
        f"s{number}": {"addresses": [f"198.51.100.{number}", f"'2001:db8::{number}'"], "weight": number}
        for number in (1, 2, 3)
    }
    more = {"all": {"https": {"alpn": ["h2"]}}, "weighted": {"at_most": 2}}
    return {policy: {"policy": policy, **more.get(policy, {}), "sites": sites} for policy in _POLICIES}


def generate(lab, *words):
    """Makes a key by the command line, and returns the path of its files."""
    told = process.run([paths.program("astil"), "dns", "keys", "generate", ZONE, "--directory", lab.directory, *words])
    return told.stdout.split("\n")[0]


class Validator:
    """delv on the client's host, which trusts one key."""

    def __init__(self, lab, key):
        self.client = lab.net.client
        self.anchors = lab.directory / "anchors"
        self.trust(key)

    def trust(self, key):
        words = open(f"{key}.key").read().split(";")[0].split()
        fields = words[words.index("DNSKEY") + 1 :]
        self.anchors.write_text(
            f'trust-anchors {{ "{ZONE}." static-key {" ".join(fields[:3])} "{"".join(fields[3:])}"; }};\n'
        )

    def ask(self, *words):
        return self.client.run(
            "delv", "-a", self.anchors, f"+root={ZONE}", f"@{FRONT}", "+nortrace", *words, check=False
        ).stdout  # fmt: skip


def _expect_validated(run, delv):
    """delv says of each answer that it is validated, of what is there and of what is not."""
    asked = [
        *((policy, kind) for policy in _POLICIES for kind in ("A", "AAAA")), ("all", "HTTPS"), ("@", "SOA"),
        ("@", "DNSKEY"), ("@", "NS"), ("alias", "A"), ("x.y.wild", "TXT"), ("a.b", "TXT"), ("srv", "SRV"),
    ]  # fmt: skip
    for name, kind in asked:
        full = ZONE if name == "@" else f"{name}.{ZONE}"
        said = delv.ask(full, kind)
        run.expect("; fully validated" in said and "RRSIG" in said, f"delv {full} {kind}: {said}")
    denied = [("missing", "A"), ("b", "A"), ("ns1", "TXT"), ("x.wild", "A"), ("failover", "TXT"), ("@", "TXT")]
    for name, kind in denied:
        full = ZONE if name == "@" else f"{name}.{ZONE}"
        said = delv.ask(full, kind)
        run.expect("; negative response, fully validated" in said, f"delv {full} {kind}: {said}")
    said = delv.ask(f"host.sub.{ZONE}", "DS")
    run.expect("validated" not in said, f"delv of what is delegated without DS: {said}")
    return len(asked) + len(denied)


@case("names_signed")
def names_signed(run):
    """delv validates every kind of answer of a signed zone, and finds a key out that is not the zone's."""
    with run.lab(backends=1) as lab:
        key = generate(lab)
        zone = {"dnssec": {"keys": [key]}, "names": _names()}
        dns = section(_APEX, listen=[f"{FRONT}:53"], zone=zone)
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        delv = Validator(lab, key)
        run.figure(validated=_expect_validated(run, delv))
        ask = Asker(lab)
        said = ask.dig("+dnssec", f"missing.{ZONE}")
        run.expect(status_of(said) == "NOERROR" and re.search(r"NSEC\s+\\000.missing\S+ RRSIG NSEC", said), said)
        run.expect(status_of(ask.dig(f"missing.{ZONE}")) == "NXDOMAIN", "without signatures it is NXDOMAIN")
        said = ask.kdig("+dnssec", f"all.{ZONE}")
        run.expect("RRSIG" in said and "WARNING" not in said, f"kdig: {said}")
        said = ask.drill("-D", f"all.{ZONE}")
        run.expect("RRSIG" in said, f"drill: {said}")
        told = lab.balancer.astil("dns", "keys", "ds", ZONE).stdout
        judge = process.run(["ldns-key2ds", "-n", "-2", f"{key}.key"]).stdout
        run.expect(told.split()[4:] == judge.split()[4:], f"DS: {told} ldns: {judge}")
        run.expect("ECDSAP256SHA256" in lab.balancer.astil("dns", "status").stdout, "the status has no key")
        signatures = {each["name"]: each["count"] for each in lab.balancer.status()["dns"]["signatures"]}
        run.figure(**signatures)
        run.expect(signatures["failed"] == 0 and signatures["kept"] > 0, f"signatures: {signatures}")
        delv.trust(generate(lab))
        said = delv.ask(f"all.{ZONE}")
        run.expect("fully validated" not in said, f"delv trusts another key, and says: {said}")


@case("names_signed_anew", long=True)
def names_signed_anew(run):
    """Keys are exchanged under validation: the next one is published, signs, and the old one goes; with ldns-keygen's too."""
    with run.lab(backends=1) as lab:
        old = generate(lab)
        made = process.run(["ldns-keygen", "-a", "ED25519", "-k", ZONE], cwd=lab.directory).stdout.strip()
        new = lab.directory / made
        delv = Validator(lab, old)

        def apply(**dnssec):
            dns = section(_APEX, listen=[f"{FRONT}:53"], zone={"dnssec": dnssec, "names": _names()})
            return lab.configuration(forwardings=["nat"], more={"dns": dns})

        validated = lambda: "; fully validated" in delv.ask(f"all.{ZONE}")
        lab.balancer.start(apply(keys=[old]))
        run.expect(validated(), "the first key")
        lab.balancer.apply(apply(keys=[old], published=[new]))
        run.expect(validated(), "the next key is published")
        lab.balancer.apply(apply(keys=[old, new]))
        run.expect(validated(), "both sign, and the old one is trusted")
        delv.trust(new)
        run.expect(validated(), "both sign, and the new one is trusted")
        lab.balancer.apply(apply(keys=[new]))
        run.expect(validated(), "the new one alone")
        ksk, zsk = generate(lab, "--role", "ksk"), generate(lab, "--role", "zsk", "--algorithm", "ED25519")
        refused = lab.balancer.astil("apply", lab.balancer.write(apply(keys=[f"{ksk}x"])), check=False)
        run.expect(refused.returncode == 1 and f"read {ksk}x.key" in refused.stderr, f"not refused: {refused.stderr}")
        zsk = generate(lab, "--role", "zsk")
        lab.balancer.apply(apply(keys=[ksk, zsk]))
        delv.trust(ksk)
        run.expect(validated(), "one signs the keys, the other the rest")
