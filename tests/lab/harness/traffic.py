"""Load from the client's host: our own lab_client, which counts connection by connection, and the field's tools."""

import json
import re
import signal
import subprocess

from harness import paths, process
from harness.topology import CLIENT_SOURCES, CLIENT_SOURCES_6


class Running:
    """A lab_client in the background."""

    def __init__(self, child):
        self.child = child
        self.ready = None

    def read_report(self):
        line = self.child.stdout.readline()
        if not line:
            self.child.wait()
            raise RuntimeError(f"lab_client ended with status {self.child.returncode} and no report")
        return json.loads(line)

    def finish(self):
        """Waits until the load is done by itself, and returns its report."""
        report = self.read_report()
        while report["event"] != "done":
            report = self.read_report()
        self.child.wait(30)
        return report

    def stop(self):
        """Ends the load in good order and returns its report."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.finish()


def _sources_for(to):
    return CLIENT_SOURCES_6 if to.startswith("[") else CLIENT_SOURCES


class Traffic:
    def __init__(self, namespace, log):
        self.namespace = namespace
        self.log = log

    def _client(self, mode, to, options, flags=()):
        words = [f"{word}" for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        with open(self.log, "ab") as errors:
            child = self.namespace.spawn(
                paths.program("lab_client"), mode, "--to", to, *words, *flags, stdout=subprocess.PIPE, stderr=errors
            )
        return Running(child)

    def start_short(self, to, flags=(), **options):
        """Connections that carry one request each, one after another; without `connections` until stopped."""
        return self._client("short", to, {"source": _sources_for(to), **options}, flags)

    def short(self, to, connections, flags=(), **options):
        """So many connections, and their report."""
        return self.start_short(to, flags, connections=connections, **options).finish()

    def start_long(self, to, connections, flags=(), **options):
        """So many lasting connections, each with a request every interval, until stopped. Returns when all are open."""
        options = {"source": _sources_for(to), "interval_ms": 200, **options}
        running = self._client("long", to, {"connections": connections, **options}, flags)
        running.ready = running.read_report()
        return running

    def curl(self, url, *options, check=True):
        return self.namespace.run("curl", "--silent", "--show-error", "--max-time", "30", *options, url, check=check)

    def wrk(self, url, connections=50, seconds=5, close=False):
        """Requests, failures and requests a second, as wrk counts them."""
        header = ["-H", "Connection: close"] if close else []
        shown = self.namespace.run(
            "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "5s", *header, url
        ).stdout
        return _wrk_figures(shown)

    def wrk_until(self, url, least, seconds):
        """Connections of one request each by wrk, until there are so many, or some fail or none comes about."""
        done = {"requests": 0, "failed": 0}
        while done["requests"] < least and done["failed"] == 0:
            part = self.wrk(url, seconds=seconds, close=True)
            done = {key: done[key] + part[key] for key in done}
            if part["requests"] == 0:
                break
        return done

    def h2load(self, url, requests=20000, clients=50):
        """Requests and failures of h2load over HTTP/1.1."""
        shown = self.namespace.run("h2load", "--h1", "-n", str(requests), "-c", str(clients), url).stdout
        counts = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", shown)
        good, *bad = map(int, counts.groups())
        return {"requests": good, "failed": sum(bad)}


def _wrk_figures(shown):
    def number(pattern):
        found = re.search(pattern, shown)
        return float(found.group(1)) if found else 0

    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", shown)
    failed = sum(map(int, errors.groups())) if errors else 0
    return {
        "requests": int(number(r"(\d+) requests in")),
        "failed": failed + int(number(r"Non-2xx or 3xx responses: (\d+)")),
        "per_second": round(number(r"Requests/sec:\s+([\d.]+)")),
    }
