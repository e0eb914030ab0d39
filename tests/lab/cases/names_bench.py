"""How much a query costs the name server, beside gdnsd and a bare reflector of datagrams, in one run: figures, and no
judgement by time."""

import os
import pathlib
import re

from cases.names import ZONE, section
from cases.names_signed import generate
from harness import paths, process
from harness.case import case
from harness.topology import FRONT

_NAMES = 1000
_TURNS = 5
_RECORDS = [
    "@ 3600 SOA ns1 hostmaster 7 3600 600 604800 60", "@ NS ns1", f"ns1 A {FRONT}",
    *(f"n{number} A 198.51.{number // 250}.{number % 250 + 1}" for number in range(_NAMES)),
]  # fmt: skip


def _pin(pid):
    """The server's threads to one core, since the client has the other: where they land makes more of a difference than what
    they do."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {1})


def _start_gdnsd(lab):
    folder = lab.directory / "gdnsd"
    (folder / "zones").mkdir(parents=True)
    (folder / "config").write_text(
        f"options => {{ listen => [ {FRONT}:5301 ], udp_threads => 1, tcp_threads => 1, run_dir => {folder}, "
        f"state_dir => {folder} }}\n"
    )
    (folder / "zones" / ZONE).write_text("$TTL 300\n" + "\n".join(_RECORDS) + "\n")
    with open(folder / "log", "wb") as log:
        return lab.net.balancer.spawn("gdnsd", "-c", folder, "start", stdout=log, stderr=log)


def _dnsperf(lab, port, *words):
    told = lab.net.client.run(
        "taskset", "-c", "0", "dnsperf", "-s", FRONT, "-p", port, "-d", lab.directory / "queries", "-l", "4", "-c", "8", *words, check=False
    ).stdout
    number = lambda what: float(re.search(rf"{what}:\s+([\d.]+)", told)[1])
    return number("Queries completed"), number("Queries per second"), number("Queries lost")


@case("names_beside_gdnsd", long=True, alone=True)
def names_beside_gdnsd(run):
    """CPU for each query at one offered rate, and the highest rate, of one worker, gdnsd and a bare reflector."""
    with run.lab(backends=1) as lab:
        (lab.directory / "queries").write_text("".join(f"n{number}.{ZONE} A\n" for number in range(_NAMES)))
        dns = section(_RECORDS, listen=[f"{FRONT}:53"])
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        gdnsd = _start_gdnsd(lab)
        reflector = lab.net.balancer.spawn(paths.program("lab_reflector"), FRONT, "5302")
        servers = {
            "astil": (53, lambda: process.cpu_seconds(lab.balancer.daemon.pid, "astil-dns")),
            "gdnsd": (5301, lambda: process.cpu_seconds(gdnsd.pid)),
            "reflector": (5302, lambda: process.cpu_seconds(reflector.pid)),
        }
        process.until(lambda: _dnsperf(lab, "5301", "-l", "1", "-Q", "100")[0] > 0, "gdnsd answers")
        for server in (lab.balancer.daemon, gdnsd, reflector):
            _pin(server.pid)
        for transport in ("udp", "tcp"):
            for _ in range(_TURNS):
                for name, (port, cpu) in servers.items():
                    if transport == "tcp" and name == "reflector":
                        continue
                    _measure(run, lab, f"{name}_{transport}", str(port), cpu, transport)
        run.expect(run.figures["astil_udp_us"] > 0, f"nothing was measured: {run.figures}")


@case("names_signed_cost", long=True, alone=True)
def names_signed_cost(run):
    """CPU for each query of a signed zone: without signatures, with ones that are kept, and with one made for each."""
    with run.lab(backends=1) as lab:
        stem = generate(lab)
        dns = section(_RECORDS, listen=[f"{FRONT}:53"], zone={"dnssec": {"keys": [stem]}})
        lab.balancer.start(lab.configuration(forwardings=["nat"], more={"dns": dns}))
        cpu = lambda: process.cpu_seconds(lab.balancer.daemon.pid, "astil-dns")
        there = [f"n{number}.{ZONE} A\n" for number in range(_NAMES)]
        made_up = [f"m{number}.{ZONE} A\n" for number in range(200_000)]
        for name, queries, words in (
            ("plain", there, []), ("kept", there, ["-D"]), ("denied", made_up, []), ("made", made_up, ["-D"])
        ):  # fmt: skip
            (lab.directory / "queries").write_text("".join(queries))
            if name == "kept":
                _dnsperf(lab, "53", "-Q", "2000", *words)  # there are not more names than that, so they are made
            before = cpu()
            completed, _, lost = _dnsperf(lab, "53", "-Q", "5000", *words)
            run.figure(**{f"{name}_us": round((cpu() - before) / completed * 1e6, 2), f"{name}_lost": round(lost)})
        counted = {each["name"]: each["count"] for each in lab.balancer.status()["dns"]["signatures"]}
        run.figure(**counted)
        run.expect(counted["failed"] == 0 and counted["kept"] > 0, f"signatures: {counted}")


def _measure(run, lab, name, port, cpu, transport):
    """The least CPU for a query, and the highest rate, of the turns."""
    before = cpu()
    completed, _, lost = _dnsperf(lab, port, "-m", transport, "-Q", "20000", "-l", "2")
    cost = round((cpu() - before) / completed * 1e6, 2)
    _, rate, _ = _dnsperf(lab, port, "-m", transport, "-q", "500", "-l", "2")
    known = run.figures
    run.figure(
        **{
            f"{name}_us": min(cost, known.get(f"{name}_us", cost)),
            f"{name}_rate": max(round(rate), known.get(f"{name}_rate", 0)),
            f"{name}_lost": round(lost) + known.get(f"{name}_lost", 0),
        }
    )
