"""What a visitor in plain text from elsewhere is told: figures and health, and the way to https for the rest."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

FIGURES, HEALTH = (
    "/metrics",
    "/health/",
)  # they hold nobody's secret, and who asks for them is a program
SAFE = ("GET", "HEAD")


def directions(app: ASGIApp, problem: Callable[[], str]) -> ASGIApp:
    """`app` for those who come in plain text; `problem`: why nobody can come over TLS, empty if they can."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if request.url.path == FIGURES or request.url.path.startswith(HEALTH):
            await app(scope, receive, send)
        else:
            await _directed(request, problem())(scope, receive, send)

    return answering


def _directed(request: Request, problem: str) -> Response:
    """No permanent redirect: a browser would keep to it when the box is another one some day."""
    if problem:
        return PlainTextResponse(f"this is shown over https only, and there is no certificate: {problem}\n", 503)
    if request.method in SAFE:
        return RedirectResponse(request.url.replace(scheme="https"), headers={"cache-control": "no-store"})
    sentence = "nothing is taken in plain text; send it to https:// (a password or token in it is not secret any more)"
    return PlainTextResponse(f"{sentence}\n", 403)
