"""A simulated tenant that is watched: who asks when, and what single calls are answered with instead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tools.tenant import Answer, Faults, Service, Tenant
from tools.tenant.answers import Asked
from tools.tenant.faults import NO_FAULTS
from tools.tenant.service import running


class Watched(Service):
    """Notes what it is asked for and when, and how many requests it has at a time.

    ``instead`` are answers by a part of the address; each is given once, in order, before the tenant answers.
    """

    def __init__(
        self, tenant: Tenant, faults: Faults = NO_FAULTS, instead: Mapping[str, list[Answer]] | None = None
    ) -> None:
        super().__init__(tenant, faults, 0)
        self.asked: list[tuple[float, str]] = []  # seconds of the stopwatch, and the address
        self.signed: list[str] = []  # addresses that came with a token
        self.most = 0
        self._instead = {part: iter(answers) for part, answers in (instead or {}).items()}
        self._now = 0
        self._watch = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to one GET."""
        with self._watch:
            self.asked.append((time.monotonic(), asked.target))
            if asked.authorization:
                self.signed.append(asked.target)
            self._now += 1
            self.most = max(self.most, self._now)
            found = next(
                (next(answers, None) for part, answers in self._instead.items() if part in asked.target), None
            )
        try:
            return found or super().answer(asked)
        finally:
            with self._watch:
                self._now -= 1

    def addresses(self, part: str) -> list[str]:
        """Return the addresses with a part that were asked for."""
        return [target for _, target in self.asked if part in target]


@contextmanager
def watched(
    tenant: Tenant, faults: Faults = NO_FAULTS, instead: Mapping[str, list[Answer]] | None = None
) -> Iterator[Watched]:
    """Serve a tenant and watch it until the block ends."""
    with running(Watched(tenant, faults, instead)) as service:
        yield service
