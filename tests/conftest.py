"""What all tests share: swarms of several peers on one machine train with one thread each."""

import os

os.environ.setdefault("SWARM_WORKER_THREADS", "1")
