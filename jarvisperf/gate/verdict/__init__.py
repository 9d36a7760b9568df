"""From ratios of launches to a verdict: estimates, moderation, and thresholds."""

from typing import TYPE_CHECKING

from jarvisperf.lazy import attach

__all__ = ["Judgement", "judge"]

if TYPE_CHECKING:
    from jarvisperf.gate.verdict.decide import Judgement, judge
else:
    __getattr__, __dir__ = attach(__name__, dict.fromkeys(__all__, "jarvisperf.gate.verdict.decide"))
