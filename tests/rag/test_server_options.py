"""Tests authentication, tenants and databases of a Chroma server: a real one, behind a proxy that requires a token."""

from __future__ import annotations

import contextlib
import http.client
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from jarvisperf.rag import OptimizedRAG, ServerOptions, StoreError

TOKEN = "s3cret-token"
TEXT = "cats purr at night"

pytestmark = pytest.mark.xdist_group("chroma server")


@contextlib.contextmanager
def requiring(header, value, server):
    """A proxy that passes on only requests with this header."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get(header) != value:
                status, answer = 401, b"{}"
            else:
                target = http.client.HTTPConnection(urlsplit(server).netloc)
                with contextlib.closing(target):
                    target.request(self.command, self.path, body, {"Content-Type": "application/json"})
                    response = target.getresponse()
                    status, answer = response.status, response.read()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815 - names of the standard library

        def log_message(self, *_):
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()


@pytest.fixture
def name():
    return f"options-{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({}, "Authorization", f"Bearer {TOKEN}"),
        ({"token_header": "X-Chroma-Token"}, "X-Chroma-Token", TOKEN),
    ],
)
def test_every_request_carries_the_token(make_rag, chroma_server, name, options, header, value):
    with requiring(header, value, chroma_server) as url:
        rag = make_rag(chroma_url=url, collection=name, server_options=ServerOptions(token=TOKEN, **options))
        rag.batch_add_texts([TEXT])
        assert [found.text for found in rag.search_cached("cats")] == [TEXT]
        assert [found.text for found in rag.search_cached("cats")] == [TEXT]
        assert rag.get_performance_stats()["cache_hits"] == 1


@pytest.mark.parametrize("options", [None, ServerOptions(token="wrong")])
@pytest.mark.parametrize("use", [lambda rag: rag.search("x"), lambda rag: rag.search_cached("x")])
def test_a_token_that_the_server_rejects_is_not_shown(make_rag, chroma_server, name, options, use):
    with requiring("Authorization", f"Bearer {TOKEN}", chroma_server) as url:
        rag = make_rag(chroma_url=url, collection=name, server_options=options)
        with pytest.raises(StoreError, match=r"responded 401 to (no token|the token in Authorization)") as raised:
            use(rag)
    assert "wrong" not in str(raised.value)


def test_a_token_is_not_part_of_what_is_printed():
    assert TOKEN not in repr(ServerOptions(token=TOKEN))


@pytest.fixture
def admin(chroma_server, require):
    chromadb = require("chromadb")
    address = urlsplit(chroma_server)
    settings = chromadb.config.Settings(
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=address.hostname,
        chroma_server_http_port=address.port,
    )
    return chromadb.AdminClient(settings)


def test_collections_of_one_name_in_two_tenants_and_databases_share_nothing(make_rag, chroma_server, name, admin):
    options = [ServerOptions()]
    for tenant in ("north", "south"):
        admin.create_tenant(f"{tenant}-{name}")
        for database in ("one", "two"):
            admin.create_database(database, f"{tenant}-{name}")
            options.append(ServerOptions(tenant=f"{tenant}-{name}", database=database))
    rags = [make_rag(chroma_url=chroma_server, collection=name, server_options=one) for one in options]
    for number, rag in enumerate(rags):
        rag.batch_add_texts([f"cats of {number}"], ids=["same"])
    for _ in range(2):
        for number, rag in enumerate(rags):
            assert [found.text for found in rag.search_cached("cats")] == [f"cats of {number}"]


@pytest.mark.parametrize("options", [ServerOptions(tenant="nobodys"), ServerOptions(database="missing")])
def test_a_tenant_or_database_that_does_not_exist_is_named(chroma_server, word_embedder, options, name):
    with (
        OptimizedRAG(chroma_url=chroma_server, collection=name, model=word_embedder(), server_options=options) as rag,
        pytest.raises(StoreError, match=r"no database '\w+' of a tenant '\w+': create them"),
    ):
        rag.search_cached("cats")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"token": ""}, ValueError, "token is empty"),
        ({"token": 7}, TypeError, "token is not a string"),
        ({"token": "line\nbreak"}, ValueError, "give printable ASCII"),
        ({"tenant": ""}, ValueError, "tenant is empty"),
        ({"database": None}, TypeError, "database is None: give a string"),
        ({"token_header": "Cookie"}, ValueError, "token_header is 'Cookie'"),
    ],
)
def test_invalid_options_are_refused(options, error, said):
    with pytest.raises(error, match=said):
        ServerOptions(**options)
