"""The files of the installed front-end libraries that are served, and their names in addresses."""

import base64
import hashlib
import json
from pathlib import Path

_HERE = Path(__file__).parents[1]
# A wheel contains the libraries (see setup.py); in a checkout npm installs them.
NODE_MODULES = _HERE / ("vendor" if (_HERE / "vendor").is_dir() else "node_modules")

# name in the address -> (file in node_modules, media type)
ASSETS = {
    "htm.js": ("htm/dist/htm.mjs", "text/javascript"),
    "inter.woff2": (
        "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
        "font/woff2",
    ),
    "preact.js": ("preact/dist/preact.mjs", "text/javascript"),
    "socket.io.js": ("socket.io-client/dist/socket.io.esm.min.js", "text/javascript"),
    "uplot.js": ("uplot/dist/uPlot.esm.js", "text/javascript"),
    "uplot.css": ("uplot/dist/uPlot.min.css", "text/css"),
}

IMPORT_MAP = json.dumps(
    {
        "imports": {
            "htm": "./vendor/htm.js",
            "preact": "./vendor/preact.js",
            "socket.io-client": "./vendor/socket.io.js",
            "uplot": "./vendor/uplot.js",
        }
    }
)
"""Browsers accept an import map only inline, so the policy below allows exactly this text.

All references are relative: a proxy in front may serve the page under a path of its own."""


MODULES = sorted(
    file.name
    for file in (Path(__file__).parents[1] / "static" / "js").glob("*.js")
    if file.name not in {"app.js", "signin.js", "retry-early.js", "theme-early.js", "types.js"}
)
"""The page's own modules: a browser requests all of them at once, not one after another."""


def missing_assets(node_modules: Path) -> list[str]:
    """Return the library files that are not installed."""
    return [path for path, _ in ASSETS.values() if not (node_modules / path).is_file()]


def content_security_policy() -> str:
    """Return the policy: only files of this server and, by its hash, the inline import map."""
    digest = base64.b64encode(hashlib.sha256(IMPORT_MAP.encode()).digest()).decode()
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
