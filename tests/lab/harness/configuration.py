"""Configurations of the daemon, as plain dictionaries in the shape of the YAML file."""

import copy

from harness.topology import PORT_SOURCE, PORT_SOURCE_6

NAT = "192.0.2.10"
TUNNEL = "192.0.2.11"
DIRECT = "192.0.2.12"
ADDRESSES = {"nat": NAT, "tunnel": TUNNEL, "direct": DIRECT}
FORWARDINGS = tuple(ADDRESSES)
# Those that give packets the backend's address, and its port.
REWRITING = ("nat", "full-nat")

# Patient: a check that waits for a turn of the processor, beside a load that takes all of it, is no failure.
HEALTH = {"type": "http", "path": "/", "interval": "500ms", "timeout": "500ms", "rise": 2, "fall": 3}


def service(forwarding, backends, address=None, **changes):
    """A service with `backends`, a dictionary of name to (address, weight). A change to None takes the key out."""
    port = 8080 if forwarding in REWRITING else 80
    made = {
        "address": address or ADDRESSES[forwarding],
        "port": 80,
        "forwarding": forwarding,
        "scheduler": "maglev",
        "health": copy.deepcopy(HEALTH),
        "backends": {
            name: {"address": host, "port": port, "weight": weight} for name, (host, weight) in backends.items()
        },
    }
    made.update(changes)
    return {key: value for key, value in made.items() if value is not None}


def configuration(instance, interfaces, services, **more):
    """Packets are taken at XDP, the hook of fast devices, unless `more` says otherwise: `auto` would be tc here."""
    dataplane = more.get("dataplane", {})
    if dataplane.get("engine") != "dpdk":
        more = {**more, "dataplane": {"hook": "xdp", **dataplane}}
    if any(service["forwarding"] == "full-nat" for service in services.values()):
        more = {"full_nat": {"sources": [PORT_SOURCE, PORT_SOURCE_6]}, **more}
    return {
        "instance": instance,
        "interfaces": list(interfaces),
        "api": {"socket": f"/run/astil/{instance}.sock", "metrics": "127.0.0.1:9105"},
        **more,
        "services": services,
    }


def to_yaml(value, indent=""):
    """Block style for mappings, one line for lists; no value here needs quotes."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            lines += [f"{indent}{key}:", to_yaml(inner, indent + "  ")]
        elif isinstance(inner, list):
            lines.append(f"{indent}{key}: [{', '.join(map(str, inner))}]")
        else:
            lines.append(f"{indent}{key}: {inner}")
    return "\n".join(lines)
