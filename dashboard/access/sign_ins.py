"""Who is signed in: sessions in memory, and a lock-out for those who guess."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

SESSIONS_MAX = 64
"""Signed in at once; the one that did nothing for longest goes first."""
LASTS_S = 12 * 3600.0
IDLE_S = 2 * 3600.0
ROTATED_EVERY_S = 15 * 60.0
GRACE_S = 30.0
"""An old id still counts for so long: requests may be on their way when it is replaced."""
FAILURES_MAX = 5
LOCKED_S = 30.0
LOCKED_S_MAX = 15 * 60.0
ADDRESSES_MAX = 1024
FAILURES_OF_ALL_MAX = 100
"""Failures of all addresses together in one `LOCKED_S_MAX`: many addresses guess no faster."""


@dataclass(slots=True)
class Session:
    """One browser that gave the token."""

    csrf: str
    signed_in_s: float
    seen_s: float
    rotated_s: float
    ends_s: float = float("inf")
    """When its id was replaced, and some grace."""


class Sessions:
    """Sessions by the hash of their id, so that a memory dump signs nobody in.

    Safe from any thread. Ids change at every sign-in and every `ROTATED_EVERY_S`.
    """

    def __init__(self, token: str, clock: Callable[[], float]) -> None:
        self._token = hashlib.sha256(token.encode()).digest()
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}

    def is_token(self, given: str) -> bool:
        """Compare in a time that tells nothing about the token."""
        return hmac.compare_digest(_hash(given), self._token)

    def begin(self) -> tuple[str, Session]:
        """A new session and its id; the caller has checked the token."""
        now_s = self._clock()
        with self._lock:
            self._forget_ended(now_s)
            if len(self._sessions) >= SESSIONS_MAX:
                del self._sessions[min(self._sessions, key=lambda k: self._sessions[k].seen_s)]
            session = Session(secrets.token_urlsafe(32), now_s, now_s, now_s)
            return self._enter(session), session

    def find(self, session_id: str | None) -> Session | None:
        """The session of this id, if it has not ended."""
        if not session_id:
            return None
        now_s = self._clock()
        with self._lock:
            self._forget_ended(now_s)
            session = self._sessions.get(_hash(session_id))
            if session is not None:
                session.seen_s = now_s
            return session

    def rotated(self, session_id: str) -> str | None:
        """A new id for a session whose id is old, or None."""
        now_s = self._clock()
        with self._lock:
            session = self._sessions.get(_hash(session_id))
            if session is None or session.ends_s < float("inf"):
                return None
            if now_s - session.rotated_s < ROTATED_EVERY_S:
                return None
            session.ends_s = now_s + GRACE_S
            return self._enter(Session(session.csrf, session.signed_in_s, now_s, now_s))

    def end(self, session_id: str) -> None:
        """Sign out, under all ids this session had."""
        with self._lock:
            ended = self._sessions.pop(_hash(session_id), None)
            if ended is not None:
                kept = {k: s for k, s in self._sessions.items() if s.csrf != ended.csrf}
                self._sessions = kept

    def _enter(self, session: Session) -> str:
        session_id = secrets.token_urlsafe(32)
        self._sessions[_hash(session_id)] = session
        return session_id

    def _forget_ended(self, now_s: float) -> None:
        self._sessions = {
            key: session
            for key, session in self._sessions.items()
            if now_s - session.signed_in_s < LASTS_S
            and now_s - session.seen_s < IDLE_S
            and now_s < session.ends_s
        }


@dataclass(slots=True)
class _Failures:
    count: int = 0
    locked_until_s: float = float("-inf")


class LockOut:
    """Makes guessing slow: after five failures an address waits, twice as long after each more.

    Safe from any thread. Remembers at most `ADDRESSES_MAX` addresses.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, _Failures] = {}
        self._window_s = clock()
        self._num_of_all = 0

    def wait_s(self, address: str) -> float:
        """How long this address must wait before its next try; 0 if it may try now."""
        now_s = self._clock()
        with self._lock:
            failures = self._failures.get(address)
            own_s = failures.locked_until_s - now_s if failures is not None else 0.0
            if now_s - self._window_s >= LOCKED_S_MAX:
                self._window_s, self._num_of_all = now_s, 0
            crowd = self._num_of_all >= FAILURES_OF_ALL_MAX
            all_s = self._window_s + LOCKED_S_MAX - now_s if crowd else 0.0
            return max(0.0, own_s, all_s)

    def failed(self, address: str) -> None:
        """Take note of a wrong token."""
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

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failures.pop(address, None)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
