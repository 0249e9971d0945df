"""Runs `padkit prepare` over and over without paying for its imports: forks a warm process and kills its group.

Reads lines of JSON, `{"words": [...], "seconds": s or null}`; answers each with `{"status": ..., "seconds": ...}`, the
status negative where the child was killed after that many seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time


def attempt(words: list[str], seconds: float | None) -> dict[str, float]:
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        from padkit.commands.prepare import main

        os._exit(main(words))
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    # Not above: worker processes import this file, too.
    import av  # noqa: F401
    import datasets  # noqa: F401

    import padkit.commands.prepare  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(attempt(**json.loads(line))), flush=True)
