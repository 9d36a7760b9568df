"""Feeds hostile files to everything that reads files of others. See ``tox.ini``.

    python -m fuzz --inputs 100000 [--reader report] [--seed 1]

Every input is a mutation of a file in ``corpus``. It fails if a reader raises, prints what a terminal or CI service
acts on, or needs 300 MB more than at the start; the input is kept in ``build/fuzz``.
"""

from __future__ import annotations

import argparse
import collections
import random
import resource
import sys
import tempfile
import traceback
from pathlib import Path

from fuzz.inputs import input_for
from fuzz.readers import BYTE_READERS, JSON_READERS, prepared

MOST_GROWTH_KIB = 300 * 1024
READERS = {**JSON_READERS, **BYTE_READERS}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--reader", choices=sorted(READERS))
    words = parser.parse_args()
    names = [words.reader] if words.reader else sorted(READERS)
    say(f"seed {words.seed}: {words.inputs} inputs for {', '.join(names)}")
    kept = Path("build/fuzz").absolute()
    failures: dict[tuple[str, str], int] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)):
        grown = None
        for number in range(words.inputs):
            name = names[number % len(names)]
            data = input_for(name, random.Random(f"{words.seed} {number}"))
            try:
                READERS[name](data)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is what this looks for
                last = traceback.extract_tb(error.__traceback__)[-1]
                cause = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {str(error)[:200]}"
                place = (name, cause.partition(": ")[0])
                failures[place] += 1
                if failures[place] == 1:
                    kept.mkdir(parents=True, exist_ok=True)
                    (kept / f"{name}-{number}").write_bytes(data)
                    say(f"{name} {number}: {cause}")
            if number == len(names) * 20:
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if number % 5_000 == 4_999:
                say(f"{number + 1} inputs, {sum(failures.values())} failed")
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - (grown or 0)
    grew = f"; memory grew by {growth >> 10} MB" if grown else ""
    say(f"{words.inputs} inputs: {sum(failures.values())} failed{grew}")
    return 1 if failures or (grown and growth > MOST_GROWTH_KIB) else 0


if __name__ == "__main__":
    sys.exit(main())
