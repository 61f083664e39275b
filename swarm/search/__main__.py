"""`python -m swarm.search`: the door; behind it are the commands of `swarm.peer.search`.

By name, because nothing in this ring imports what is above it.
"""

import importlib
import sys

_EXIT_INTERRUPTED = 130

if __name__ == "__main__":
    try:
        sys.exit(importlib.import_module("swarm.peer.search.commands").main())
    except KeyboardInterrupt:  # before a command listened to signals, while much is imported
        sys.exit(_EXIT_INTERRUPTED)
