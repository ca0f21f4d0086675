"""A watch over a process and all that it starts: their command lines and environments, as others see them."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil


class Watched:
    """Samples a process tree while the block runs; ``seen`` is what each showed, such as ``pwsh 4711``."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: dict[str, bytes] = {}

    @property
    def programs(self) -> set[str]:
        """The names of the programs that were seen."""
        return {name.partition(" ")[0] for name in self.seen}

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
            variables = [f"{name}={value}" for name, value in process.environ().items()]
            shown = "\0".join((*process.cmdline(), *variables)).encode(errors="surrogateescape")
            name = f"{process.name()} {process.pid}"
            if shown not in self.seen.get(name, b""):
                self.seen[name] = self.seen.get(name, b"") + shown
        except psutil.Error:  # it has ended
            return
