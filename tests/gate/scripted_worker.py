"""A worker without a process, for tests of how slices are planned."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from jarvisperf.gate.processes.protocol import Sample, TakeTurns, Values


@dataclass
class ScriptedWorker:
    """A worker whose calls take a given time, and that records the messages it receives."""

    name: str
    call_seconds: float
    waiting: float = 0.0
    waits_later: float = 0.0
    turns: list[TakeTurns] = field(default_factory=list)
    asked: msgspec.Struct | None = None
    processes: tuple[int, ...] = ()

    def tell(self, message: msgspec.Struct) -> None:
        self.asked = message
        if isinstance(message, TakeTurns):
            self.turns.append(message)

    def hear(self, seconds: float) -> Values:
        assert seconds > 0
        if isinstance(self.asked, TakeTurns):
            on_processor = 1 - self.waiting if self.asked.clock == "cpu" else 1.0
            value = self.call_seconds * self.asked.iterations * on_processor
            seen = 0.0 if self.asked.together else self.waiting or self.waits_later
            return Values([value] * self.asked.blocks, waiting=seen)
        assert isinstance(self.asked, Sample)
        return Values([self.call_seconds * self.asked.iterations], waiting=self.waiting)

    def ask_values(self, message: msgspec.Struct, seconds: float) -> Values:
        self.tell(message)
        return self.hear(seconds)
