"""What can go wrong with backends and with the balancer's own process: what clients see of it, what the status says, and
how long it takes to notice and to recover."""

import re
import signal
import time

from harness import process
from harness.case import case
from harness.faulty import FAULTY_PORT, FaultyServer
from harness.steady import SteadyLoad, expect_unharmed
from harness.wall_clock import WallClock

_HEALTH = {"type": "http", "port": FAULTY_PORT, "interval": "200ms", "timeout": "150ms", "rise": 2, "fall": 3}
# What is wrong with it, and what the status says of that.
_FAULTS = {
    "hang": "timeout after 150ms in answer",
    "error": "status 500, expected 200-399",
    "slow": "timeout after 150ms in answer",
    "reset": "answer: Connection reset by peer",
}


def _health(lab, name="b2"):
    return lab.balancer.backends("nat")[name]["health"]


@case("faults_of_a_backend")
def faults_of_a_backend(run):
    """A backend that hangs, answers with an error, slowly, or with a reset, is out of rotation while it does, and its
    clients, whose connections it serves on, notice nothing."""
    with run.lab() as lab:
        servers = {name: FaultyServer(server) for name, server in lab.servers.items()}
        lab.start_balancer(forwardings=["nat"], health=_HEALTH)
        load = SteadyLoad(lab, ["nat"])
        for word, error in _FAULTS.items():
            begun = time.monotonic()
            servers["b2"].become(word)
            lab.balancer.wait_until_out_of_rotation("b2")
            noticed = time.monotonic()
            told = _health(lab)["last_error"]
            run.expect(told == error, f"{word}: the status says {told!r}")
            servers["b2"].become("well")
            lab.balancer.wait_until_in_rotation("b2")
            run.figure(
                **{
                    f"{word}_noticed_s": round(noticed - begun, 2),
                    f"{word}_recovered_s": round(time.monotonic() - noticed, 2),
                }
            )
        expect_unharmed(run, *load.stop())


@case("backend_that_flaps")
def backend_that_flaps(run):
    """A backend that is ill and well by turns of half a second, for some seconds, breaks no connection, and is back when
    it has come to rest."""
    with run.lab() as lab:
        servers = {name: FaultyServer(server) for name, server in lab.servers.items()}
        lab.start_balancer(forwardings=["nat"], health={**_HEALTH, "fall": 1, "rise": 1})
        before = len(lab.balancer.ring_changes())
        load = SteadyLoad(lab, ["nat"])
        for _ in range(5):
            for word in ("error", "well"):
                servers["b2"].become(word)
                load.go_on(0.5)
        lab.balancer.wait_until_in_rotation()
        expect_unharmed(run, *load.stop())
        changes = len(lab.balancer.ring_changes()) - before
        run.figure(ring_changes=changes)
        run.expect(changes >= 4, f"it was hardly noticed: {changes} changes of the ring")


@case("backend_that_flaps_is_held_out")
def backend_that_flaps_is_held_out(run):
    """With flapping, a backend that goes down again and again stays out until it has been well for a while; the status,
    why and the metrics say so, and no connection breaks."""
    with run.lab() as lab:
        servers = {name: FaultyServer(server) for name, server in lab.servers.items()}
        flapping = {"downs": 3, "within": "1m", "hold": "5s"}
        lab.start_balancer(forwardings=["nat"], health={**_HEALTH, "fall": 1, "rise": 1}, flapping=flapping)
        load = SteadyLoad(lab, ["nat"])
        for _ in range(3):
            servers["b2"].become("error")
            lab.balancer.wait_until_out_of_rotation("b2")
            well = time.monotonic()
            servers["b2"].become("well")
            process.until(lambda: "expected" not in _health(lab)["last_error"], "its checks succeed")
        held = _health(lab)
        run.expect(held["state"] == "down" and held["held_seconds"], f"it is not held out: {held}")
        run.expect("it flaps: down 3 times" in held["last_error"], f"the status says {held['last_error']!r}")
        why = lab.balancer.query("why", "b2")["backends"][0]["reason"]
        run.expect("it flaps" in why, f"why says {why!r}")
        scrape = lab.net.balancer.run("curl", "-s", "http://127.0.0.1:9105/metrics").stdout
        run.expect('astil_backend_held{service="nat",backend="b2"} 1' in scrape, "the metrics do not say that it is held")
        lab.balancer.wait_until_in_rotation()
        seconds = time.monotonic() - well
        run.figure(held_s=round(seconds, 2))
        run.expect(seconds > 4.5, f"it was held for {seconds:.1f} s")
        expect_unharmed(run, *load.stop())


@case("checks_by_commands_and_several_of_them")
def checks_by_commands_and_several_of_them(run):
    """A backend is well while its page is there and a command says so; a command that hangs is ended with its group."""
    with run.lab() as lab:
        flags = lab.directory / "flags"
        flags.mkdir()
        for server in lab.servers.values():
            (flags / server.address).touch()
        hanging = lab.directory / "hangs"
        script = f"test ! -e {hanging} || sleep 4711; test -e {flags}/$ASTIL_ADDRESS || {{ echo no flag; exit 1; }}"
        further = {
            "flag": {
                "type": "exec",
                "command": ["/bin/sh", "-c", f"'{script}'"],
                "interval": "200ms",
                "timeout": "150ms",
                "rise": 1,
                "fall": 2,
            }
        }
        lab.start_balancer(forwardings=["nat"], further_checks=further)
        address = lab.servers["b2"].address
        (flags / address).unlink()
        lab.balancer.wait_until_out_of_rotation("b2")
        told = _health(lab)
        run.expect(told["last_error"] == "flag: exit status 1: no flag", f"the status says {told['last_error']!r}")
        states = {each["name"]: each["state"] for each in told["checks"]}
        run.expect(states == {"health": "up", "flag": "down"}, f"the checks are {states}")
        (flags / address).touch()
        lab.balancer.wait_until_in_rotation()
        hanging.touch()
        lab.balancer.wait_until_out_of_rotation("b1")
        run.expect("timeout after 150ms" in _health(lab, "b1")["last_error"], f"{_health(lab, 'b1')}")
        hanging.unlink()
        lab.balancer.wait_until_in_rotation()
        sleeping = lambda: process.run(["pgrep", "-f", "sleep 4711"], check=False).stdout.split()
        process.until(lambda: not sleeping(), "the end of all that the commands have started")


@case("backend_changes_its_mac")
def backend_changes_its_mac(run):
    """A backend that gets another MAC address (a card is exchanged) is reached at that within seconds."""
    with run.lab() as lab:
        lab.start_balancer()
        b2 = lab.servers["b2"].namespace
        # As a card that is exchanged does it: addresses and routes stay. The kernel announces the new one.
        b2.sysctl("net.ipv4.conf.eth0.arp_notify=1")
        changed = time.monotonic()
        b2.ip("link set eth0 address 02:00:00:00:be:ef")
        told = lambda each: lab.balancer.backends(each)["b2"]["next_hop"]["mac"]
        for each in ("nat", "tunnel", "direct"):
            process.until(lambda each=each: told(each) == "02:00:00:00:be:ef", f"the new address of b2 by {each}")
        run.figure(noticed_s=round(time.monotonic() - changed, 2))
        lab.balancer.wait_until_in_rotation()
        for each in ("nat", "tunnel", "direct"):
            report = lab.traffic.short(lab.to(each), connections=300)
            run.expect(report["failed"] == 0, f"connections failed by {each}: {report}")
            run.expect("b2" in report["backends"], f"b2 gets no connection by {each}: {report}")


def _daemon_stands_still(run, seconds):
    """A daemon that does not run for a while breaks no connection, and takes no backend for dead when it goes on."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, ["nat", "tunnel", "direct"])
        before = len(lab.balancer.ring_changes())
        lab.balancer.daemon.send_signal(signal.SIGSTOP)
        load.go_on(seconds)
        lab.balancer.daemon.send_signal(signal.SIGCONT)
        load.go_on(2)
        expect_unharmed(run, *load.stop())
        run.expect(len(lab.balancer.ring_changes()) == before, "backends were taken for dead after it went on")
        lab.balancer.wait_until_in_rotation()


case("daemon_stands_still", seconds=5)(_daemon_stands_still)
case("daemon_stands_still_for_a_minute", long=True, seconds=60)(_daemon_stands_still)


@case("wall_clock_jumps")
def wall_clock_jumps(run):
    """The wall clock jumps by an hour, ahead and back: no connection breaks, no backend is taken for dead, and a change
    that waits for its confirmation waits as long as it was told to."""
    with run.lab() as lab:
        clock = WallClock(lab.balancer, lab.directory)
        lab.start_balancer()
        load = SteadyLoad(lab, ["nat", "tunnel", "direct"])
        before = len(lab.balancer.ring_changes())
        lab.balancer.write(lab.configuration(more={"dataplane": {"new_flows_per_second": 90000}}))
        lab.balancer.astil("apply", str(lab.balancer.config_file), "--confirm", "60s")
        for seconds in (3600, 0, -3600, 0):
            clock.move_to(seconds)
            load.go_on(1.5)
            awaited = lab.balancer.status()["config"]["confirm_by"]
            run.expect(awaited, f"with the clock {seconds} s off the change waits no more")
        lab.balancer.astil("confirm")
        expect_unharmed(run, *load.stop())
        run.expect(len(lab.balancer.ring_changes()) == before, "backends were taken for dead")
        run.expect("state=down" not in lab.balancer.log_file.read_text(), "backends were taken for dead")
        run.expect(not lab.balancer.status()["problems"], f"problems: {lab.balancer.status()['problems']}")


@case("descriptors_exhausted")
def descriptors_exhausted(run):
    """A daemon that can open no descriptor takes no backend for dead, says so, and goes on when it can again."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, ["nat", "tunnel", "direct"])
        pid = str(lab.balancer.daemon.pid)
        shown = process.run(["prlimit", "--pid", pid, "--nofile", "--raw", "--noheadings"]).stdout
        hard = re.findall(r"\d+", shown)[-1]
        process.run(["prlimit", "--pid", pid, "--nofile=1:"])
        log = lab.balancer.log_file
        process.until(lambda: "health probe not made" in log.read_text(), "the log's word of it")
        load.go_on(3)
        process.run(["prlimit", "--pid", pid, f"--nofile={hard}:"])
        lab.balancer.wait_until_in_rotation()
        expect_unharmed(run, *load.stop())
        run.expect("state=down" not in log.read_text(), "backends were taken for dead")
