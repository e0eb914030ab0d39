"""What a sanitizer told of a program, where the lab's programs have one (ASTIL_BIN). A case ends its daemons by signals, so
their exit status does not tell; their logs do."""

import re

_BEGIN = re.compile(r"(WARNING|ERROR|FATAL): (Thread|Address|Leak)Sanitizer|ThreadSanitizer:DEADLYSIGNAL|: runtime error: ")
_SHOWN_LINES = 60


def report_in(directory):
    """The first report in the logs of a case, or None."""
    for log in sorted(directory.rglob("*.log")):
        lines = log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if _BEGIN.search(line):
                return "\n".join([f"{log} has a sanitizer's report:", *lines[number : number + _SHOWN_LINES]])
    return None
