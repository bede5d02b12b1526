"""The application: the page's files, what they ask for, and the guard before all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from emotemporal.live.serve.camera import serve_camera
from emotemporal.live.serve.guard import Door, Guard
from emotemporal.live.serve.house import House
from emotemporal.live.serve.upload import judge_upload

_PAGE: Mapping[str, tuple[str, str]] = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("page", "camera", "controls", "draw", "faces", "film", "list", "talk")
    },
}
"""Addresses, files and kinds. Listed, not looked for: no path from outside reaches the disk."""


def build_app(house: House, token: str | None) -> Starlette:
    """Return the application.

    Args:
        house: What connections share.
        token: What lets in; None asks for none.
    """
    page = [Route(path, _sender(*told)) for path, told in _PAGE.items()]
    door = Door(house.config.names, token)
    app = Starlette(
        routes=[
            *page,
            Route("/about", _about),
            Route("/judge", judge_upload, methods=["POST"]),
            WebSocketRoute("/camera", serve_camera),
        ],
        middleware=[Middleware(Guard, door=door, open_paths=frozenset(_PAGE))],
        lifespan=_lifespan,
    )
    app.state.house = house
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    try:
        yield
    finally:
        app.state.house.close()


def _sender(name: str, kind: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    content = (files(__package__) / "page" / name).read_bytes()

    async def send(_: Request) -> Response:
        return Response(content, media_type=kind)

    return send


async def _about(request: Request) -> Response:
    house: House = request.app.state.house
    return JSONResponse(house.about())
