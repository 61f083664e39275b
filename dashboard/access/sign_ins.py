"""Browsers that are signed in, kept in memory, and the lock-out after wrong tokens."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

SIGN_INS_MAX = 64
"""Browsers signed in at the same time. Beyond that, the one idle for longest is signed out."""
LASTS_S = 12 * 3600.0
IDLE_S = 2 * 3600.0
ROTATED_EVERY_S = 15 * 60.0
GRACE_S = 30.0
"""An old id stays valid for this time: requests may be on their way when it is replaced."""
FAILURES_MAX = 5
LOCKED_S = 30.0
LOCKED_S_MAX = 15 * 60.0
ADDRESSES_MAX = 1024
FAILURES_OF_ALL_MAX = 100
"""Wrong tokens of all addresses within `LOCKED_S_MAX`: many addresses must not guess faster."""


@dataclass(slots=True)
class SignIn:
    """One browser that signed in with the token."""

    csrf: str
    signed_in_s: float
    seen_s: float
    rotated_s: float
    ends_s: float = float("inf")
    """End of the grace period, once the id was replaced."""


class SignIns:
    """Sign-ins by the hash of their id. With hashes only, a memory dump cannot be used to sign in.

    Safe from any thread. Ids change at every sign-in and every `ROTATED_EVERY_S`.
    """

    def __init__(self, token: str, clock: Callable[[], float]) -> None:
        self._token = hashlib.sha256(token.encode()).digest()
        self._clock = clock
        self._lock = threading.Lock()
        self._sign_ins: dict[bytes, SignIn] = {}

    def is_token(self, given: str) -> bool:
        """Compare in constant time, so that the time reveals nothing about the token."""
        return hmac.compare_digest(_hash(given), self._token)

    def begin(self) -> tuple[str, SignIn]:
        """Make a sign-in; return its id and itself. The caller has checked the token."""
        now_s = self._clock()
        with self._lock:
            self._forget_ended(now_s)
            if len(self._sign_ins) >= SIGN_INS_MAX:
                del self._sign_ins[min(self._sign_ins, key=lambda k: self._sign_ins[k].seen_s)]
            sign_in = SignIn(secrets.token_urlsafe(32), now_s, now_s, now_s)
            return self._add(sign_in), sign_in

    def find(self, session_id: str | None) -> SignIn | None:
        """Return the sign-in with this id, if it has not ended."""
        if not session_id:
            return None
        now_s = self._clock()
        with self._lock:
            self._forget_ended(now_s)
            sign_in = self._sign_ins.get(_hash(session_id))
            if sign_in is not None:
                sign_in.seen_s = now_s
            return sign_in

    def rotated(self, session_id: str) -> str | None:
        """Return a new id if this id is old enough to be replaced; else None."""
        now_s = self._clock()
        with self._lock:
            sign_in = self._sign_ins.get(_hash(session_id))
            if sign_in is None or sign_in.ends_s < float("inf"):
                return None
            if now_s - sign_in.rotated_s < ROTATED_EVERY_S:
                return None
            sign_in.ends_s = now_s + GRACE_S
            return self._add(SignIn(sign_in.csrf, sign_in.signed_in_s, now_s, now_s))

    def end(self, session_id: str) -> None:
        """Sign out, under all ids that this sign-in had."""
        with self._lock:
            ended = self._sign_ins.pop(_hash(session_id), None)
            if ended is not None:
                kept = {k: s for k, s in self._sign_ins.items() if s.csrf != ended.csrf}
                self._sign_ins = kept

    def _add(self, sign_in: SignIn) -> str:
        session_id = secrets.token_urlsafe(32)
        self._sign_ins[_hash(session_id)] = sign_in
        return session_id

    def _forget_ended(self, now_s: float) -> None:
        self._sign_ins = {
            key: sign_in
            for key, sign_in in self._sign_ins.items()
            if now_s - sign_in.signed_in_s < LASTS_S
            and now_s - sign_in.seen_s < IDLE_S
            and now_s < sign_in.ends_s
        }


@dataclass(slots=True)
class _Failures:
    count: int = 0
    locked_until_s: float = float("-inf")


class LockOut:
    """Makes guessing slow: after five wrong tokens an address must wait.

    Each further wrong token doubles the wait. Safe from any thread. Remembers at most
    `ADDRESSES_MAX` addresses.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, _Failures] = {}
        self._window_s = clock()
        self._num_of_all = 0

    def wait_s(self, address: str) -> float:
        """Return how long this address must wait before its next try; 0 if it may try now."""
        now_s = self._clock()
        with self._lock:
            failures = self._failures.get(address)
            own_s = failures.locked_until_s - now_s if failures is not None else 0.0
            if now_s - self._window_s >= LOCKED_S_MAX:
                self._window_s, self._num_of_all = now_s, 0
            too_many = self._num_of_all >= FAILURES_OF_ALL_MAX
            all_s = self._window_s + LOCKED_S_MAX - now_s if too_many else 0.0
            return max(0.0, own_s, all_s)

    def add_failure(self, address: str) -> None:
        """Record a wrong token."""
        with self._lock:
            failures = self._failures.pop(address, None) or _Failures()
            self._failures[address] = failures
            if len(self._failures) > ADDRESSES_MAX:
                del self._failures[next(iter(self._failures))]
            failures.count += 1
            self._num_of_all += 1
            beyond = failures.count - FAILURES_MAX
            if beyond >= 0:
                wait_s = min(LOCKED_S_MAX, LOCKED_S * 2 ** min(beyond, 16))
                failures.locked_until_s = self._clock() + wait_s

    def clear(self, address: str) -> None:
        """Forget the wrong tokens of an address that signed in."""
        with self._lock:
            self._failures.pop(address, None)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
