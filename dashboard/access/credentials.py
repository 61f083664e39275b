"""Credentials: the token, the cookie and the CSRF header of those who sign in."""

import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Request, Response, abort, request
from werkzeug.http import parse_cookie

from dashboard.access.sign_ins import LASTS_S, LockOut, Session, Sessions
from dashboard.config import DashboardConfig
from dashboard.page.tabs import ADDRESSES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CSRF_HEADER = "X-CSRF-Token"
_CLOSED_DOORS = ("/static/", "/healthz", "/api/v1/operator")
"""What a stranger may ask for though looking needs the token: what signing in takes."""


class Credentials:
    """Checks who may look and who may command."""

    def __init__(
        self, config: DashboardConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._sessions = Sessions(config.token, clock) if config.token else None
        self._lock_out = LockOut(clock)
        # The prefix has browsers refuse a cookie that another host or plain HTTP has set.
        self._cookie = "__Host-swarm" if config.secure else "swarm"

    @property
    def has_token(self) -> bool:
        """Whether there is a token to sign in with."""
        return self._sessions is not None

    def session(self) -> Session | None:
        """The session of this request."""
        return self._find(request.environ)

    def may_look(self, environ: "WSGIEnvironment") -> bool:
        """Whether whoever asks may see the swarm."""
        if not self._config.view_needs_token:
            return True
        path = environ.get("PATH_INFO", "")
        if path in ADDRESSES or path.startswith(_CLOSED_DOORS):
            return True  # the page asks for the token then
        return self._find(environ) is not None or self._bears_token(environ)

    def needs_token(self) -> bool:
        """Whether to ask for the token instead of showing the page."""
        return self._config.view_needs_token and self.session() is None

    def sign_in(self, token: str) -> tuple[str, str]:
        """Begin a session; return its CSRF token and the cookie's value.

        Aborts with 401 for a wrong token and with 429 for whoever guesses.
        """
        if self._sessions is None:
            abort(401, "this dashboard was started without a token: nobody can sign in")
        address = self._address(request.environ)
        wait_s = self._lock_out.wait_s(address)
        if wait_s > 0:
            refusal = Response(
                f"too many wrong tokens: try again in {wait_s:.0f} s\n",
                429,
                {"Retry-After": str(int(wait_s) + 1)},
                mimetype="text/plain",
            )
            abort(refusal)
        if not self._sessions.is_token(token):
            self._lock_out.failed(address)
            abort(401, "that is not the token this dashboard was started with")
        self._lock_out.succeeded(address)
        self._end_earlier()
        session_id, session = self._sessions.begin()
        return session.csrf, session_id

    def require(self, asking: Request) -> Session:
        """The session of a request that changes something; aborts with 401 or 403 without one."""
        session = self.session()
        if session is None:
            abort(401, "sign in first")
        given = asking.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), session.csrf.encode()):
            abort(403, f"the header {CSRF_HEADER} must be the session's")
        return session

    def sign_out(self, answer: Response) -> Response:
        """End the session."""
        self._end_earlier()
        answer.delete_cookie(self._cookie, secure=self._config.secure, httponly=True)
        return answer

    def with_cookie(self, answer: Response, session_id: str) -> Response:
        """Have the browser keep a session's id."""
        answer.set_cookie(
            self._cookie,
            session_id,
            max_age=int(LASTS_S),
            secure=self._config.secure,
            httponly=True,
            samesite="Strict",
        )
        return answer

    def rotate(self, answer: Response) -> Response:
        """Give a session whose id is old a new one, with whatever is answered."""
        session_id = self._id_of(request.environ)
        if self._sessions is None or not session_id or "Set-Cookie" in answer.headers:
            return answer
        fresh = self._sessions.rotated(session_id)
        return self.with_cookie(answer, fresh) if fresh is not None else answer

    def _end_earlier(self) -> None:
        session_id = self._id_of(request.environ)
        if self._sessions is not None and session_id:
            self._sessions.end(session_id)

    def _find(self, environ: "WSGIEnvironment") -> Session | None:
        return self._sessions.find(self._id_of(environ)) if self._sessions is not None else None

    def _id_of(self, environ: "WSGIEnvironment") -> str | None:
        return parse_cookie(environ).get(self._cookie)

    def _bears_token(self, environ: "WSGIEnvironment") -> bool:
        """For programs, such as Prometheus; they may only look."""
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if self._sessions is None or scheme.lower() != "bearer":
            return False
        address = self._address(environ)
        if self._lock_out.wait_s(address) > 0:
            return False
        if self._sessions.is_token(token):
            return True
        self._lock_out.failed(address)
        return False

    def _address(self, environ: "WSGIEnvironment") -> str:
        if self._config.behind_tls_proxy:
            # The last entry is the proxy's own; those before are whatever the client sent.
            forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
            if forwarded:
                return forwarded
        return str(environ.get("REMOTE_ADDR", ""))
