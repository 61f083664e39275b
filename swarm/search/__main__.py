"""`python -m swarm.search`: the door; behind it are the commands of `swarm.peer.search`.

By name, because nothing in this ring imports what is above it.
"""

import importlib
import sys

if __name__ == "__main__":
    sys.exit(importlib.import_module("swarm.peer.search.commands").main())
