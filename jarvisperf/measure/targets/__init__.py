"""The things to measure: how each form of call is timed, and who awaits coroutines."""

from jarvisperf.measure.targets.call_targets import CoroutineTarget, FunctionTarget, SetUpTarget, Target, make_target

__all__ = ["CoroutineTarget", "FunctionTarget", "SetUpTarget", "Target", "make_target"]
