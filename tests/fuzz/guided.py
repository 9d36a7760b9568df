"""A coverage-guided fuzzer (atheris, libFuzzer's engine) over one reader. See ``tox.ini``.

    python -m fuzz.guided report 300

It runs for that many seconds, starting from the corpus, and ends with status 1 at the first input that fails, which is
kept in ``build/fuzz``.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["jarvisperf"]):
    from fuzz.inputs import input_for
    from fuzz.mutations import mutated_bytes
    from fuzz.readers import BYTE_READERS, JSON_READERS, prepared

SEEDS = 200


def main() -> None:
    reader, seconds = sys.argv[1], int(sys.argv[2])
    read = {**JSON_READERS, **BYTE_READERS}[reader]
    kept = Path("build/fuzz").absolute()
    kept.mkdir(parents=True, exist_ok=True)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        own = random.Random(seed)
        if reader in JSON_READERS and own.random() < 0.5:
            return input_for(reader, own)[:most]
        changed = mutated_bytes(data, own) if own.random() < 0.5 else atheris.Mutate(data, len(data) + 16)
        return changed[:most]

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as corpus, prepared(Path(folder)):
        for number in range(SEEDS):
            Path(corpus, str(number)).write_bytes(input_for(reader, random.Random(number)))
        options = [
            f"-max_total_time={seconds}",
            f"-artifact_prefix={kept}/{reader}-",
            "-max_len=200000",
            "-verbosity=1",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], read, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
