"""A watch over a process and all that it starts: their command lines and environments, as others see them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil


class Watched:
    """Samples a process tree while the block runs; ``seen`` is what was shown, by program and process."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: dict[tuple[str, int], str] = {}

    @property
    def programs(self) -> set[str]:
        """The names of the programs that were seen."""
        return {name for name, _ in self.seen}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            for process in self._tree():
                self._look(process)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:  # it has ended
            return []

    def _look(self, process: psutil.Process) -> None:
        try:
            shown = repr((process.cmdline(), process.environ()))
            place = (process.name(), process.pid)
            self.seen[place] = self.seen.get(place, "") + ("" if shown in self.seen.get(place, "") else shown)
        except psutil.Error:  # it has ended
            return
