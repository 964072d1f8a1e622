"""Receives the notifications of both daemons, as Apprise posts them."""

from dataclasses import dataclass, field

import msgspec
from aiohttp import web

_PATH = "/notifications"


class Notification(msgspec.Struct, frozen=True):
    """One notification.

    Attributes:
        title: one line, which begins with the severity in brackets.
        message: what has happened, where, since when, and what to do.
    """

    title: str
    message: str

    @property
    def is_firing(self) -> bool:
        """Whether an alert of it fires; else all of them are resolved."""
        return not self.title.startswith("[RESOLVED]")

    @property
    def first_paragraph(self) -> str:
        """The first paragraph of the message, about the most severe alert, without emphasis."""
        return self.message.partition("\n\n")[0].replace("**", "")


_decoder = msgspec.json.Decoder(Notification)


@dataclass(frozen=True)
class Receiver:
    """The notifications received so far, the latest last."""

    notifications: list[Notification] = field(default_factory=list)

    def app(self) -> web.Application:
        """Return the application that receives them."""
        app = web.Application()
        app.router.add_post(_PATH, self._receive)
        return app

    @property
    def latest_title(self) -> str | None:
        """The title of the latest notification; None before the first."""
        return self.notifications[-1].title if self.notifications else None

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            self.notifications.append(_decoder.decode(await request.read()))
        except msgspec.MsgspecError:
            return web.Response(status=400)
        return web.Response()

    @staticmethod
    def apprise_url(url: str) -> str:
        """Return the Apprise URL of a receiver that listens at `url`, such as http://HOST:PORT."""
        return f"json://{url.removeprefix('http://')}{_PATH}"
