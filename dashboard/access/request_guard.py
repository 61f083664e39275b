"""The request guard: checks every request before any other code runs.

It stands in front of Flask and of the socket server, so no route can be forgotten. It refuses:

- an unknown `Host`: a foreign page may have pointed its own name at this machine (DNS
  rebinding), and the browser would treat that page as same-origin with the dashboard;
- a socket opened by a page of another origin: browsers do not apply the same-origin policy to
  WebSockets, so the server must;
- a socket above the limit: each socket takes a thread as long as its page is open;
- all methods except GET and HEAD, apart from the API where operators sign in and give commands,
  and questions to ensembles;
- a request of a browser that is not signed in, if the page or the question needs the token.

It also adds the security headers to every answer.
"""

import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dashboard.config import DashboardConfig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SOCKET_PATH = "/socket.io"
OPERATOR_PATH = "/api/v1/operator/"
_QUESTION_PATH = re.compile(
    r"/api/v1/ensembles/[^/]+/predict|/v2/models/[^/]+(/versions/[^/]+)?/infer", re.DOTALL
)

_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
]


class RequestGuard:
    """WSGI middleware around the whole application.

    It holds one count: the sockets that are open, at most `clients_max`.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        config: DashboardConfig,
        *,
        policy: str,
        may_view: Callable[["WSGIEnvironment"], bool] = lambda _: True,
        may_ask: Callable[["WSGIEnvironment"], bool] = lambda _: True,
    ) -> None:
        self._application = application
        self._config = config
        self._headers = [*_HEADERS, ("Content-Security-Policy", policy)]
        if config.tls_cert is not None:
            self._headers.append(("Strict-Transport-Security", "max-age=31536000"))
        self._may_view = may_view
        self._may_ask = may_ask
        self._sockets = threading.BoundedSemaphore(config.clients_max)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Refuse the request, or pass it to the application."""
        refusal = self._refusal(environ)
        if refusal is not None:
            return self._refuse(start_response, *refusal)
        if not environ.get("PATH_INFO", "").startswith(SOCKET_PATH):
            return self._application(environ, self._with_headers(start_response))
        if not self._sockets.acquire(blocking=False):
            limit = self._config.clients_max
            reason = f"this dashboard serves at most {limit} browsers at the same time"
            return self._refuse(start_response, "503 Service Unavailable", reason)
        try:  # the call lasts as long as the socket is open
            return self._application(environ, self._with_headers(start_response))
        finally:
            self._sockets.release()

    def _refusal(self, environ: "WSGIEnvironment") -> tuple[str, str] | None:
        host = environ.get("HTTP_HOST", "")
        name = hostname_of(host)
        if name is None:
            return "400 Bad Request", "the request names no host"
        if not self._config.answers_to(name):
            return (
                "403 Forbidden",
                f"this dashboard does not answer to {name!r}; start it with"
                f" --allow-host {name} if it should",
            )
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        asks = method == "POST" and _QUESTION_PATH.fullmatch(path) is not None
        commands = method in {"POST", "DELETE"} and path.startswith(OPERATOR_PATH)
        if method not in {"GET", "HEAD"} and not (asks or commands):
            return "405 Method Not Allowed", f"commands are only accepted under {OPERATOR_PATH}"
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "403 Forbidden", "pages of another origin may not read this dashboard"
        if not self._may_view(environ) or (asks and not self._may_ask(environ)):
            what = "asking needs the" if asks else "this dashboard needs its"
            return "401 Unauthorized", f"sign in first: {what} token"
        return None

    def _refuse(self, start_response: "StartResponse", status: str, why: str) -> list[bytes]:
        body = f"{why}\n".encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        self._with_headers(start_response)(status, headers)
        return [body]

    def _with_headers(self, start_response: "StartResponse") -> "StartResponse":
        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]
            present = {name.lower() for name, _ in headers}
            added = [header for header in self._headers if header[0].lower() not in present]
            return start_response(status, [*headers, *added], exc_info)

        return start


def hostname_of(host: str) -> str | None:
    """Return the name in a Host header without its port, or None if the header has no name.

    >>> [hostname_of(host) for host in ("localhost:5000", "[::1]:5000", "a b", "")]
    ['localhost', '::1', None, None]
    """
    if not host or any(character in host for character in " /@?#\\,\t"):
        return None
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
