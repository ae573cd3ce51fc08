"""Runs one command line of the tool and writes what it took as JSON: `measured FILE WORDS...`."""

import json
import re
import resource
import sys
import time
from pathlib import Path

from migrator.cli.app.root import run

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The largest resident memory of this process so far.

    Where Linux tells it, from `VmHWM`: what `getrusage` tells there may be that of the process that started this one.
    """
    if STATUS.exists() and (told := re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())):
        return int(told[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    code = run(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps({"peak_bytes": peak_bytes(), "cpu_s": time.process_time()}))
    sys.exit(code)
