"""Runs programs and tells their wall time, CPU time and peak memory; itself so small that it does not count.

Run as `python -I -S stopwatch.py`: a line of JSON in (words, env, cwd), a line of JSON out. A child's peak memory
begins with its parent's (Linux, vfork), so whoever measures must be smaller than what is measured.
"""

import json
import os
import sys
import time


def timed(words: list[str], env: dict[str, str], cwd: str) -> dict[str, float]:
    """Seconds of wall and CPU, megabytes at the peak, and the exit code of one run; its output goes nowhere."""
    os.chdir(cwd)
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    since = time.perf_counter()
    child = os.posix_spawn(words[0], words, env, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - since
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": peak, "code": os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(timed(**json.loads(line))) + "\n")
        sys.stdout.flush()
