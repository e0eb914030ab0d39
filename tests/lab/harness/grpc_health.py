"""A gRPC server on a backend's host, by grpcio, with the standard health service. As a program it is that server:

    grpc_health.py PORT SERVICE=STATUS...

STATUS is a number of HealthCheckResponse.ServingStatus; the service "" is the server as a whole. SIGHUP has it answer
NOT_SERVING from then on.
"""

import pathlib
import signal
import sys
from concurrent import futures

if __name__ != "__main__":
    from harness import process

GRPC_PORT = 50051
SERVING, NOT_SERVING = 1, 2
# The distribution's, which has its package python3-grpcio, whichever runs the lab.
_PYTHON = "/usr/bin/python3"


class GrpcServer:
    """The server on one backend's host, for the lab."""

    def __init__(self, server, **services):
        words = [f"{name.replace('_', '.')}={status}" for name, status in services.items()]
        log = open(server.directory / "grpc.log", "ab")
        self._process = server.namespace.spawn(
            _PYTHON, __file__, str(GRPC_PORT), f"={SERVING}", *words, stdout=log, stderr=log
        )
        log.close()
        table = pathlib.Path(f"/proc/{self._process.pid}/net/tcp6")
        listens = lambda: f":{GRPC_PORT:04X} " in table.read_text()
        process.until(listens, f"gRPC on {server.name}, see {log.name}")

    def serve_no_more(self):
        self._process.send_signal(signal.SIGHUP)

    def stop(self):
        process.end(self._process)


def _serve(port, *services):
    import grpc

    known = dict(word.split("=") for word in services)

    def check(request, context):
        name = request[2:].decode() if request else ""
        if name not in known:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([0x08, int(known[name])])

    def serve_no_more(*_):
        known.update({name: NOT_SERVING for name in known})

    signal.signal(signal.SIGHUP, serve_no_more)
    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods),))
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    while True:
        signal.pause()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
