"""A bucket for tests of stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from s3_server import BUCKET, CREDENTIALS, S3Server


@pytest.fixture(scope="session")
def s3_server(require) -> Iterator[S3Server]:
    s3fs = require("s3fs")
    for module in ("moto", "flask", "flask_cors"):
        require(module)
    with pytest.MonkeyPatch.context() as patch:
        server = S3Server()
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server.address}.items():
            patch.setenv(name, value)
        server.create_bucket()
        yield server
        s3fs.S3FileSystem.clear_instance_cache()
        server.close()


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """Return the URL of a folder of its own in a bucket."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"
