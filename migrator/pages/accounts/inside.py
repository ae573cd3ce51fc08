"""Pages of one account, below a path of other pages."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Inside"]


class Inside:
    """Application that places another one below a path.

    Its own links begin with `/`, and are led below that path. Every value in a page is escaped, so that nothing but a
    link of ours looks like one.

    Args:
        app: the pages of an account.
        name: of the account.
    """

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app, self._name = app, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path begins below ours."""
        base, held = f"/a/{self._name}", list[Message]()
        path = scope["path"].removeprefix(base) or "/"
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}

        async def placed(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                    await send(message)
                else:
                    held.append(message)
                return
            if not held:
                await send(message)
                return
            start = held.pop()  # a page comes in one piece
            body = self._led(message["body"].decode(), base).encode()
            MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
            await send(start)
            await send({**message, "body": body})

        await self._app(inner, receive, placed)

    def _led(self, page: str, base: str) -> str:
        led = page.replace('href="/', f'href="{base}/').replace('action="/', f'action="{base}/')
        above = f'<p class="brand"><a href="/">All accounts</a> / <a href="{base}/">{self._name}</a> · '
        return led.replace('<p class="brand">', above)
