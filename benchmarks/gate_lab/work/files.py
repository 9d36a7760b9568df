"""Reading a file that the operating system has in memory."""

import tempfile

REPEATS = 100
FILE = tempfile.NamedTemporaryFile()  # noqa: SIM115  # it lives as long as the process
FILE.write(b"0123456789abcdef" * 2048)
FILE.flush()


def work() -> int:
    """Repeat the unit of work."""
    size = 0
    for _ in range(REPEATS):
        with open(FILE.name, "rb") as file:  # noqa: PTH123  # what most code does
            size = len(file.read())
    return size
