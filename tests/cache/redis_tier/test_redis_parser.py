"""Tests replies that arrive from a socket whole, in pieces, too late, or truncated."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import redis

from jarvisperf.cache.redis_tier.connection.link import Subscribed
from jarvisperf.cache.redis_tier.connection.reply_reader import Deadline, DeadlineParser

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = bytes(range(256)) * 1024


class Wire:
    """A parser, and the server's end of the socket."""

    def __init__(self) -> None:
        ours, self.server = socket.socketpair()
        ours.settimeout(30)
        encoder = SimpleNamespace(encoding_errors="strict", decode_responses=False, encoding="utf-8")
        self.parser = DeadlineParser(socket_read_size=65536)
        self.parser.on_connect(SimpleNamespace(_sock=ours, socket_timeout=30, encoder=encoder))
        self._ours = ours

    def say(self, *pieces: bytes, pause_seconds: float = 0.0) -> None:
        def send() -> None:
            with contextlib.suppress(OSError):  # the reader has gone
                for piece in pieces:
                    self.server.sendall(piece)
                    time.sleep(pause_seconds)

        threading.Thread(target=send, daemon=True).start()

    def close(self) -> None:
        self.server.close()
        self._ours.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("data", [b"", b"small", LARGE[: 2**17], LARGE], ids=len)
@pytest.mark.parametrize("cut", [1, 5, 9, 70_000, -1])
def test_a_string_is_read_whatever_the_pieces(wire, data, cut):
    sent = bulk(data)
    wire.say(sent[:cut], sent[cut:], pause_seconds=0.02)
    assert wire.parser.reply() == data


def test_replies_that_come_together_are_read_one_after_the_other(wire):
    wire.say(bulk(b"first") + bulk(LARGE) + b":7\r\n" + bulk(LARGE) + b"+OK\r\n")
    assert [wire.parser.reply() for _ in range(5)] == [b"first", LARGE, 7, LARGE, b"OK"]


def test_a_large_string_is_the_callers_own_memory(wire):
    wire.say(bulk(LARGE), bulk(LARGE))
    first = wire.parser.reply()
    first[0] ^= 1
    assert wire.parser.reply() == LARGE


def test_an_error_of_a_command_is_given_and_not_raised(wire):
    wire.say(b"-WRONGTYPE no\r\n")
    assert isinstance(wire.parser.reply(), redis.ResponseError)


@pytest.mark.parametrize("error", [b"-LOADING wait\r\n", b"-READONLY a replica\r\n"])
def test_a_server_that_cannot_serve_is_a_lost_connection(wire, error):
    wire.say(error)
    with pytest.raises(redis.ConnectionError):
        wire.parser.reply()


@pytest.mark.parametrize("sent", [b"", b"$5\r\nab", bulk(LARGE)[:100_000]], ids=len)
def test_a_reply_that_is_cut_off_is_a_lost_connection(wire, sent):
    wire.server.sendall(sent)
    wire.server.close()
    with pytest.raises(redis.ConnectionError):
        wire.parser.reply()


def test_a_large_string_with_another_end_is_no_reply(wire):
    wire.say(bulk(LARGE)[:-2] + b"xx")
    with pytest.raises(redis.InvalidResponse):
        wire.parser.reply()


@pytest.mark.parametrize("claim", [b"$99999999999999\r\n", b"$-1\r\n", b"$1x\r\n"])
def test_no_memory_is_taken_for_a_length_that_is_only_claimed(wire, claim):
    assert wire.parser._large_string(len(claim)) is None
    wire.parser._buffer[: len(claim)] = claim
    assert wire.parser._large_string(len(claim)) is None


def test_a_server_that_refuses_a_subscription_says_why(wire):
    connection = SimpleNamespace(
        _parser=wire.parser, _sock=wire.parser._sock, send_packed_command=lambda *_, **__: None
    )
    subscribed = Subscribed(connection, b"channel", 30, lambda _: None)
    wire.say(b"-NOPERM no channel for you\r\n")
    with pytest.raises(redis.ResponseError, match="no channel for you"):
        subscribed.next()


def test_a_large_string_that_drips_is_not_waited_for_beyond_the_deadline(wire):
    sent = bulk(LARGE)
    wire.say(sent[:10], *(sent[place : place + 100] for place in range(10, len(sent), 100)), pause_seconds=0.01)
    with Deadline(0.3), pytest.raises(redis.TimeoutError):
        wire.parser.reply()  # all of it would take 26 s
