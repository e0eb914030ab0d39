"""Backends that are found, in a file and by DNS: what changes there is followed under load, what is wrong there changes
nothing."""

import json
import signal
import time

from harness import process
from harness.case import case
from harness.configuration import NAT
from harness.name_server import NameServer
from harness.steady import SteadyLoad, expect_unharmed

_PORT = 8080


def _configuration(lab, discovery, backends=None, **changes):
    """One service by nat, whose backends are found."""
    config = lab.configuration(forwardings=["nat"], **changes)
    config["services"]["nat"]["discovery"] = discovery
    config["services"]["nat"]["backends"] = backends or {}
    return config


def _found(lab):
    return {shown["address"] for shown in lab.balancer.backends("nat").values() if shown["found"] and not shown["retired"]}


def _problem(lab, word):
    return lambda: any(word in each["what"] for each in lab.balancer.status()["problems"])


@case("backends_of_a_file")
def backends_of_a_file(run):
    """Backends in a file of Prometheus' form: those that come and go are followed within a second, under load and without
    a broken connection; a file that is wrong, empty or gone leaves the last good ones; the next daemon knows them."""
    with run.lab() as lab:
        file = lab.directory / "targets.json"

        def write(*names, text=None):
            targets = [f"{lab.servers[name].address}:{_PORT}" for name in names]
            new = file.with_suffix(".new")
            new.write_text(text if text is not None else json.dumps([{"targets": targets}]))
            new.replace(file)

        write("b1", "b2")
        lab.balancer.start(_configuration(lab, {"from": "file", "path": str(file)}))
        lab.balancer.wait_until_in_rotation()
        addresses = {name: server.address for name, server in lab.servers.items()}
        run.expect(_found(lab) == {addresses["b1"], addresses["b2"]}, f"found: {_found(lab)}")
        load = SteadyLoad(lab, ["nat"])
        write("b1", "b2", "b3")
        begun = time.monotonic()
        process.until(lambda: addresses["b3"] in _found(lab), "the third backend")
        noticed = time.monotonic() - begun
        lab.balancer.wait_until_in_rotation()
        load.go_on(1)
        write("b2", "b3")
        process.until(lambda: addresses["b1"] not in _found(lab), "the end of the first backend")
        load.go_on(1)
        for text, word in (("[]", "at_least"), ("[{", "not JSON"), ('[{"targets": ["b1:80"]}]', "no address")):
            write(text=text)
            process.until(_problem(lab, word), f"the problem: {word}")
            run.expect(_found(lab) == {addresses["b2"], addresses["b3"]}, f"{word}: found {_found(lab)}")
        file.unlink()
        process.until(_problem(lab, "No such file"), "the problem of a file that is gone")
        lab.balancer.crash()
        lab.balancer.start()
        run.expect(_found(lab) == {addresses["b2"], addresses["b3"]}, f"after a restart: found {_found(lab)}")
        write("b2", "b3")
        process.until(lambda: not lab.balancer.status()["problems"], "the end of the problems")
        expect_unharmed(run, *load.stop())
        run.figure(noticed_s=round(noticed, 2))
        run.expect(noticed < 1, f"noticed after {noticed:.2f} s")
        events = [each for each in lab.balancer.query("events")["events"] if each["kind"] == "discovery"]
        run.expect([each["after"] for each in events][:2] == ["3", "2"], f"events: {events}")


@case("found_backends_that_do_not_fit")
def found_backends_that_do_not_fit(run):
    """What a file names and can not be used leaves the last good backends: told at once, by SIGHUP, at a start, and where
    the configuration changes so that it fits no more; other services notice nothing."""
    with run.lab() as lab:
        file = lab.directory / "targets.json"
        good = [f"{server.address}:{_PORT}" for server in lab.servers.values()]

        def write(targets):
            new = file.with_suffix(".new")
            new.write_text(json.dumps([{"targets": targets}]))
            new.replace(file)

        config = lab.configuration(forwardings=["nat", "direct"], more={"dataplane": {"tables": {"backends": 64}}})
        config["services"]["nat"] |= {"backends": {}, "discovery": {"from": "file", "path": str(file)}}
        write(good)
        lab.balancer.start(config)
        lab.balancer.wait_until_in_rotation()
        found = _found(lab)
        load = SteadyLoad(lab, ["nat", "direct"])
        write(good + [f"10.0.0.{number}:{_PORT}" for number in range(100, 240)])
        process.until(_problem(lab, "do not fit"), "the problem of too many")
        lab.balancer.daemon.send_signal(signal.SIGHUP)
        process.until(lambda: lab.balancer.status()["config"]["reloads_ok"] == 1, "the file applied again")
        run.expect(_found(lab) == found and _problem(lab, "do not fit")(), f"after SIGHUP: {_found(lab)}")
        lab.balancer.stop()
        lab.balancer.start()
        run.expect(_found(lab) == found and _problem(lab, "do not fit")(), f"after a restart: {_found(lab)}")
        wanted = json.loads(json.dumps(config))
        wanted["services"]["nat"]["forwarding"] = "tunnel"
        refused = lab.balancer.astil("apply", lab.balancer.write(wanted), check=False)
        run.expect(refused.returncode == 1 and "that were found for service nat" in refused.stderr, refused.stderr)
        write(good)
        process.until(lambda: not lab.balancer.status()["problems"], "the end of the problems")
        expect_unharmed(run, *load.stop())


@case("service_that_lost_its_backends")
def service_that_lost_its_backends(run):
    """A daemon that comes back to a service whose backends are all gone drops what is for it, and nobody else gets it."""
    with run.lab() as lab:
        file = lab.directory / "targets.json"
        address = {name: server.address for name, server in lab.servers.items()}
        file.write_text(json.dumps([{"targets": [f"{address['b1']}:{_PORT}", f"{address['b2']}:{_PORT}"]}]))
        config = _configuration(lab, {"from": "file", "path": str(file), "at_least": 0})
        other = json.loads(json.dumps(config["services"]["nat"]))
        del other["discovery"]
        other |= {"address": "192.0.2.13", "backends": {"b3": {"address": address["b3"], "port": _PORT}}}
        config["services"] = {"other": other, "nat": config["services"]["nat"]}
        lab.balancer.start(config)
        lab.balancer.wait_until_in_rotation()
        lab.balancer.stop()
        file.write_text("[]")
        lab.balancer.start()
        trace = lab.balancer.trace("10.1.0.10:40000", lab.to("nat"))
        run.expect(trace["reason"] == "no_backend", f"the trace: {trace}")
        report = lab.traffic.short(lab.to("nat"), connections=20)
        run.expect(report["failed"] == 20, f"somebody answered: {report}")
        run.expect(lab.balancer.status()["services"][1]["backends"] == [], "it has backends")


@case("found_backends_in_a_plan")
def found_backends_in_a_plan(run):
    """A plan shows what the file names, apply does just that, and a file that changes makes no entry of the history."""
    with run.lab() as lab:
        file = lab.directory / "targets.yaml"
        targets = [f"'{server.address}:{_PORT}'" for server in lab.servers.values()]
        file.write_text(f"- targets: [{', '.join(targets[:2])}]\n")
        lab.start_balancer(forwardings=["nat"], weights={"b1": 1})
        config = lab.configuration(forwardings=["nat"], weights={"b1": 1})
        config["services"]["nat"]["discovery"] = {"from": "file", "path": str(file)}
        planned = lab.balancer.query("plan", str(lab.balancer.write(config)))
        applied = lab.balancer.apply(config)
        run.expect(planned["changes"] == applied["changes"], f"planned {planned['changes']}, done {applied['changes']}")
        run.expect(any(lab.servers["b2"].address in each for each in planned["changes"]), f"{planned['changes']}")
        lab.balancer.wait_until_in_rotation()
        before = lab.balancer.query("history")["entries"]
        file.write_text(f"- targets: [{', '.join(targets)}]\n")
        process.until(lambda: lab.servers["b3"].address in _found(lab), "the third backend")
        run.expect(lab.balancer.query("history")["entries"] == before, "the history has another entry")


@case("backends_of_a_name")
def backends_of_a_name(run):
    """Backends by SRV and by A: a backend that comes back with another address is followed as soon as its record lives no
    more; a server that fails, and a name without records, change nothing."""
    with run.lab() as lab:
        servers = lab.servers

        def records(**hosts):
            said = {"SRV _http._tcp.lab.": [[1, 0, 1, _PORT, f"{name}.lab."] for name in hosts]}
            said.update({f"A {name}.lab.": [[1, host]] for name, host in hosts.items()})
            said["A all.lab."] = [[1, host] for host in hosts.values()]
            return said

        hosts = {name: server.address for name, server in servers.items()}
        names = NameServer(lab.net.balancer, lab.directory, records(**hosts))
        how = {"from": "dns", "name": "_http._tcp.lab", "record": "SRV", "server": names.endpoint}
        lab.balancer.start(_configuration(lab, how))
        process.until(lambda: _found(lab) == set(hosts.values()), "all backends found")
        lab.balancer.wait_until_in_rotation()
        load = SteadyLoad(lab, ["nat"])
        names.say({"fail": True})
        process.until(_problem(lab, "the name server says"), "the failure as a problem", timeout=15)
        names.say({"A other.lab.": []})
        process.until(_problem(lab, "at_least"), "the name that is gone as a problem", timeout=15)
        run.expect(_found(lab) == set(hosts.values()), f"found: {_found(lab)}")
        names.say({**records(**hosts), "hollow": True})
        process.until(_problem(lab, "no name of a host"), "the records without data as a problem", timeout=15)
        names.say({**records(**hosts), "forged": "10.0.0.66"})
        process.until(lambda: not lab.balancer.status()["problems"], "the end of the problems", timeout=15)
        run.expect(_found(lab) == set(hosts.values()), f"found, with forged answers: {_found(lab)}")
        names.say(records(**hosts))
        expect_unharmed(run, *load.stop())

        # b3 comes back with another address.
        b3 = servers["b3"].namespace
        b3.ip(f"address delete {hosts['b3']}/24 dev eth0")
        b3.ip("address add 10.0.0.99/24 dev eth0", "route replace default via 10.0.0.1")
        begun = time.monotonic()
        names.say(records(**{**hosts, "b3": "10.0.0.99"}))
        process.until(lambda: "10.0.0.99" in _found(lab) and hosts["b3"] not in _found(lab), "the new address", 15)
        noticed = time.monotonic() - begun
        process.until(
            lambda: any(
                shown["address"] == "10.0.0.99" and shown["in_rotation"] for shown in lab.balancer.backends("nat").values()
            ),
            "it in rotation",
        )
        run.figure(noticed_s=round(noticed, 2), recovered_s=round(time.monotonic() - begun, 2))
        report = lab.traffic.short(lab.to("nat"), connections=300)
        run.expect(report["failed"] == 0, f"connections failed: {report}")
        run.expect(NAT in lab.balancer.addresses(), "the service address is gone")
