"""Keeps old module paths importable after modules moved into subpackages.

Old paths are looked up last, after all existing modules. Importing one imports the module at its new path and warns.
Names exported by packages (``from jarvisperf.cache import SmartCache``) have not changed.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ROOMS = """
cache cache: assembly=build shared=default beside=threads
cache cache.disk_tier: disk_database=database quiet_forks=fork_guard local=tier
cache cache.engine: reading core stripes=races found=model coherence stats tiers=reading
cache cache.engine: writing=core removing=core touching=core computing=core hearing=core fillings=races
cache cache.engine.flights: flights=flight
cache cache.engine.loads: loading drivers
cache cache.functions: decorator cached_function
cache cache.keys: names pattern
cache cache.memory: eviction duel=policy_trial hits=tier entry=eviction sketch=policy_trial
cache cache.outage: tier=store guarded breaker pending=replay latency
cache cache.redis_tier: remote=tier redis_scripts=scripts subscription=pubsub redis_commands=commands messages
cache cache.redis_tier.connection: redis_link=link redis_cluster=cluster redis_connect=connect redis_url=url
cache cache.redis_tier.connection: redis_parser=reply_reader
cache cache.values: codec packing=msgpack arrays culprit=explain isolation
cache cache.values: plain=fast_path leaves=scalars identity=object_identity unpacking
cache cache.values.classes: typed=objects
cache cache.values.envelopes: envelope encoded=envelope checksum=envelope marks versions
gate gate.arms: checkout copying sharing lfs advice git revision renames
gate gate.project: declared_packages=declared installed_packages=installed
gate gate.processes: interpreter child_imports descendants launch=workers nursery=fork_server protocol
gate gate.lockstep: campaign=model pair=launch slices tally control pace=remaining_time absence distrust
gate gate.screening: baseline=screen baseline_figures=figures baseline_spread=spread
gate gate.verdict: moderation estimate thresholds bounded
bench measure: targets sampling collector memory startup yardstick noise profiling instrumentation
bench measure.targets: lazy_results waiters
bench bench: suite=system
bench .: checks
cache .: expiry=checks options=checks
runs runs: places=backends pack=files
profiles profiles: places=source_files collected=by_profile_function sampling=by_pyinstrument
profiles profiles: deterministic=by_cprofile memory=by_memray decorated=by_profile_function
cli cli: starting=init
rag rag: places=build shared=default searching=optimized twins=optimized
rag rag.answers: answering=query_cache query_cache changes semantic=paraphrases
rag rag.embedding: embedder=protocol models=choice model_options=options cpu=options file_digests=choice
rag rag.embedding: sentence_model=sentence_transformer model_loading=sentence_transformer micro_batch
rag rag.embedding: embedding_cache=cache
rag rag.ingest: ingestor progress=ingestor ingestion=texts documents=files extraction=readers metadata
rag rag.embedding: vectors=documents
rag rag.search: request retrieval=retriever keywords ranking context survival=footprint
rag rag.store: records found=records filters canonical=filters selection=filters exact=chroma
rag rag.store: collection generation
rag rag.store.folder: embedded=home state_file=home folder_lock=lock file_lock=lock
rag rag.store.server: server=home server_http=http
rag .: checks
report report.findings: lockstep_findings=lockstep baseline_findings=baseline merging
report report.formats: text markdown csv_file=csv json_file=json open_metrics
report report.html: html_file=report html_page=page html_overview=rows drawing=svg pictures profile_view=profile
report report.plots: figure ratio_plot=ratios history_plot=history
report report.shared: base=report table units ratio_scale=change_axis
report report.findings: json_numbers=model
report report.terminal: bar=interval_bar terminal_tables=tables github
report .: visible=escaping
report runs: environment=machine
"""
"""Each line: the package that modules were in, the one they are in now (``.``: the library itself), and their names,
``old=new`` if a name changed as well."""


def new_paths() -> dict[str, str]:
    """Return the new path of every old one."""
    paths = {}
    for line in ROOMS.strip().splitlines():
        rooms, names = line.split(": ")
        old_room, new_room = rooms.split()
        for entry in names.split():
            old, _, new = entry.partition("=")
            parts = ("jarvisperf", new_room.strip("."), new or old)
            paths[f"jarvisperf.{old_room}.{old}"] = ".".join(filter(None, parts))
    return paths


class OldPaths:
    """Finds modules by their old paths; an entry for ``sys.meta_path``."""

    def __init__(self) -> None:
        self._new = new_paths()

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Return a spec for an old path; None for any other name."""
        return ModuleSpec(name, self) if name in self._new else None  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """Use the default module, which :meth:`exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Replace the module at the old path by the one at the new path."""
        old = module.__name__
        new = self._new[old]
        warnings.warn(f"{old} has moved to {new}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Make old paths importable; calling this twice has no further effect."""
    if not any(isinstance(finder, OldPaths) for finder in sys.meta_path):
        sys.meta_path.append(OldPaths())
