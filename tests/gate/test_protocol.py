"""Tests that messages between coordinator and worker arrive unchanged, or that the conversation clearly ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.gate.processes import protocol


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


def test_messages_arrive_in_order_and_whole(ends: tuple[socket.socket, socket.socket]):
    coordinator = protocol.Channel(ends[0], protocol.FromWorker)
    worker = protocol.Channel(ends[1], protocol.FromCoordinator)
    said = [
        protocol.RunTest("benchmarks/x.py::test_ç[\n]", None),
        protocol.Sample(3),
        protocol.TakeTurns(5, 80, leads=True),
        protocol.Stop(),
        protocol.Quit(),
    ]
    for message in said:
        coordinator.send(message)
    assert [worker.receive(1) for _ in said] == said
    answers = [protocol.Ready("time", None), protocol.Values([1e-9] * 5_000), protocol.Done("passed")]
    for message in answers:
        worker.send(message)
    assert [coordinator.receive(1) for _ in answers] == answers


def test_an_end_that_is_gone_is_told_from_one_that_is_silent(ends: tuple[socket.socket, socket.socket]):
    channel = protocol.Channel(ends[0], protocol.FromWorker)
    with pytest.raises(protocol.ChannelTimeoutError, match=r"no answer within 0\.01 s"):
        channel.receive(0.01)
    ends[1].close()
    with pytest.raises(protocol.ChannelClosedError):
        channel.receive(1)


@given(st.binary(min_size=1, max_size=100).filter(lambda data: b"\n" not in data))
def test_what_is_no_message_ends_the_conversation(data: bytes):
    left, right = socket.socketpair()
    with left, right:
        right.sendall(data + b"\n")
        with pytest.raises(protocol.ChannelClosedError, match="another protocol"):
            protocol.Channel(left, protocol.FromWorker).receive(1)
