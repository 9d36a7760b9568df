"""A real S3 server (moto's) on this machine, which answers one request after the other and remembers them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "company"
ACCOUNT = "123456789012"  # moto's default


class S3Server:
    """The server, which runs until `close`.

    Attributes:
        address: Its URL.
        requests: Method and path of every request.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Silent(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
                """Print nothing."""

        self.requests: list[tuple[str, str]] = []
        answer = DomainDispatcherApplication(create_backend_app)

        def counted(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            return answer(environ, start)

        # moto's S3 is not safe for threads, so this server has one.
        self._server = make_server("127.0.0.1", 0, counted, threaded=False, request_handler=Silent)
        self._thread = threading.Thread(target=self._server.serve_forever, name="S3 server", daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def create_bucket(self) -> None:
        """Create the bucket `company`."""
        import urllib.request

        header = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}
        request = urllib.request.Request(f"{self.address}/{BUCKET}", method="PUT", headers=header)
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Put objects into the bucket `company` without a request for each."""
        from moto.s3.models import s3_backends

        for key, content in objects.items():
            s3_backends[ACCOUNT]["aws"].put_object(BUCKET, key, content)

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
