"""`astil capture` under load: the file as tshark reads it, and connections that notice nothing of it."""

import json
import os
import re
import signal
import time

from harness import paths, process
from harness.capture import Capture
from harness.case import case
from harness.configuration import ADDRESSES, FORWARDINGS
from harness.engine import Engine, dataplane
from harness.steady import SteadyLoad, expect_unharmed
from harness.topology import CLIENT_ADDRESSES, CLIENT_NET

_FIELDS = ("frame.packet_id", "frame.packet_flags_direction", "frame.interface_name", "eth.dst", "ip.src", "ip.dst")
_INBOUND, _OUTBOUND = "0x00000001", "0x00000002"


def _more(lab, hook, **changes):
    """The section of a configuration for a hook of the kernel's, or for the DPDK engine."""
    return {"dataplane": {**(dataplane(lab.net.interfaces) if hook == "dpdk" else {"hook": hook}), **changes}}


def _start(lab, hook):
    if hook == "dpdk":
        engine = Engine(lab.balancer)
        engine.start()
        lab.start_balancer(more=_more(lab, hook))
        engine.wait_until_forwarding()
    else:
        lab.start_balancer(more=_more(lab, hook))


def _programs(lab, hook):
    """What captures, or does not: the ids of the packet path's programs by interface, whatever the kernel's hook; of the
    DPDK engine, the files that its workers write to."""
    if hook == "dpdk":
        return {path.name: path.name for path in paths.SHARED.joinpath(lab.balancer.instance).glob("capture-*")}
    found = lab.balancer.programs()
    for name in lab.net.interfaces:
        shown = process.run(["tc", "-n", lab.net.balancer.name, "-j", "filter", "show", "dev", name, "ingress"])
        for each in json.loads(shown.stdout or "[]"):
            options = each.get("options", {})
            if options.get("bpf_name", "").startswith("astil_tc"):
                found[name] = options["prog"]["id"]
    return found


def _capture(run, lab, name, *words):
    """Runs `astil capture` to its end. The file, and what was told of it."""
    file = run.directory / name
    told = json.loads(lab.balancer.astil("capture", "-w", str(file), "-o", "json", *words).stdout)
    return Capture(file), told


class _Background:
    """`astil capture` that nobody waits for."""

    def __init__(self, run, lab, name, *words):
        self.file = run.directory / name
        self.said = run.directory / f"{name}.err"
        command = [paths.program("astil"), "--instance", lab.balancer.instance, "capture", "-w", self.file, *words]
        with open(self.said, "wb") as err:
            self.child = lab.balancer.namespace.spawn(*command, stderr=err)

    def await_bytes(self, count):
        size = lambda: os.stat(self.file).st_size if self.file.exists() else 0
        process.until(lambda: size() >= count, f"{count} bytes of {self.file}")


def _decision(comment):
    """The comment's place, `before` or `after`, and its words by name."""
    place, _, words = comment.partition(": ")
    return place, dict(re.findall(r"(\w+)=(\S+)", words))


def _packets(file, display_filter="frame"):
    """Each packet's frames: place, what was decided, fields."""
    packets = {}
    for comment, *values in file.rows(display_filter, "frame.comment", *_FIELDS):
        place, decided = _decision(comment)
        frame = dict(zip(_FIELDS, values), place=place, **decided)
        packets.setdefault(frame["frame.packet_id"], []).append(frame)
    return list(packets.values())


def _server(lab, backend):
    """By the backend's name, or, of one that is removed and has flows left, its address and port."""
    by_address = {server.address: server for server in lab.servers.values()}
    return lab.servers.get(backend) or by_address[backend.partition(":")[0]]


def _wrong(lab, macs, frames):
    """What is wrong with the frames of a packet that was sent on, where macs are by server address; None: nothing."""
    if [frame["place"] for frame in frames] != ["before", "after"]:
        return "not a frame before and one after"
    before, after = frames
    if (before["frame.packet_flags_direction"], after["frame.packet_flags_direction"]) != (_INBOUND, _OUTBOUND):
        return "the directions are others"
    service, backend = before["service"], before["backend"]
    if {"reason", "service", "backend", "flow"} - before.keys() or after["backend"] != backend:
        return "the decision is not told"
    address, server = ADDRESSES[service], _server(lab, backend).address
    if before["reason"] == "replied":
        return None if (before["ip.src"], after["ip.src"]) == (server, address) else "not the reply's sources"
    if before["ip.dst"] != address:
        return "the first frame is not to the service"
    goal = {"nat": server, "tunnel": f"{server},{address}", "direct": address}[service]
    if after["ip.dst"] != goal:
        return f"the second frame is not to {goal}"
    return None if after["eth.dst"] == macs[server] else "the second frame is for another station"


def _expect_right(run, lab, file, services, whole=True, every=True):
    """Every packet before and after, of these services, on its way to and from their backends. A file that is not whole
    may end between the two. One that is short need not have packets of every service."""
    backends = lab.balancer.backends(services[0])
    macs = {lab.servers[name].address: backend["next_hop"]["mac"] for name, backend in backends.items()}
    packets = _packets(file)
    if not whole and len(packets[-1]) == 1:
        packets.pop()
    for frames in packets:
        wrong = _wrong(lab, macs, frames)
        run.expect(wrong is None, f"{wrong}: {frames}")
    seen = {frames[0]["service"] for frames in packets}
    right = seen == set(services) if every else seen and seen <= set(services)
    run.expect(right, f"packets of {seen}, and of {services} were wanted")
    return packets


def _under_load(run, hook):
    """Everything, then a service, a backend, a client, and many short ones: nothing breaks, and the programs that were
    there are there again."""
    with run.lab() as lab:
        _start(lab, hook)
        load = SteadyLoad(lab, FORWARDINGS, lasting=200, parallel=4)
        before = _programs(lab, hook)
        run.expect(set(before) == (set() if hook == "dpdk" else set(lab.net.interfaces)), f"programs on {before}")
        file, told = _capture(run, lab, "all.pcapng", "--duration", "3", "--rate", "2000", "--snap", "9216")
        run.figure(packets=told["packets"], over_rate=told["over_rate"], lost=told["lost"])
        run.expect(told["ended"] == "its time was over" and told["packets"] > 1000, f"{told}")
        run.expect(_programs(lab, hook) == before, f"the programs were {before}, and are {_programs(lab, hook)}")

        narrow = ("--duration", "20", "--count", "200")
        web, told_of_web = _capture(run, lab, "nat.pcapng", "--service", "nat", *narrow)
        one, _ = _capture(run, lab, "b2.pcapng", "--service", "tunnel", "--backend", "b2", *narrow)
        client, _ = _capture(run, lab, "client.pcapng", "--client", CLIENT_ADDRESSES[1], *narrow)
        net, _ = _capture(run, lab, "net.pcapng", "--client", CLIENT_NET, "--size", "20000")
        for _ in range(5):
            _capture(run, lab, "short.pcapng", "--count", "1")
        expect_unharmed(run, *load.stop())
        run.expect(_programs(lab, hook) == before, f"at the end the programs are {_programs(lab, hook)}")

        packets = _expect_right(run, lab, file, FORWARDINGS)
        run.expect(len(packets) == told["packets"], f"{len(packets)} packets in the file, and {told}")
        ways = {(frames[0]["reason"], frames[0]["flow"], frames[0].get("by")) for frames in packets}
        wanted = {("forwarded", "known", None), ("forwarded", "new", "ring"), ("replied", "known", None)}
        run.expect(wanted <= ways, f"decisions: {ways}")
        if hook != "tc":
            run.expect(not file.complaints(), f"tshark complains: {file.complaints()[:5]}")
        run.expect(len(_expect_right(run, lab, web, ["nat"])) == told_of_web["packets"] == 200, f"{told_of_web}")
        backends = {frames[0]["backend"] for frames in _expect_right(run, lab, one, ["tunnel"])}
        run.expect(backends == {"b2"}, f"packets of {backends}")
        others = client.count(f"!(ip.addr == {CLIENT_ADDRESSES[1]})")
        run.expect(others == 0 and client.count("frame") > 200, f"{others} frames of other clients")
        run.expect(net.count("frame") > 10 and net.file.stat().st_size <= 20000, "not as many bytes as were wanted")


for _hook in ("xdp", "tc", "dpdk"):
    case(f"capture_under_load_by_{_hook}", hook=_hook, long=_hook != "xdp")(_under_load)


def _ends(run, hook):
    """One at a time; Ctrl-C, other table sizes, kill -9 and SIGTERM of the daemon end it. The load notices nothing, and
    plain programs are there afterwards."""
    with run.lab() as lab:
        _start(lab, hook)
        plain = _programs(lab, hook)
        load = SteadyLoad(lab, FORWARDINGS, lasting=200, parallel=4)
        long = ("--duration", "600")

        first = _Background(run, lab, "first.pcapng", *long)
        first.await_bytes(20000)
        run.expect(_programs(lab, hook) != plain, "the capture has the plain programs")
        second = lab.balancer.astil("capture", "-w", str(run.directory / "second.pcapng"), check=False)
        run.expect(second.returncode == 1 and "one at a time" in second.stderr, f"{second}")
        run.expect(process.end(first.child, signal.SIGINT) == 0, f"Ctrl-C: {first.said.read_text()}")
        run.expect("its client wanted no more" in first.said.read_text(), first.said.read_text())
        process.until(lambda: _programs(lab, hook) == plain, "the plain programs after Ctrl-C")

        killed = _Background(run, lab, "killed.pcapng", *long)
        killed.await_bytes(20000)
        process.end(killed.child)
        process.until(lambda: _programs(lab, hook) == plain, "the plain programs after the client was killed")

        resized = _Background(run, lab, "resized.pcapng", *long)
        resized.await_bytes(20000)
        lab.balancer.apply(lab.configuration(more=_more(lab, hook, tables={"flow_slots": 524288})))
        run.expect(resized.child.wait(10) == 0, f"other tables: {resized.said.read_text()}")
        run.expect("the tables were exchanged" in resized.said.read_text(), resized.said.read_text())

        crashed = _Background(run, lab, "crashed.pcapng", *long)
        crashed.await_bytes(20000)
        lab.balancer.crash()
        run.expect(crashed.child.wait(10) == 1, f"kill -9: {crashed.said.read_text()}")
        left_behind = _programs(lab, hook)
        load.go_on(1)
        lab.balancer.start()
        run.expect(lab.balancer.status()["adopted"], "the packet path was not adopted")
        adopted = _programs(lab, hook)
        run.expect(not set(left_behind.values()) & set(adopted.values()), f"{left_behind}, then {adopted}")
        lab.balancer.wait_until_in_rotation()

        stopped = _Background(run, lab, "stopped.pcapng", *long)
        stopped.await_bytes(20000)
        lab.balancer.stop()
        run.expect(stopped.child.wait(10) == 1, f"SIGTERM: {stopped.said.read_text()}")
        run.expect(_programs(lab, hook) == adopted, f"SIGTERM leaves {_programs(lab, hook)}, and {adopted} were there")
        load.go_on(1)
        lab.balancer.start()
        lab.balancer.wait_until_in_rotation()
        expect_unharmed(run, *load.stop())
        for each in (first, resized):
            _expect_right(run, lab, Capture(each.file), FORWARDINGS, every=False)
        for each in (killed, crashed, stopped):
            _expect_right(run, lab, Capture(each.file, cut_short=True), FORWARDINGS, whole=False, every=False)


for _hook in ("xdp", "tc", "dpdk"):
    case(f"capture_ends_by_{_hook}", hook=_hook, long=_hook != "xdp")(_ends)


@case("capture_follows_its_backend")
def capture_follows_its_backend(run):
    """A backend that is taken out and put in again has another number, which a capture of it goes by then. The hook
    changes meanwhile, and the capture goes on."""
    with run.lab() as lab:
        lab.start_balancer()
        load = SteadyLoad(lab, ["direct"], lasting=100, parallel=4)
        child = _Background(run, lab, "b2.pcapng", "--service", "direct", "--backend", "b2", "--rate", "100")
        child.await_bytes(5000)
        lab.balancer.apply(lab.configuration(weights={"b1": 1, "b3": 1}))
        lab.balancer.apply(lab.configuration())
        lab.balancer.wait_until_in_rotation()
        lab.balancer.apply(lab.configuration(more={"dataplane": {"hook": "tc"}}))
        changed = time.time()
        time.sleep(1)  # the rate's second
        child.await_bytes(child.file.stat().st_size + 20000)
        run.expect(process.end(child.child, signal.SIGINT) == 0, child.said.read_text())
        expect_unharmed(run, *load.stop())
        file = Capture(child.file)
        backends = {frames[0]["backend"] for frames in _expect_right(run, lab, file, ["direct"])}
        while_removed = f"{lab.servers['b2'].address}:80"  # its open flows go on meanwhile
        run.expect(backends - {while_removed} == {"b2"}, f"packets of {backends}")
        new = [row for row in file.rows('frame.comment contains "flow=new"', "frame.time_epoch") if float(row[0]) > changed]
        run.expect(new, "no new flow of the backend after it came back")


@case("capture_of_drops_and_of_nothing")
def capture_of_drops(run):
    """A dropped packet stands there once, with the reason; names that are none are refused with what was meant."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["tunnel", "direct"])
        for wrong, told in (
            (("--service", "tunel"), 'did you mean "tunnel"?'),
            (("--backend", "b9"), "there is no backend 'b9'"),
        ):
            refused = lab.balancer.astil("capture", "-w", "/dev/null", *wrong, check=False)
            run.expect(refused.returncode == 1 and told in refused.stderr, f"{wrong}: {refused}")
        for server in lab.servers.values():
            server.kill_web()
        for name in lab.servers:
            lab.balancer.wait_until_out_of_rotation(name)
        child = _Background(run, lab, "drops.pcapng", "--service", "direct", "--count", "3")

        def ended():
            lab.traffic.curl(f"http://{lab.to('tunnel')}/", "--connect-timeout", "1", check=False)
            lab.traffic.curl(f"http://{lab.to('direct')}/", "--connect-timeout", "1", check=False)
            return child.child.poll() is not None

        process.until(ended, "three drops", timeout=30)
        rows = Capture(child.file).rows("frame", "frame.comment")
        wanted = "dropped: reason=no_backend service=direct"
        run.expect(len(rows) == 3 and all(row[0].startswith(wanted) for row in rows), f"{rows}")
