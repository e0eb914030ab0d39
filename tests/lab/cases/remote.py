"""The API over the network: by TLS, with tokens, for clients of all kinds; and that it is what its document says."""

import json
import pathlib
import subprocess
import time

import jsonschema

from harness import api_attack, paths, process
from harness.case import case
from harness.steady import SteadyLoad, expect_unharmed
from harness.topology import FRONT

_READER = "reader-0123456789abcdef0123456789"
_OPERATOR = "operator-0123456789abcdef01234567"
_PORT = 9443


def identity(lab, address):
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
        certificate, key = identity(lab, address)
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


@case("api_under_attack", long=True)
def api_under_attack(run):
    """Clients that are silent, slow, half-closed, long-winded, guess tokens, or follow and follow: an operator is answered all
    the while, no check fails for it, clients of the services notice nothing, and nothing stays behind."""
    with run.lab() as lab:
        certificate, key = identity(lab, FRONT)
        tokens = lab.directory / "tokens"
        tokens.write_text(f"dashboard read-only {_READER}\ndeploy operator {_OPERATOR}\n")
        tokens.chmod(0o600)
        remote = {"listen": f'"{FRONT}:{_PORT}"', "certificate": certificate, "key": key, "tokens": tokens}
        api = {"socket": f"/run/astil/{lab.instance}.sock", "remote": remote}
        lab.start_balancer(forwardings=["nat"], more={"api": api})
        lab.balancer.wait_until_in_rotation()
        descriptors = lambda: len(list(pathlib.Path(f"/proc/{lab.balancer.daemon.pid}/fd").iterdir()))
        before, memory = descriptors(), lab.balancer.resident_anonymous_kib()
        told = max((each["number"] for each in lab.balancer.query("events")["events"]), default=0)
        attack = lab.net.client.spawn(
            *("python3", api_attack.__file__, FRONT, str(_PORT), certificate, _READER),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        load = SteadyLoad(lab, ["nat"])
        words = ["curl", "-sS", "--max-time", "30", "--cacert", certificate, "-o", "/dev/null", "-w", "%{http_code} %{time_total}"]
        header = ["-H", f"Authorization: Bearer {_OPERATOR}"]
        answers, begun = [], time.monotonic()
        while time.monotonic() < begun + 6:  # by then they have come for more places than there are
            answers.append(lab.net.client.run(*words, *header, f"https://{FRONT}:{_PORT}/v1/status").stdout.split())
        done = json.loads(attack.communicate("")[0])
        expect_unharmed(run, *load.stop())
        run.figure(operator_answers=len(answers), operator_longest_s=max(float(seconds) for _, seconds in answers), attack=done)
        run.expect(all(status == "200" for status, _ in answers), f"an operator was told {answers}")
        run.expect(all(done.get(kind) for kind in ("guess", "huge_head", "follow", "half_closed")), f"not attacked: {done}")
        run.expect(done.get("refused", 0) > 0 and not done.get("guessed"), f"{done}")
        events = [each for each in lab.balancer.query("events")["events"] if each["number"] > told]
        run.expect(not [each for each in events if each["kind"] == "health"], f"a check failed: {events}")
        process.until(lambda: descriptors() < before + 10, "the end of the connections", timeout=60)
        grown = lab.balancer.resident_anonymous_kib() - memory
        run.figure(memory_grown_kib=grown)
        run.expect(grown < 32 * 1024, f"memory grew by {grown} KiB")


def _answer(lab, method, path, query, body):
    """Asks the daemon's socket; the status, the content type and the answer."""
    words = ["curl", "-sS", "--max-time", "10", "--unix-socket", f"/run/astil/{lab.instance}.sock", "-X", method]
    words += ["-w", "%{stderr}%{http_code} %{content_type}"]
    if body is not None:
        words += ["--data-binary", f"@{body}"]
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    done = lab.balancer.namespace.run(*words, f"http://localhost{path}" + (f"?{parameters}" if parameters else ""))
    status, content_type = done.stderr.split(" ", 1)
    return int(status), content_type, done.stdout


def _closed(schema):
    """The schema, but with no members that it does not name."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema and "required" in schema else closed


@case("api_answers_as_documented")
def api_answers_as_documented(run):
    """Every documented route of the running daemon answers with the documented schema and no member more."""
    document = json.loads((paths.ROOT / "docs/openapi.json").read_text())
    components = _closed(document["components"])
    with run.lab() as lab:
        file = lab.balancer.write(lab.configuration(forwardings=["nat"]))
        lab.start_balancer(forwardings=["nat"])
        lab.traffic.short(lab.to("nat"), connections=50)
        values = {"backend": "b1", "service": "nat", "from": "10.1.0.10:40000", "to": lab.to("nat"), "limit": 10}
        names = {"/v1/dns/explain", "/v1/dns/site", "/v1/ha", "/v1/ha/handover", "/v1/ha/move"}  # refused without a name server, or a pair
        # In an order in which each can be done; feeds go on for ever and have tests of their own.
        feeds = {"/v1/drops/follow", "/v1/events", "/v1/capture"}
        last = ["/v1/plan", "/v1/apply", "/v1/confirm", "/v1/rollback", "/v1/detach"]
        routes = [path for path in document["paths"] if path not in feeds | names and path not in last] + last
        run.expect(set(routes) | feeds | names == set(document["paths"]), "not every route is asked")
        changed = lab.directory / "changed.yaml"
        for path in routes:
            ((method, operation),) = document["paths"][path].items()
            query = {each["name"]: values[each["name"]] for each in operation.get("parameters", []) if each["name"] in values}
            body = None
            if "requestBody" in operation:
                changed.write_text(file.read_text().replace("weight: 1", "weight: 2"))
                body = changed
            if path == "/v1/apply":
                query["confirm"] = 60
            status, content_type, answer = _answer(lab, method.upper(), path, query, body)
            run.expect(status == 200, f"{path}: {status}: {answer[:300]}")
            ((documented, described),) = operation["responses"]["200"]["content"].items()
            run.expect(content_type.strip() == documented, f"{path}: {content_type}, not {documented}")
            if documented == "application/json":
                schema = {**described["schema"], "components": components}
                wrong = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(answer))]
                run.expect(not wrong, f"{path}: {wrong[:3]}")


@case("api_refuses_as_documented")
def api_refuses_as_documented(run):
    """What is asked in a wrong way is refused with the documented status and schema; what is not documented is not there."""
    document = json.loads((paths.ROOT / "docs/openapi.json").read_text())
    components = _closed(document["components"])
    failure = {"$ref": "#/components/schemas/FailureView", "components": components}
    with run.lab() as lab:
        lab.start_balancer(forwardings=["nat"])
        for path, operations in document["paths"].items():
            ((method, operation),) = operations.items()
            status, _, answer = _answer(lab, method.upper(), path, {"unheard": "of"}, None)
            run.expect(status == 400, f"{path}: {status} for an unknown parameter")
            jsonschema.validate(json.loads(answer), failure, jsonschema.Draft202012Validator)
            other = "GET" if method == "post" else "POST"
            run.expect(_answer(lab, other, path, {}, None)[0] == 405, f"{other} {path} is answered")
            for parameter in operation.get("parameters", []):
                if parameter["required"]:
                    run.expect(_answer(lab, method.upper(), path, {}, None)[0] == 400, f"{path} without its parameter")
        for path in ("/", "/v1", "/v1/statuses", "/v2/status"):
            run.expect(_answer(lab, "GET", path, {}, None)[0] == 404, f"{path} is there")
