"""Who is let in: by the name that was asked for, the page that asks, and the token."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTOCOL = "emotemporal"
"""The WebSocket's subprotocol; beside it a page names `token.<token>`, since a browser's WebSocket
can send no other header."""
POLICY_VIOLATION = 1008

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""With every answer: no script, picture or frame from elsewhere, and nothing left in a cache."""


@dataclass(frozen=True)
class Door:
    """What a caller must show.

    A browser tells, in `Host`, under which name it was asked for this server and, in `Origin`,
    whose page is asking. A foreign page that points its own name at this machine (DNS rebinding)
    gives itself away by the first, one that asks for ours by the second. Callers that are no
    browser say what they like: against them stand the loopback address and the token.
    """

    names: frozenset[str]
    token: str | None

    def reason_to_refuse(self, headers: Headers) -> str | None:
        """Return why a caller is not let in, the token aside; None if it is."""
        host = headers.get("host", "")
        if not self.is_own(host):
            return (
                f"this server is not called {host!r}. Ask for it by its address or, behind a "
                "proxy, name the host with --allowed_hosts"
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return f"a page of {origin!r} may not ask {host!r}; open the server's own page"
        return None

    def is_own(self, host: str) -> bool:
        """Tell whether a `Host` header names this machine.

        An address is as good as a name of ours: what was asked for by address came by no name that
        somebody could have pointed here.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        own = socket.gethostname().lower()
        if name in {"localhost", own, f"{own}.local", *self.names}:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def knows(self, headers: Headers) -> bool:
        """Tell whether a caller brings the token, where there is one."""
        if self.token is None:
            return True
        words = [word.strip() for word in headers.get("sec-websocket-protocol", "").split(",")]
        brought = [word.removeprefix("token.") for word in words if word.startswith("token.")]
        brought.append(headers.get("authorization", "").removeprefix("Bearer "))
        # In constant time: how long a refusal takes must not tell how much was right.
        return any(hmac.compare_digest(word.encode(), self.token.encode()) for word in brought)


class Guard:
    """Stands before the whole application; adds `HEADERS` to every answer.

    The page itself is nobody's secret and comes without a token; what it needs in order to judge
    does not (`open_paths`).
    """

    def __init__(self, app: ASGIApp, door: Door, open_paths: frozenset[str]) -> None:
        self._app, self._door, self._open = app, door, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a connection through, or refuse it before anything is read of it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        status, reason = 403, self._door.reason_to_refuse(headers)
        if reason is None and scope["path"] not in self._open and not self._door.knows(headers):
            status, reason = 401, "the token is missing or wrong; use the link the server printed"
        if reason is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await PlainTextResponse(reason, status)(scope, receive, _with_headers(send))
        else:  # before the handshake is answered: the browser gets a plain 403
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
