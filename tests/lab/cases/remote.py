"""The API over the network: by TLS, with tokens, for clients of all kinds."""

import json

from harness import paths, process
from harness.case import case
from harness.topology import FRONT

_READER = "reader-0123456789abcdef0123456789"
_OPERATOR = "operator-0123456789abcdef01234567"
_PORT = 9443


def _identity(lab, address):
    """A certificate for the address, and its key."""
    certificate, key = lab.directory / "api.pem", lab.directory / "api.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    process.run([*made, "-subj", "/O=lab", "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out", certificate])
    return certificate, key


@case("api_over_the_network")
def api_over_the_network(run):
    """curl and astil on another host read and change by TLS with a token; who has none, or a lesser role, does not."""
    with run.lab() as lab:
        address = FRONT
        certificate, key = _identity(lab, address)
        tokens = lab.directory / "tokens"
        tokens.write_text(f"dashboard read-only {_READER}\ndeploy operator {_OPERATOR}\n")
        tokens.chmod(0o600)
        (lab.directory / "token").write_text(_OPERATOR + "\n")
        remote = {"listen": f'"{address}:{_PORT}"', "certificate": certificate, "key": key, "tokens": tokens}
        api = {"socket": f"/run/astil/{lab.instance}.sock", "remote": remote}
        lab.start_balancer(forwardings=["nat"], more={"api": api})
        client = lab.net.client

        def curl(path, token=None, *words):
            """The status, and the answer."""
            header = ["-H", f"Authorization: Bearer {token}"] if token else []
            asked = ["curl", "-sS", "--max-time", "10", "--cacert", certificate, "-w", "%{stderr}%{http_code}", *header, *words]
            done = client.run(*asked, f"https://{address}:{_PORT}{path}")
            return int(done.stderr), done.stdout

        status, body = curl("/v1/status", _READER)
        run.expect(status == 200 and json.loads(body)["services"], f"{status}: {body[:200]}")
        run.expect(curl("/v1/status")[0] == 401, "let in without a token")
        run.expect(curl("/v1/backends/drain?backend=b1", _READER, "-X", "POST")[0] == 403, "a reader drained a backend")
        words = ["--server", f"{address}:{_PORT}", "--token-file", lab.directory / "token", "--ca", certificate]
        told = client.run(paths.program("astil"), *words, "backend", "drain", "b1").stdout
        run.expect("backend b1 of service nat: drain" in told, f"another answer: {told}")
        why = lab.balancer.astil("why", "b1").stdout
        run.expect("by token deploy" in why, f"not by whom: {why}")
        log = lab.balancer.log_file.read_text()
        run.expect('change asked for by="token deploy"' in log and 'by="token dashboard"' in log, "not in the log")
        run.expect(_OPERATOR not in log and _READER not in log, "a token is in the log")
        for version, refused in (("-tls1_1", True), ("-tls1_3", False)):
            shaken = client.run("openssl", "s_client", "-connect", f"{address}:{_PORT}", version, input="", check=False)
            run.expect((shaken.returncode != 0) == refused, f"{version}: {shaken.stdout[:300]}{shaken.stderr[:300]}")
        tokens.write_text(f"dashboard read-only {_READER}\n")
        process.until(lambda: curl("/v1/status", _OPERATOR)[0] == 401, "a token that was taken out is void")
        run.expect(curl("/v1/version", _READER)[0] == 200, "the other token is void too")
