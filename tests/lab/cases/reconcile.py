"""Somebody takes away or changes what the daemon has made, while it runs: noticed within a second, put right, logged and
counted, without an apply."""

import json
import random
import re
import shutil
import time

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES, NAT
from harness.steady import SteadyLoad, expect_unharmed

_NOTICED_WITHIN = 1.0  # seconds


def _counts(lab):
    return {each["what"]: each["done"] for each in lab.balancer.status()["repairs"]}


def _tables(lab):
    return next((paths.PINS / lab.instance).glob("tables-*"))


def _flush(lab, table):
    """All records of a table that hold something become zeros, as far as 'bpftool' writes them."""
    pinned = str(_tables(lab) / table)
    dump = json.loads(process.run(["bpftool", "-j", "map", "dump", "pinned", pinned]).stdout)
    batch = []
    for entry in dump:
        if any(byte not in ("0x00", "0xff") for byte in entry["value"]):
            words = ["key", *entry["key"], "value", *["0x00"] * len(entry["value"])]
            batch.append(f"map update pinned {pinned} {' '.join(words)}")
    process.run(["bpftool", "batch", "file", "-"], input="\n".join(batch) + "\n")


def _xdp_off(lab):
    links = json.loads(lab.net.balancer.run("bpftool", "-j", "link").stdout)
    ours = {process_link(path) for path in (paths.PINS / lab.instance).glob("link-*")}
    for link in links:
        if link["id"] in ours:
            process.run(["bpftool", "link", "detach", "id", str(link["id"])])


def process_link(path):
    return json.loads(process.run(["bpftool", "-j", "link", "show", "pinned", str(path)]).stdout)["id"]


def _remove_link_pins(lab):
    for path in (paths.PINS / lab.instance).glob("link-*"):
        path.unlink()


def _expect_repaired(run, lab, what, damage):
    """Does the damage and waits for the count of repairs; returns the seconds that it took."""
    before = _counts(lab)[what]
    damage()
    begun = time.monotonic()
    process.until(lambda: _counts(lab)[what] > before, f"a repair of {what}", timeout=5)
    seconds = time.monotonic() - begun
    run.expect(seconds < _NOTICED_WITHIN, f"{what} was put right after {seconds:.2f} s")
    run.expect(f"put right kind={what}" in lab.balancer.log_file.read_text(), f"the log has no word of {what}")
    return round(seconds, 2)


@case("what_somebody_changes_is_put_right")
def what_somebody_changes_is_put_right(run):
    """Pins removed, an address deleted, programs detached, tables flushed: each is put right within a second. What packets
    do not meet breaks no connection; without a program the kernel itself resets those that there are."""
    with run.lab() as lab:
        lab.start_balancer()
        pins = lab.balancer.pins()
        load = [lab.traffic.start_long(lab.to(each), connections=30) for each in ADDRESSES]
        run.figure(
            pin_s=_expect_repaired(run, lab, "pin", lambda: _remove_link_pins(lab)),
            tables_pin_s=_expect_repaired(run, lab, "pin", lambda: shutil.rmtree(_tables(lab))),
        )
        for running in load:
            report = running.stop()
            run.expect(report["failed"] == 0, f"lasting connections broke: {report}")
        delete = lambda: lab.net.balancer.ip(f"address delete {NAT}/32 dev eth0")
        run.figure(
            address_s=_expect_repaired(run, lab, "address", delete),
            attachment_s=_expect_repaired(run, lab, "attachment", lambda: _xdp_off(lab)),
        )
        for table in ("backends", "services", "service_index", "members"):
            run.figure(**{f"{table}_s": _expect_repaired(run, lab, "table", lambda table=table: _flush(lab, table))})
        run.expect(lab.balancer.pins() == pins, f"pins are others: {pins}, {lab.balancer.pins()}")
        for each in ADDRESSES:
            report = lab.traffic.short(lab.to(each), connections=200)
            run.expect(report["failed"] == 0, f"connections failed by {each}: {report}")
        run.expect(not lab.balancer.status()["problems"], f"problems: {lab.balancer.status()['problems']}")
        # What has no pin would not be found by the next daemon.
        lab.balancer.crash()
        lab.balancer.start()
        run.expect(lab.balancer.status()["adopted"], "the next daemon did not find the packet path")


@case("filter_of_tc_taken_away_is_put_back")
def filter_of_tc_taken_away_is_put_back(run):
    """'tc qdisc del' and 'tc filter del' take the packet path off; it is attached again within a second."""
    with run.lab() as lab:
        for interface in ("eth0", "eth1"):
            lab.net.balancer.run("ethtool", "-K", interface, "tx", "on")
        lab.start_balancer(forwardings=["nat"], more={"dataplane": {"hook": "tc"}})
        tc = lambda *words: lambda: lab.net.balancer.run("tc", *words)
        run.figure(
            qdisc_s=_expect_repaired(run, lab, "attachment", tc("qdisc", "del", "dev", "eth0", "clsact")),
            filter_s=_expect_repaired(run, lab, "attachment", tc("filter", "del", "dev", "eth1", "ingress")),
        )
        report = lab.traffic.short(lab.to("nat"), connections=200)
        run.expect(report["failed"] == 0, f"connections failed: {report}")


@case("links_that_go_and_come")
def links_that_go_and_come(run):
    """The balancer's link to its backends goes down and up five times: what connections lose is sent again, and all is
    as it was a second after the last time."""
    with run.lab() as lab:
        lab.start_balancer()
        load = [lab.traffic.start_long(lab.to(each), connections=20) for each in ADDRESSES]
        for _ in range(5):
            lab.net.balancer.ip("link set eth1 down")
            process.until(
                lambda: any("eth1 is down" in each["what"] for each in lab.balancer.status()["problems"]),
                "the link that is down, as a problem",
                timeout=_NOTICED_WITHIN,
            )
            lab.net.balancer.ip("link set eth1 up")
            up = time.monotonic()
            lab.balancer.wait_until_in_rotation()
        run.figure(recovered_s=round(time.monotonic() - up, 2))
        for each in ADDRESSES:
            report = lab.traffic.short(lab.to(each), connections=200)
            run.expect(report["failed"] == 0, f"connections failed by {each}: {report}")
        for running in load:
            report = running.stop()
            run.expect(report["failed"] == 0, f"lasting connections broke: {report}")


@case("damage_in_any_order_is_put_right")
def damage_in_any_order_is_put_right(run):
    """Whatever is damaged, in any order and at once: within seconds all services serve, and the daemon says that all is
    well."""
    seed = int.from_bytes(random.randbytes(4), "little")
    run.figure(seed=seed)
    choose = random.Random(seed)
    with run.lab() as lab:
        lab.start_balancer()
        balancer = lab.net.balancer
        damages = [
            lambda: _xdp_off(lab),
            lambda: _remove_link_pins(lab),
            lambda: shutil.rmtree(_tables(lab), ignore_errors=True),
            lambda: balancer.ip(*(f"address delete {each}/32 dev eth0" for each in ADDRESSES.values())),
            lambda: balancer.ip("neighbour flush dev eth1"),
            lambda: balancer.ip("link set eth0 down", "link set eth0 up"),
            lambda: balancer.ip("link set eth1 down", "link set eth1 up"),
            *(lambda table=table: _flush(lab, table) for table in ("backends", "services", "members")),
        ]
        whole = lambda: (
            not lab.balancer.status()["problems"]
            and lab.balancer.addresses() >= set(ADDRESSES.values())
            and len(lab.balancer.programs()) == 2
            and len(lab.balancer.pins()) == pins
        )
        serves = lambda: all(lab.traffic.short(lab.to(each), connections=20)["failed"] == 0 for each in ADDRESSES)
        pins = len(lab.balancer.pins())
        for _ in range(5):
            for damage in choose.sample(damages, 3):
                try:
                    damage()
                except (RuntimeError, StopIteration, OSError):
                    pass  # what it wanted to damage is damaged
            # A flushed table shows in nothing but what becomes of packets.
            process.until(lambda: whole() and serves(), f"all as it was, with seed {seed}")
            for each in ADDRESSES:
                report = lab.traffic.short(lab.to(each), connections=100)
                run.expect(report["failed"] == 0, f"connections failed by {each} with seed {seed}: {report}")
