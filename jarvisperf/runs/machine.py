"""The machine that a run was made on: the facts that decide whether two runs are comparable."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_PACKAGES = (
    "jarvisperf",
    "pytest",
    "pytest-benchmark",
    "numpy",
    "msgspec",
    "redis",
    "diskcache",
    "chromadb",
    "sentence-transformers",
    "torch",
)


class Machine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hardware, system and interpreter.

    Attributes:
        cpu: The processor's model name.
        cores: Logical processors that this process may use.
        memory_bytes: Physical memory; None if the system does not say.
        system: The operating system and its release.
        architecture: ``x86_64``, ``aarch64`` and the like.
        python: Implementation and version.
        packages: Versions of those relevant packages that are installed.
        governor: The frequency governor of the first processor; None if there is none.
        load: The load average of the last minute when the run started; None if unknown.
        virtualized: The name of the hypervisor or container, empty for bare metal; None if unknown.
        facts: Facts that plugins added, as JSON values; omitted from files if empty.
    """

    cpu: str
    cores: int
    memory_bytes: int | None
    system: str
    architecture: str
    python: str
    packages: dict[str, str]
    governor: str | None
    load: float | None
    virtualized: str | None
    facts: dict[str, Any] = {}

    @property
    def fingerprint(self) -> str:
        """A short hash of what makes times comparable: CPU, cores, architecture, interpreter and facts of plugins."""
        facts = [self.cpu, str(self.cores), self.architecture, self.python]
        if self.facts:
            facts.append(json.dumps(self.facts, sort_keys=True))
        return hashlib.blake2b("\0".join(facts).encode(), digest_size=6).hexdigest()


def read_machine(facts: Mapping[str, Any] | None = None) -> Machine:
    """Read the facts of this machine; what the system does not report is None, never an error.

    Args:
        facts: Further facts, as JSON values; None: no further facts.
    """
    return Machine(
        cpu=_cpu_model(),
        cores=usable_cores(),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_package_versions(),
        governor=_read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        load=load_average(),
        virtualized=_virtualized(),
        facts=dict(facts or {}),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _cpu_info(key: str) -> str | None:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _cpu_model() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no sysconf, or it lacks these names
        return None


def load_average() -> float | None:
    """Return the load average of the last minute; None if the system has none."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def _virtualized() -> str | None:
    if sys.platform != "linux":
        return None
    if Path("/.dockerenv").exists():
        return "docker"
    flags = (_cpu_info("flags") or "").split()
    if "hypervisor" in flags:
        return _read(Path("/sys/class/dmi/id/sys_vendor")) or "hypervisor"
    return "" if flags else None


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in KEY_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine_facts(machine: Machine) -> dict[str, str]:
    """Return a machine's facts and package versions as text, by name."""
    facts: dict[str, Any] = msgspec.to_builtins(machine)
    facts.pop("packages")
    facts |= {f"{name} (plugin)" if name in facts else name: value for name, value in facts.pop("facts", {}).items()}
    return {name: "unknown" if value is None else str(value) for name, value in facts.items()} | machine.packages


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the facts that differ: name, value in the first, value in the second; ``-`` for a missing one."""
    return [
        (name, first.get(name, "-"), second.get(name, "-"))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
