"""Fuzz for longer than CI does: `python -m tests.fuzz --seconds 600 --seed 7`.

A third of the time goes to the codec, the rest to a live peer: one attack after the other, each
with its own seed. A failure prints the seed that replays it.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import trio

from swarm.network.identity import verify
from swarm.network.wire import RefusedError
from swarm.peer.host.wire import decode, encode
from tests.fuzz.attacks import ATTACKS
from tests.fuzz.messages import SENDER, corpus
from tests.fuzz.mutations import mutated, noise, seeded
from tests.fuzz.siege import a_siege

BUSY_MAX_S = 0.5
GROWN_MAX_MB = 60
CORPUS_RENEWED_EVERY = 20_000


def fuzz_codec(random: Random, seconds: float) -> bool:
    """Decode damaged envelopes; return whether each was refused or came back unchanged."""
    start_s, valid, num_cases, num_taken = time.monotonic(), corpus(random, 60), 0, 0
    while time.monotonic() - start_s < seconds:
        num_cases += 1
        if num_cases % CORPUS_RENEWED_EVERY == 0:
            valid = corpus(random, 60)
        data = noise(random, 600) if random.random() < 0.1 else mutated(random, valid)
        try:
            message = decode(data, SENDER, verify).message
        except RefusedError:
            continue
        except Exception as error:
            print(f"codec: {error!r} for {data.hex()}")
            return False
        num_taken += 1
        if decode(encode(message), SENDER, verify).message != message:
            print(f"codec: comes back as another message: {data.hex()}")
            return False
    took_s = time.monotonic() - start_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"codec: {num_cases} cases, {num_cases / took_s:.0f} a second, {num_taken} accepted, "
        f"at most {peak_mb:.0f} MB"
    )
    return True


async def besiege(random: Random, seconds: float, scale: int) -> bool:
    """Attack one live peer repeatedly; return whether it stayed up, small and responsive."""
    attacks = [attack for group in ATTACKS.values() for attack in group]
    with tempfile.TemporaryDirectory() as folder:
        async with a_siege(Path(folder)) as siege:
            first = await siege.victim.tell("report")
            deadline_s = trio.current_time() + seconds
            while trio.current_time() < deadline_s:
                attack, seed = random.choice(attacks), random.randrange(2**32)
                outcome = await siege.run(attack, seeded(seed), scale)
                print(f"{attack.__name__} (seed {seed}): {outcome}", flush=True)
                grown_mb = outcome.after["rss_mb"] - first["rss_mb"]
                if outcome.num_unanswered or outcome.after["busy_max_s"] > BUSY_MAX_S:
                    print("an honest peer had to wait too long")
                    return False
                if grown_mb > GROWN_MAX_MB:
                    print(f"the peer has grown by {grown_mb:.0f} MB")
                    return False
            last = await siege.victim.tell("report")
    print(f"live peer: {first['rss_mb']:.0f} MB before, {last['rss_mb']:.0f} MB after")
    print("refused:", json.dumps(last["refused"], sort_keys=True))
    return True


def main() -> int:
    """Run both; return 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1, help="multiple of the amount in CI")
    arguments = parser.parse_args()
    print("seed", arguments.seed)
    random = seeded(arguments.seed)
    sound = fuzz_codec(random, arguments.seconds / 3)
    return not (sound and trio.run(besiege, random, arguments.seconds * 2 / 3, arguments.scale))


if __name__ == "__main__":
    sys.exit(main())
