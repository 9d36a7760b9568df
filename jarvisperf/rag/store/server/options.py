"""Options for reaching a Chroma server: who asks, and in which tenant and database."""

from __future__ import annotations

from dataclasses import dataclass, field

from jarvisperf.checks import one_of

AUTHORIZATION = "Authorization"
TOKEN_HEADERS = (AUTHORIZATION, "X-Chroma-Token")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Options for reaching a Chroma server.

    Args:
        token: Identifies the caller; None for a server without authentication. It is never shown.
        token_header: The HTTP header that carries the token: "Authorization" (as ``Bearer TOKEN``) or "X-Chroma-Token".
        tenant: The tenant; it must exist.
        database: The tenant's database; it must exist.

    Raises:
        TypeError: An argument is not a string.
        ValueError: An argument is empty, the token has characters that a header cannot have, or its header is unknown.
    """

    token: str | None = field(default=None, repr=False)
    token_header: str = AUTHORIZATION
    tenant: str = "default_tenant"
    database: str = "default_database"

    def __post_init__(self) -> None:
        for name, value in (("tenant", self.tenant), ("database", self.database), ("token", self.token)):
            if name == "token" and value is None:
                continue
            shown = "not a string" if name == "token" else repr(value)
            if not isinstance(value, str):
                raise TypeError(f"{name} is {shown}: give a string")
            if not value:
                raise ValueError(f"{name} is empty: give at least one character")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("token has a character that an HTTP header cannot have: give printable ASCII")
        one_of("token_header", self.token_header, TOKEN_HEADERS)

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that identify the caller."""
        if self.token is None:
            return {}
        return {self.token_header: f"Bearer {self.token}" if self.token_header == AUTHORIZATION else self.token}
