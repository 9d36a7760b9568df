"""Keeps what a comparison decides, and offers what an interrupted run of the same comparison had decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.clocks import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jarvisperf.gate.lockstep.model import Campaign, Decided

TAKEN_OVER = "decided by the run of {}, which was interrupted, and taken over by --jarvis-resume"


class Resumption:
    """The decisions of one comparison on disk, from before and from now on.

    Args:
        root: The project's folder.
        campaign: The comparison.
        conditions: What decides how it ends, by the names that a reader knows.
        wanted: Whether to take over earlier decisions.
        tell: Shows a line right now.
        warn: Shows a line at the end of the run.

    Raises:
        OSError: The folder for temporary files cannot be used.
    """

    def __init__(
        self,
        root: Path,
        campaign: Campaign,
        conditions: Mapping[str, object],
        *,
        wanted: bool,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        from jarvisperf.gate.arms.checkout import own_folder
        from jarvisperf.gate.unfinished import Conditions, UnfinishedRuns
        from jarvisperf.gate.unfinished.key import own_key

        key = own_key(own_folder())
        self._campaign = campaign
        self._conditions = Conditions(conditions, key)
        self._runs = UnfinishedRuns(root, key)
        self._created = now().isoformat(timespec="seconds")
        self._wanted = wanted
        self._tell = tell
        self._warn = warn
        self._is_kept = True

    def earlier(self) -> Decided | None:
        """Return what to take over if that is wanted; otherwise say what could be taken over."""
        from jarvisperf.gate.unfinished.folder import shown_time

        found = self._runs.find(self._conditions)
        if found.ignored:
            self._tell(found.ignored)
        if found.unfinished is None:
            if self._wanted:
                self._tell(f"nothing to resume: {found.why_not or f'{self._runs.shown} has no interrupted comparison'}")
            return None
        when = shown_time(found.unfinished.created)
        total = len(self._campaign.ids)
        count = f"{len(found.unfinished.benchmarks)} of {total} benchmark{'' if total == 1 else 's'}"
        if not self._wanted:
            self._tell(
                f"{count} were decided by an interrupted run of this comparison ({when}); "
                "--jarvis-resume takes that over and measures only the rest"
            )
            return None
        self._tell(f"{count} taken over from the run of {when}, which was interrupted")
        decided = found.unfinished.decided(self._campaign.metrics)
        for tally in decided.tallies.values():
            tally.notes.setdefault(TAKEN_OVER.format(shown_time(tally.taken_over)))
        return decided

    def keep(self, decided: Decided) -> None:
        """Keep decisions; if the folder cannot be written, say so once and go on."""
        from jarvisperf.runs.backends import RunStoreError

        if not self._is_kept:
            return
        try:
            self._runs.keep(decided, self._created, self._conditions)
        except RunStoreError as error:
            self._is_kept = False
            self._warn(f"if this run is interrupted, it cannot be resumed: {error}")

    def finish(self) -> None:
        """Remove what was kept, because the comparison is finished."""
        from jarvisperf.runs.backends import RunStoreError

        try:
            self._runs.forget(self._conditions)
        except RunStoreError as error:
            self._warn(f"what was kept for --jarvis-resume could not be removed: {error}")
