"""Every failure there is.

::

    BridgeError            1  not named yet: a bug
    ├ SettingsError        3  bridge.toml is missing or wrong; a secret cannot be had
    ├ BeaconError          4  no beacon, no reader folder, a changed Tier 1 file, no 32-bit PowerShell
    ├ SignInError          5  Microsoft Entra said no
    ├ ReaderError          6  the reader threw, timed out, ended its process, or never ended its capture
    ├ ReaderOutputError    7  reader XML output that is cut short, malformed, does not fit, or does not add up
    ├ PackageError         8  the package could not be written or does not verify
    ├ DeliveryError        9  the package is whole and waits in ready/
    └ BusyError           10  another run of this connection holds the lock

Each class carries its exit code; ``hint`` says what to do next and ``retryable`` whether the same call can
succeed later without anybody changing anything. Both are class defaults that a constructor may override.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_USAGE = 2
EXIT_GAPS = 11
EXIT_SEVERAL = 12
EXIT_INTERRUPTED = 130


class BridgeError(Exception):
    """A failure with a sentence, a hint and an exit code."""

    exit_code: ClassVar[int] = 1
    hint: str = "This failure has no name yet: please report it with the run's log.txt."
    retryable: bool = False

    def __init__(self, sentence: str, *, hint: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if hint is not None:
            self.hint = hint
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return self.sentence


class SettingsError(BridgeError):
    """bridge.toml is missing or wrong, or a secret cannot be had."""

    exit_code = 3
    hint = "Correct the settings file; `beacon-bridge settings --example` prints a complete one."


class BeaconError(BridgeError):
    """This machine lacks something a beacon has: a folder, a file, a 32-bit PowerShell."""

    exit_code = 4
    hint = "Run `beacon-bridge check` to see what this machine has and lacks."


class SignInError(BridgeError):
    """The tenant's sign-in or authorization refused us.

    ``aadsts`` is the number of Microsoft's AADSTS code, ``seconds`` how long it asks to wait; None where it
    named none.
    """

    exit_code = 5
    hint = "Check the token or the app registration that the connection uses."

    def __init__(
        self,
        sentence: str,
        *,
        hint: str | None = None,
        retryable: bool | None = None,
        aadsts: int | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__(sentence, hint=hint, retryable=retryable)
        self.aadsts, self.seconds = aadsts, seconds


class ReaderError(BridgeError):
    """The reader did not do its work to the end: it threw, timed out, or left."""

    exit_code = 6
    hint = "Read what the reader said with `beacon-bridge show RUN`."


class ReaderOutputError(BridgeError):
    """Reader XML output that cannot be trusted, with up to twenty findings."""

    exit_code = 7
    hint = "Correct the reader's output or its columns; nothing was packaged."

    def __init__(
        self,
        sentence: str,
        *,
        findings: tuple[str, ...] = (),
        hint: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(sentence, hint=hint, retryable=retryable)
        self.findings = findings

    def __str__(self) -> str:
        return "\n".join((self.sentence, *(f"  {finding}" for finding in self.findings)))


class PackageError(BridgeError):
    """The package could not be written, or does not verify."""

    exit_code = 8
    hint = "Make it again from its captures with `beacon-bridge convert RUN`."


class DeliveryError(BridgeError):
    """The package is whole, but it did not reach its destination; it waits in ready/."""

    exit_code = 9
    hint = "Mend the destination, then `beacon-bridge deliver RUN`."
    retryable = True


class BusyError(BridgeError):
    """Another run of this connection holds the lock."""

    exit_code = 10
    hint = "Wait for that run to end, or stop it."
    retryable = True
