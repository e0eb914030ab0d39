"""The cases, a file a topic. Importing them declares them, in this order."""

from cases import (  # noqa: F401
    connections,
    versions,
    any_port,
    udp,
    fragments,
    datagrams,
    packets,
    wire,
    mtu,
    path_mtu,
    tracing,
    drops,
    failure,
    change,
    restart,
    configuration,
    startup,
    repair,
    footprint,
    cleanup,
)
