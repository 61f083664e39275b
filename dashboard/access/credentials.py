"""Credentials: the token, the cookie and the CSRF header of a request."""

import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Request, Response, abort, request
from werkzeug.http import parse_cookie

from dashboard.access.sign_ins import LASTS_S, LockOut, SignIn, SignIns
from dashboard.config import DashboardConfig
from dashboard.page.tabs import ADDRESSES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CSRF_HEADER = "X-CSRF-Token"
_OPEN_PATHS = ("/static/", "/healthz", "/api/v1/operator")
"""Answered without the token even where the page needs it: signing in takes these."""


class Credentials:
    """Checks which requests may view the swarm, ask ensembles and give commands."""

    def __init__(
        self, config: DashboardConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._sign_ins = SignIns(config.token, clock) if config.token else None
        self._lock_out = LockOut(clock)
        # With this prefix, browsers reject a cookie that another host or plain HTTP has set.
        self._cookie = "__Host-swarm" if config.secure else "swarm"

    @property
    def has_token(self) -> bool:
        """Whether there is a token to sign in with."""
        return self._sign_ins is not None

    def signed_in(self) -> SignIn | None:
        """Return the sign-in of this request; None if its browser is not signed in."""
        return self._find(request.environ)

    def may_view(self, environ: "WSGIEnvironment") -> bool:
        """Return whether a request may view the swarm."""
        if not self._config.view_needs_token:
            return True
        path = environ.get("PATH_INFO", "")
        if path in ADDRESSES or path.startswith(_OPEN_PATHS):
            return True  # these addresses answer with the sign-in form
        return self._find(environ) is not None or self._bears_token(environ)

    def may_ask(self, environ: "WSGIEnvironment") -> bool:
        """Return whether a request may ask an ensemble.

        Asking changes nothing, so it needs no CSRF token: the request guard refuses pages of
        another origin.
        """
        if not self._config.ask_needs_token:
            return True
        return self._find(environ) is not None or self._bears_token(environ)

    def needs_token(self) -> bool:
        """Whether to show the sign-in form instead of the page."""
        return self._config.view_needs_token and self.signed_in() is None

    def sign_in(self, token: str) -> tuple[str, str]:
        """Sign in; return the CSRF token and the value of the cookie.

        Aborts with 401 for a wrong token and with 429 after too many wrong tokens.
        """
        if self._sign_ins is None:
            abort(401, "this dashboard was started without a token, so signing in is impossible")
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
        if not self._sign_ins.is_token(token):
            self._lock_out.add_failure(address)
            abort(401, "the token is wrong: use the token that this dashboard was started with")
        self._lock_out.clear(address)
        self._end_previous()
        session_id, sign_in = self._sign_ins.begin()
        return sign_in.csrf, session_id

    def require(self, changing: Request) -> SignIn:
        """Return the sign-in of a request that changes something; abort with 401 or 403."""
        sign_in = self.signed_in()
        if sign_in is None:
            abort(401, "sign in first")
        given = changing.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), sign_in.csrf.encode()):
            abort(403, f"the header {CSRF_HEADER} must hold the CSRF token of the session")
        return sign_in

    def sign_out(self, answer: Response) -> Response:
        """End the sign-in of this request and delete its cookie."""
        self._end_previous()
        answer.delete_cookie(self._cookie, secure=self._config.secure, httponly=True)
        return answer

    def with_cookie(self, answer: Response, session_id: str) -> Response:
        """Add the cookie with the id of a sign-in to an answer."""
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
        """Replace an old id of a sign-in: add a cookie with a new one to the answer."""
        session_id = self._id_of(request.environ)
        if self._sign_ins is None or not session_id or "Set-Cookie" in answer.headers:
            return answer
        fresh = self._sign_ins.rotated(session_id)
        return self.with_cookie(answer, fresh) if fresh is not None else answer

    def _end_previous(self) -> None:
        session_id = self._id_of(request.environ)
        if self._sign_ins is not None and session_id:
            self._sign_ins.end(session_id)

    def _find(self, environ: "WSGIEnvironment") -> SignIn | None:
        return self._sign_ins.find(self._id_of(environ)) if self._sign_ins is not None else None

    def _id_of(self, environ: "WSGIEnvironment") -> str | None:
        return parse_cookie(environ).get(self._cookie)

    def _bears_token(self, environ: "WSGIEnvironment") -> bool:
        """Check the Authorization header of programs: they may view and ask, not command."""
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if self._sign_ins is None or scheme.lower() != "bearer":
            return False
        address = self._address(environ)
        if self._lock_out.wait_s(address) > 0:
            return False
        if self._sign_ins.is_token(token):
            return True
        self._lock_out.add_failure(address)
        return False

    def _address(self, environ: "WSGIEnvironment") -> str:
        if self._config.behind_tls_proxy:
            # The proxy adds the last entry; the client may have sent any entries before it.
            forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
            if forwarded:
                return forwarded
        return str(environ.get("REMOTE_ADDR", ""))
