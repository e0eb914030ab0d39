"""Drops as an operator sees them: counted by service, and followed one by one."""

import signal

from harness import process
from harness.case import case
from harness.followers import DropFollower


def _of_service(lab, reason, service):
    for drop in lab.balancer.query("drops")["drops"]:
        if drop["reason"] == reason:
            return sum(counted["count"] for counted in drop["services"] if counted["service"] == service)
    return 0


@case("drops_are_followed")
def drops_are_followed(run):
    """Two followers see the packets of a service without backends; Ctrl-C and the daemon's end end them; counts stay."""
    with run.lab() as lab:
        lab.start_balancer(forwardings=["tunnel", "direct"])
        for server in lab.servers.values():
            server.kill_web()
        for name in lab.servers:
            lab.balancer.wait_until_out_of_rotation(name)
        every = DropFollower(run, lab, "every.jsonl")
        tunnel = DropFollower(run, lab, "tunnel.jsonl", "--service", "tunnel", "--reason", "no_backend")

        def seen(follower, service):
            # The follower says nothing when it has begun, so the packets come until it has seen one.
            lab.traffic.curl(f"http://{lab.to(service)}/", "--connect-timeout", "1", check=False)
            return [drop for drop in follower.drops() if drop["service"] == service]

        process.until(lambda: seen(every, "direct"), "a drop of the service direct")
        drop = process.until(lambda: seen(tunnel, "tunnel"), "a drop of the service tunnel")[0]
        run.expect(drop["reason"] == "no_backend" and drop["protocol"] == "tcp", f"another drop: {drop}")
        run.expect(drop["destination"]["port"] == 80 and drop["source"]["address"].startswith("10.1.0."), f"{drop}")
        run.expect(drop["interface"] and drop["length"] >= 40, f"not all is told: {drop}")
        run.expect(not [other for other in tunnel.drops() if other["service"] != "tunnel"], "another service's drop")

        run.expect(process.end(tunnel.child, signal.SIGINT) == 0, "Ctrl-C is no clean end")
        counted = _of_service(lab, "no_backend", "tunnel")
        run.expect(counted > 0, "not counted with its service")
        lab.balancer.crash()
        run.expect(every.child.wait(10) == 1, "the daemon has ended, and its follower has not")
        lab.balancer.start()
        run.expect(_of_service(lab, "no_backend", "tunnel") >= counted, "a restart has lost counts")
        again = DropFollower(run, lab, "again.jsonl")
        process.until(lambda: seen(again, "tunnel"), "a drop after the restart")
        run.figure(counted=counted)
