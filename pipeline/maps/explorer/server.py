"""The page served by Bokeh's server, to who has its address: without the token in it there is nothing to see."""

import errno
import hmac
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import Server
from bokeh.server.views.static_handler import StaticHandler
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, RequestHandler

from pipeline.errors import ConfigError
from pipeline.maps.explorer.first_picture import FirstPicture, warm_up
from pipeline.maps.explorer.painting import COLOURS, LAYERS, as_address
from pipeline.maps.explorer.plots import BORDERS, shown_marks
from pipeline.maps.explorer.reading import NUMBERS, Asked, fields_of, offered
from pipeline.maps.explorer.session import Session
from pipeline.maps.grid import EXAMPLES
from pipeline.maps.recording.request import MapRequest
from pipeline.report.page.frame import environment

PAGE = Path(__file__).parent / "page"
LOOPBACK = ("127.0.0.1", "localhost")
ENVIRONMENT = environment(PAGE)


class TokenProvider(AuthProvider):
    """Lets in who has the token in the address, for the page and for its socket; all others get 403."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__()

    @property
    def get_user_async(self) -> Callable[[HTTPServerRequest], Awaitable[Any]]:
        """A function of Tornado's handler. It is called before a socket is opened, while `get_user` is called after that."""
        return self._user

    async def _user(self, handler: Any) -> str:
        self.check(handler)
        return "user"

    def check(self, handler: Any) -> None:
        """Raises HTTPError where the token is not in the address."""
        given = handler.get_query_argument("token", "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPError(403)

    @property
    def get_login_url(self) -> Callable[[Any], str]:
        """There is no page to log in; nobody comes that far."""
        return lambda handler: "/"


class RoomHandler(RequestHandler):
    """Is told how many pixels a window has room for before the page's socket is there: so the map is trained meanwhile."""

    def initialize(self, tokens: TokenProvider, sessions: dict[str, Session]) -> None:
        """Called by Tornado for each request."""
        self.tokens, self.sessions = tokens, sessions

    def post(self) -> None:
        """Takes `width` and `height` of the window with this name."""
        self.tokens.check(self)
        session = self.sessions.get(self.get_query_argument("window"))
        sizes = {key: self.get_query_argument(key) for key in ("width", "height")}
        if session is None or not all(size.isdecimal() and len(size) < 6 for size in sizes.values()):
            raise HTTPError(400)
        session.request_later({"do": "size", **sizes})
        self.set_status(204)


class Explorer:
    """The server. `link` is the address with the token."""

    def __init__(self, request: MapRequest, host: str, port: int) -> None:
        config = {key: value for key, value in request.configuration.items() if key != "map"}
        self.start, self.fields = Asked(request.grid, config), fields_of(config)
        self.colours, self.sessions = request.colours, dict[str, Session]()
        self.first = FirstPicture(self.start)
        token = secrets.token_urlsafe(24)
        tokens = TokenProvider(token)
        quiet()
        free = port or free_port(host)
        origins = [f"{name}:{free}" for name in (LOOPBACK if host in LOOPBACK else ("*",))]
        try:
            self.server = Server(
                {"/": Application(FunctionHandler(self._open))},
                address=host, port=free, allow_websocket_origin=origins, auth_provider=tokens,
                extra_patterns=[("/room", RoomHandler, {"tokens": tokens, "sessions": self.sessions})],
                include_headers=[], include_cookies=[], use_index=False, sign_sessions=True, secret_key=secrets.token_hex(32),
            )  # fmt: skip
        except OSError as error:
            raise refused(host, port, error) from None
        shown = f"[{host}]" if ":" in host else socket.gethostname() if host in ("0.0.0.0", "::") else host
        warm_up(self.start)
        self.first.start()
        self.link = f"http://{shown}:{free}/?token={token}"

    def run(self) -> None:
        """Serves until it is interrupted; then ends what is being trained."""
        try:
            self.server.start()
            self.server.io_loop.start()
        finally:
            for session in self.sessions.values():
                session.close()
            for session in self.sessions.values():
                session.join()
            self.first.close()

    def _open(self, document: Document) -> None:
        """Makes the document of another window."""
        window, first = secrets.token_urlsafe(16), self.first.picture
        session = Session(document, self.start, self.fields, self.colours, first)
        self.sessions[window] = session
        document.on_session_destroyed(lambda context: self._closed(window))
        document.title = "Which runs converge?"
        document.template = ENVIRONMENT.get_template("explorer.html.jinja")
        document.template_variables.update({
            "tasks": offered("task"), "networks": offered("network"), "starts": offered("initial"),
            "layers": LAYERS, "colours": COLOURS,
            "numbers": NUMBERS, "axes": EXAMPLES,
            "script": (PAGE / "explorer.js").read_text(encoding="utf-8"),
            "style": (PAGE / "explorer.css").read_text(encoding="utf-8"),
            "bokeh": f"static/{StaticHandler.append_version('js/bokeh.min.js')}",
            "window": window, "told": session.telling, "borders": BORDERS,
            "image": as_address(session.look.of(first.found)) if first else "",
            "marks": [shown_marks(axis) for axis in self.start.grid.axes],
        })  # fmt: skip

    def _closed(self, window: str) -> None:
        self.sessions.pop(window).close()


def quiet() -> None:
    """Nothing is said of requests: an address has the token in it."""
    for name in ("bokeh", "tornado.access", "tornado.general"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def free_port(host: str) -> int:
    """A port of this host that no server listens on. Raises ConfigError."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
            one.bind((host, 0))
            return int(one.getsockname()[1])
    except OSError as error:
        raise refused(host, 0, error) from None


def refused(host: str, port: int, error: OSError) -> ConfigError:
    """Why there is no server at this address."""
    if error.errno == errno.EADDRINUSE:
        return ConfigError("explore.port", port, "another program listens there: choose another, or 0 for any that is free")
    if error.errno == errno.EACCES:
        return ConfigError("explore.port", port, "needs more rights: choose one from 1024 on")
    return ConfigError("explore.host", host, "is no address of this machine")
