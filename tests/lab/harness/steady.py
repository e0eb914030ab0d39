"""A steady load on several services, short and lasting connections beside each other, while something happens."""

import time


class SteadyLoad:
    """Runs from its creation until `stop`. The lasting connections are open when the constructor returns."""

    def __init__(self, lab, forwardings, lasting=100, timeout_ms=5000, **short):
        """`short` are lab_client's options for the short connections."""
        self.long = {}
        self.short = {}
        # Ranges of ports apart, so that no source is asked for twice.
        for each in forwardings:
            self.long[each] = lab.traffic.start_long(
                lab.to(each), lasting, ports="1024-9999", interval_ms=100, timeout_ms=timeout_ms
            )
        for each in forwardings:
            self.short[each] = lab.traffic.start_short(
                lab.to(each), ports="10000-65535", timeout_ms=timeout_ms, **{"parallel": 8, **short}
            )

    @staticmethod
    def go_on(seconds):
        """Lets the load run for a while."""
        time.sleep(seconds)

    def stop(self):
        """The reports by forwarding, of the short and of the lasting connections."""
        short = {each: running.stop() for each, running in self.short.items()}
        long = {each: running.stop() for each, running in self.long.items()}
        return short, long


def expect_unharmed(run, short, long):
    """Not one connection failed, and nobody changed the backend. Puts the figures into the run's record."""
    for each in short:
        run.figure(
            **{
                f"{each}_connections": short[each]["connections"],
                f"{each}_lasting": long[each]["connections"],
                f"{each}_requests_on_lasting": long[each]["answers"],
                f"{each}_failed": short[each]["failed"] + long[each]["failed"],
                f"{each}_delayed": short[each]["delayed"],
                f"{each}_longest_ms": round(max(short[each]["longest_ms"], long[each]["longest_ms"])),
            }
        )
    for each in short:
        run.expect(short[each]["failed"] == 0, f"{each}: short connections failed: {short[each]}")
        run.expect(long[each]["failed"] == 0, f"{each}: lasting connections failed: {long[each]}")
        run.expect(short[each]["connections"] > 100, f"{each}: there was hardly any load: {short[each]}")
