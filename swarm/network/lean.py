"""leave_out_unused(): start without the parts of libp2p that no peer uses.

`import libp2p` loads QUIC and automatic TLS certificates. They take a third of its start-up time,
although our hosts only speak TCP and Noise. In our own processes, empty stand-ins replace them.
The stand-ins have exactly the names that libp2p 0.8.1 imports. The version is pinned; another one
would fail loudly at start.
"""

import importlib.util
import sys
from types import ModuleType

_CLASSES = {
    "libp2p.transport.quic.transport": ("QUICTransport",),
    "libp2p.transport.quic.stream": ("QUICStream",),
    "libp2p.transport.quic.connection": ("QUICConnection",),
    "libp2p.transport.quic.config": ("QUICTransportConfig",),
    "libp2p.security.tls.autotls.acme": ("ACMEClient", "compute_b36_peer_id"),
    "libp2p.security.tls.autotls.broker": ("BrokerClient",),
}
_ERRORS = {
    "libp2p.transport.quic.exceptions": ("QUICStreamClosedError", "QUICStreamResetError"),
}
_PACKAGES = ("libp2p.transport.quic", "libp2p.security.tls.autotls")


def leave_out_unused() -> None:
    """Install the stand-ins. Call it in our own processes only, before libp2p is loaded.

    It does nothing if libp2p is already loaded, because then the real modules are in use.
    """
    if "libp2p" in sys.modules or importlib.util.find_spec("libp2p") is None:
        return
    for package in _PACKAGES:
        _stand_in(package, {}).__path__ = []
    _stand_in("libp2p.transport.quic.utils", {"is_quic_multiaddr": _never_quic})
    for base, modules in ((object, _CLASSES), (Exception, _ERRORS)):
        for module, names in modules.items():
            _stand_in(module, {name: type(name, (base,), {}) for name in names})


def _never_quic(_address: object) -> bool:
    """Our hosts listen on TCP only."""
    return False


def _stand_in(name: str, contents: dict[str, object]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module
    return module
