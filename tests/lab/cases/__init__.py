"""The cases, a file a topic. Importing them declares them, in this order."""

from cases import (  # noqa: F401
    connections,
    udp,
    fragments,
    packets,
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
