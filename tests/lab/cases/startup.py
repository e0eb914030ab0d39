"""Starts that can not work: one clear line, exit status not 0, nothing half attached. And ends that leave nothing."""

import os
import shutil
import tempfile

from harness import paths, process
from harness.case import case
from harness.configuration import ADDRESSES, TUNNEL
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
