"""A collection on a Chroma server, and its state for all clients."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["ServerHome", "ServerOptions"]

if TYPE_CHECKING:
    from jarvisperf.rag.store.server.home import ServerHome
    from jarvisperf.rag.store.server.options import ServerOptions
else:
    _HOMES = {"ServerHome": f"{__name__}.home", "ServerOptions": f"{__name__}.options"}
    __getattr__, __dir__ = attach(__name__, _HOMES)
