"""A Chroma server that ends while it answers: each request then fails with one error that names the collection."""

from __future__ import annotations

import uuid

import pytest

from jarvisperf.rag import StoreError

pytestmark = pytest.mark.xdist_group("chroma server")

CALLS = {
    "search": lambda rag: rag.search("loops"),
    "search with a filter": lambda rag: rag.search("loops", where={"language": "en"}),
    "get": lambda rag: rag.get(ids=["a"]),
    "get all": lambda rag: rag.get(),
    "update": lambda rag: rag.update({"language": "pt"}, ids=["a"]),
    "add": lambda rag: rag.batch_add_texts(["something else"], show_progress=False),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_ends_during_a_request_is_one_error(make_rag, chroma_server, call, monkeypatch, require):
    httpx = require("httpx")
    name = f"ends-{uuid.uuid4().hex}"
    rag = make_rag(chroma_url=chroma_server, collection=name, exact=True)
    rag.batch_add_texts(["loops repeat"], ids=["a"], metadatas=[{"language": "en"}], show_progress=False)
    rag.search("loops")

    def end(*_, **__):
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    with monkeypatch.context() as ending:
        ending.setattr(httpx.Client, "request", end)
        with pytest.raises(StoreError, match=f"the collection '{name}'( failed)?: Server disconnected"):
            CALLS[call](rag)
    assert [found.id for found in rag.search("loops")] == ["a"]
