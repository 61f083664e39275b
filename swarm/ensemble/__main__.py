"""`python -m swarm.ensemble`: starts the commands of `swarm.peer.ensemble`.

They are imported by name, because no module of this layer imports a layer above it.
"""

import importlib
import sys

_EXIT_INTERRUPTED = 130

if __name__ == "__main__":
    try:
        sys.exit(importlib.import_module("swarm.peer.ensemble.commands").main())
    except KeyboardInterrupt:  # during the imports, before a command handles signals
        sys.exit(_EXIT_INTERRUPTED)
