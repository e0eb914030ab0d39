"""Starts that can not work: one clear line, exit status not 0, nothing half attached. And ends that leave nothing, or all."""

import os
import shutil
import tempfile

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES, TUNNEL, to_yaml
from harness.namespace import let_pass

_NOBODY = 65534


def _expect_refusal(run, lab, child, words, untouched=()):
    """The daemon has ended with one error that has all the words, and has left nothing behind."""
    status = child.wait(10)
    log = lab.balancer.log_file.read_text().splitlines()
    errors = [line for line in log if " error " in line or line.startswith(("error", "astild:"))]
    run.figure(exit_status=status, line=errors[0] if errors else "")
    run.expect(status != 0, "exit status 0")
    run.expect(len(errors) == 1, f"{len(errors)} error lines: {log}")
    for word in words:
        run.expect(word in errors[0], f"the line does not say '{word}': {errors[0]}")
    attached = set(lab.balancer.programs()) - set(untouched)
    run.expect(not attached, f"a program is attached to {attached}")
    run.expect(not lab.balancer.pins(), f"pins are left: {lab.balancer.pins()}")
    run.expect(not lab.balancer.addresses() & set(ADDRESSES.values()), "a service address was put up")


@case("start_without_privilege")
def start_without_privilege(run):
    """As an ordinary user: says which privilege is missing."""
    with run.lab() as lab:
        # A place that the user may read, wherever the checkout is.
        with tempfile.TemporaryDirectory(prefix="astil-lab-") as place:
            os.chmod(place, 0o755)
            config = shutil.copy(lab.balancer.write(lab.configuration()), place)
            program = shutil.copy(paths.program("astild"), place)
            os.chmod(config, 0o644)
            with open(lab.balancer.log_file, "ab") as log:
                child = lab.net.balancer.spawn(
                    "setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", program,
                    "--config", config, stdout=log, stderr=log,
                )  # fmt: skip
            _expect_refusal(run, lab, child, ["CAP_"])


@case("start_without_interface")
def start_without_interface(run):
    """With an interface that is not there: names it, and leaves the other one alone."""
    with run.lab() as lab:
        config = lab.configuration()
        config["interfaces"] = ["eth0", "eth7"]
        lab.balancer.write(config)
        _expect_refusal(run, lab, lab.balancer.spawn(), ["eth7"])


@case("start_beside_another_program")
def start_beside_another_program(run):
    """On an interface that has another XDP program: says so, and leaves it there."""
    with run.lab() as lab:
        let_pass(lab.net.balancer, "eth1")
        before = lab.balancer.programs()
        lab.balancer.write(lab.configuration())
        _expect_refusal(run, lab, lab.balancer.spawn(), ["eth1"], untouched=["eth1"])
        run.expect(lab.balancer.programs() == before, "the other program was replaced")


_OTHER_SOCKET = "/run/astil/{}.other.sock"


def _with_other_socket(lab):
    return lab.configuration(more={"api": {"socket": _OTHER_SOCKET.format(lab.instance)}})


@case("start_of_a_second_daemon")
def start_of_a_second_daemon(run):
    """Of the same instance, at another socket: refused, and the first one goes on."""
    with run.lab() as lab:
        lab.start_balancer()
        before = lab.balancer.programs()
        second = lab.balancer.directory / "second.yaml"
        second.write_text(to_yaml(_with_other_socket(lab)) + "\n")
        status = lab.balancer.spawn(config_file=second).wait(10)
        errors = [line for line in lab.balancer.log_file.read_text().splitlines() if " error " in line]
        run.expect(status == 1, f"exit status {status}")
        run.expect(len(errors) == 1 and lab.instance in errors[0], f"the errors: {errors}")
        run.expect(lab.balancer.programs() == before, "the second daemon has changed the program")
        report = lab.traffic.short(lab.to("nat"), connections=300)
        run.expect(report["failed"] == 0, f"connections failed: {report}")


@case("apply_during_the_start")
def apply_during_the_start(run):
    """A configuration that is applied before the daemon is ready: it becomes ready, with that one."""
    with run.lab() as lab:
        config = lab.configuration()
        # Nobody answers at that address, so that the start takes the time there is for it.
        config["services"]["nat"]["backends"]["none"] = {"address": "10.0.0.99", "port": 8080}
        answers = []

        def apply():
            asked = lambda: lab.balancer.astil("apply", lab.balancer.config_file, "-o", "json", check=False)
            process.until(lambda: answers.append(asked()) or answers[-1].returncode == 0, "an apply that is taken")

        run.figure(ready_s=round(lab.balancer.start(config, meanwhile=apply), 2))
        lab.balancer.wait_until_in_rotation("b1", "b2", "b3")
        shown = lab.balancer.status()["config"]
        run.expect(shown["applies_ok"] >= 1 and shown["applies_refused"] == 0, f"the applies are counted as {shown}")


def _expect_nothing_left(run, lab):
    run.expect(not lab.balancer.programs(), f"programs are left: {lab.balancer.programs()}")
    run.expect(not lab.balancer.pins(), f"pins are left: {lab.balancer.pins()}")
    left = lab.balancer.addresses() & set(ADDRESSES.values())
    run.expect(not left, f"service addresses are left: {left}")


@case("detach_removes_everything")
def detach_removes_everything(run):
    """`astil detach` removes programs, pins and addresses: of a running daemon, and of one that is dead."""
    with run.lab() as lab:
        lab.start_balancer()
        lab.balancer.astil("detach")
        run.expect(lab.balancer.daemon.wait(10) == 0, f"the daemon ended with {lab.balancer.daemon.returncode}")
        _expect_nothing_left(run, lab)
        lab.start_balancer()
        lab.balancer.crash()
        run.expect(lab.balancer.programs() and lab.balancer.pins(), "the packet path did not outlive its daemon")
        lab.balancer.astil("detach")
        _expect_nothing_left(run, lab)


@case("detach_finds_a_daemon_at_another_socket")
def detach_finds_a_daemon_at_another_socket(run):
    """`astil detach` of an instance asks its daemon, wherever that listens, and does without one that is dead."""
    with run.lab() as lab:
        lab.balancer.start(_with_other_socket(lab))
        told = lab.balancer.astil("detach").stdout
        run.expect("the daemon removed it" in told, f"it did not ask the daemon: {told}")
        run.expect(lab.balancer.daemon.wait(10) == 0, f"the daemon ended with {lab.balancer.daemon.returncode}")
        _expect_nothing_left(run, lab)
        lab.balancer.start(_with_other_socket(lab))
        wrong = lab.balancer.astil("detach", "--socket", "/run/astil/nobody.sock", check=False)
        run.expect(wrong.returncode == 1, f"under a running daemon it did: {wrong.stdout}{wrong.stderr}")
        run.expect(_OTHER_SOCKET.format(lab.instance) in wrong.stderr, f"where it listens is not said: {wrong.stderr}")
        run.expect(lab.balancer.programs() and lab.balancer.pins(), "the packet path is gone")
        lab.balancer.crash()
        lab.balancer.astil("detach")
        _expect_nothing_left(run, lab)


@case("detach_stops_at_an_address_that_stays")
def detach_stops_at_an_address_that_stays(run):
    """Where a service address can not be removed, the programs stay: the kernel would reset the clients."""
    with run.lab() as lab:
        lab.start_balancer()
        lab.balancer.crash()
        before = lab.balancer.programs()
        done = lab.net.balancer.run(
            "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", paths.program("astil"),
            "--instance", lab.instance, "detach", check=False,
        )  # fmt: skip
        run.expect(done.returncode == 1, f"exit status {done.returncode}: {done.stdout}{done.stderr}")
        run.expect("remove 192.0.2." in done.stderr, f"the address is not named: {done.stderr}")
        run.expect(lab.balancer.programs() == before and lab.balancer.pins(), "the packet path is gone")
        report = lab.traffic.short(lab.to("direct"), connections=300)
        run.expect(report["failed"] == 0, f"connections failed: {report}")


@case("agent_leaves_no_trace")
def agent_leaves_no_trace(run):
    """astil-agent takes away, at SIGTERM, what it set up."""
    with run.lab(backends=1) as lab:
        server = lab.servers["b1"]
        status = process.end(server.agent, 15)
        run.expect(status == 0, f"exit status {status}")
        shown = process.run(["ip", "-n", server.namespace.name, "address"]).stdout
        run.expect(TUNNEL not in shown, "the service address is still there")
        run.expect("xdp" not in shown, "the program is still attached")


@case("agents_share_their_host")
def agents_share_their_host(run):
    """Of two agents on a host, the first that ends leaves the service address to the other, which takes it away."""
    with run.lab(backends=1) as lab:
        server = lab.servers["b1"]
        server.namespace.ip("link add other type veth peer name its-end", "link set other up", "link set its-end up")
        second = server.start_agent(TUNNEL, interface="other")
        process.end(server.agent, 15)
        run.expect(server.holds(TUNNEL), "the first agent took the other's address away")
        process.end(second, 15)
        run.expect(not server.holds(TUNNEL), "the last agent left the address")


@case("agent_takes_over_from_a_killed_one")
def agent_takes_over_from_a_killed_one(run):
    """An agent takes away, at its end, what one before it left behind that was killed."""
    with run.lab(backends=1) as lab:
        server = lab.servers["b1"]
        process.end(server.agent)
        run.expect(server.holds(TUNNEL), "the address went with the killed agent: nothing is left to take over")
        process.end(server.start_agent(TUNNEL), 15)
        run.expect(not server.holds(TUNNEL), "the address is still there")


@case("interface_lost_blocks_no_change")
def interface_lost_blocks_no_change(run):
    """An interface that vanished is a problem in the status, and no reason to refuse another change."""
    with run.lab() as lab:
        lab.net.balancer.ip("link add spare0 type veth peer name spare1", "link set spare0 up")
        configuration = lab.configuration(forwardings=["direct"])
        configuration["interfaces"].append("spare0")
        lab.balancer.start(configuration)
        lab.net.balancer.ip("link del spare0")
        configuration["services"]["direct"]["backends"]["b1"]["weight"] = 0
        lab.balancer.apply(configuration)
        lab.balancer.wait_until_out_of_rotation("b1")
        problems = str(lab.balancer.status()["problems"])
        run.expect("spare0" in problems, f"nothing is said of it: {problems}")


@case("restart_while_an_interface_is_missing")
def restart_while_an_interface_is_missing(run):
    """Packets flow, and a daemon that comes back cares for them, though an interface is gone; it is used when it is back."""
    with run.lab() as lab:
        spare = "link add spare0 type veth peer name spare1", "link set spare0 up"
        lab.net.balancer.ip(*spare)
        configuration = lab.configuration(forwardings=["direct"])
        configuration["interfaces"].append("spare0")
        lab.balancer.start(configuration)
        lab.balancer.wait_until_in_rotation("b1", "b2", "b3")
        lab.balancer.crash()
        lab.net.balancer.ip("link del spare0")
        lab.balancer.start(configuration)
        problems = str(lab.balancer.status()["problems"])
        run.expect("spare0" in problems, f"nothing is said of it: {problems}")
        lab.balancer.wait_until_in_rotation("b1", "b2", "b3")
        report = lab.traffic.short(lab.to("direct"), connections=300)
        run.expect(report["failed"] == 0, f"connections failed: {report}")
        lab.net.balancer.ip(*spare)
        process.until(lambda: "spare0" in lab.balancer.programs(), "a program at the interface that is back")
        configuration["interfaces"].append("eth7")
        lab.balancer.write(configuration)
        refused = lab.balancer.astil("apply", lab.balancer.config_file, check=False)
        run.expect(refused.returncode != 0 and "eth7" in refused.stderr, f"one that never was: {refused.stderr}")
