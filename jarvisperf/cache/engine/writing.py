"""How a value goes down through the tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.cache.engine.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.cache.engine.model import Life
    from jarvisperf.cache.values.envelope import Encoded
    from jarvisperf.cache.values.isolation import Held


class Writing(Tiers):
    """The writes of a cache."""

    def write(self, key: str, value: object, life: Life) -> bool:
        """Write a value to every tier; whether one holds it."""
        held, encoded = self._prepared(value)
        stripe = self.stripes.of(key)
        with stripe:
            self._fillings.void([key])
            heard = stripe.state()
            version = self.versions.next()
            kept = False
            if encoded is not None and self.lower:
                write = self._sealed(key, encoded, life, version)
                for tier in reversed(self.lower):
                    kept |= tier.put(*write)
            kept |= self._hold(key, held, life, version)
            self.sets += 1
        self._unhold_if_changed(stripe, heard, key)
        return kept

    def write_many(self, values: Mapping[str, object], life: Life) -> bool:
        """Write several values: one round trip, one transaction; whether a tier holds all of them."""
        prepared = self._prepared_all(values)
        with self.stripes.changing(prepared):
            self._fillings.void(prepared)
            heard = {key: self.stripes.of(key).state() for key in prepared}
            version = self.versions.next()
            kept = False
            writes = [
                self._sealed(key, encoded, life, version)
                for key, (_, encoded) in prepared.items()
                if encoded is not None
            ]
            if writes:
                for tier in reversed(self.lower):
                    kept |= tier.put_many(writes)
            in_memory = sum(self._hold(key, held, life, version) for key, (held, _) in prepared.items())
            kept |= in_memory == len(prepared)
            self.sets += len(prepared)
        for key, state in heard.items():
            self._unhold_if_changed(self.stripes.of(key), state, key)
        return kept

    def _prepared_all(self, values: Mapping[str, object]) -> dict[str, tuple[Held, Encoded | None]]:
        prepared = {}
        for key, value in values.items():
            try:
                prepared[key] = self._prepared(value)
            except TypeError as error:
                raise TypeError(f"values[{key!r}]{str(error).removeprefix('value')}") from None
        return prepared

    def held_of(self, value: object) -> Held:
        """Give what others may have copies of."""
        return self._prepared(value)[0]

    def check_encodable(self, value: object) -> None:
        """Find out whether a value could be written.

        Raises:
            TypeError: It could not.
        """
        self._prepared(value)

    def check_all_encodable(self, values: Mapping[str, object]) -> None:
        """Find out whether several values could be written.

        Raises:
            TypeError: One could not.
        """
        self._prepared_all(values)
