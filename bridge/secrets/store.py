"""The store: one file a secret, protected by the machine's vault, whole or not there at all."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, EncodedBytes, EncoderProtocol, Field, ValidationError

from bridge import system
from bridge.errors import SettingsError, SignInError
from bridge.model import Secret
from bridge.secrets.names import checked
from bridge.system import Rights, Vault

SUFFIX = ".json"
_FOR = "As an administrator: `beacon-bridge secret set {name} --for ACCOUNT`, for the account that runs it."
_AGAIN = "Store it again with `beacon-bridge secret set {name}`."


class _Base64(EncoderProtocol):
    """Base64 without anything else in it; pydantic's own skips what it does not know."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        """Return the bytes, or ValueError, which pydantic takes for a finding."""
        if not data:
            raise ValueError("empty")
        return b64decode(data, validate=True)

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Return the digits."""
        return b64encode(value)

    @classmethod
    def get_json_format(cls) -> Literal["base64"]:
        """Return the format's name."""
        return "base64"


class Envelope(BaseModel):
    """A stored secret's file (docs/formats.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    version: Literal[1] = 1
    name: str
    protection: str
    expires: date | None = None
    account: str | None = Field(default=None, alias="for")
    content: Annotated[bytes, EncodedBytes(encoder=_Base64)] = Field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """What may be shown of a stored secret."""

    name: str
    protection: str
    expires: date | None
    account: str | None


class Store:
    """The secrets below one folder; names are compared without case.

    Every method raises SettingsError with what to do: a name that is none, a secret that is not there, that
    others can read, that another machine protected or that was damaged; a folder that cannot be used; a lock
    that another process holds for more than ``patience`` seconds.
    """

    def __init__(
        self,
        folder: Path,
        vault: Vault,
        *,
        patience: float = 10,
        queue: float = 120,
        rights: Rights = system.RIGHTS,
    ) -> None:
        self.folder, self.vault, self._patience, self._queue = folder, vault, patience, queue
        self._rights = rights

    # --- looking ---

    def names(self) -> tuple[str, ...]:
        """Return the stored names, sorted, as their files are called: in small letters."""
        with self._usable():
            return tuple(sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}")))

    def entry(self, name: str) -> Entry:
        """Return what may be shown of a secret."""
        envelope = self._read(name)
        return Entry(envelope.name, envelope.protection, envelope.expires, envelope.account)

    def expiry(self, name: str) -> date | None:
        """Return the last day that was given with the secret; None if none was."""
        return self._read(name).expires

    def get(self, name: str) -> Secret:
        """Return a secret that is a text."""
        try:
            return Secret(self.get_bytes(name).decode())
        except UnicodeDecodeError:
            raise SettingsError(
                f"The secret store:{name} is no text: it was stored from a file.",
                hint="Name it as the certificate of the connection's [signin], or store the text again.",
            ) from None

    def get_bytes(self, name: str) -> bytes:
        """Return a secret as the bytes that were stored."""
        envelope = self._read(name)
        if envelope.protection != self.vault.name:
            raise SettingsError(
                f"The secret store:{name} is protected by {envelope.protection}, which is not had here.",
                hint=_AGAIN.format(name=name),
            )
        try:
            return self.vault.unprotect(envelope.content, name.lower())
        except ValueError as error:
            raise SettingsError(
                f"The secret store:{name} cannot be opened on this machine: {error}.",
                hint=_AGAIN.format(name=name),
            ) from error

    # --- changing ---

    def put(
        self, name: str, secret: Secret, *, expires: date | None = None, account: str | None = None
    ) -> None:
        """Store a text for Administrators, SYSTEM and ``account``, which is kept with it.

        Without ``account`` it is that of the secret it replaces; without one, the running account where it is
        no administrator.
        """
        self.put_bytes(name, secret.reveal().encode(), expires=expires, account=account)

    def put_bytes(
        self, name: str, content: bytes, *, expires: date | None = None, account: str | None = None
    ) -> None:
        """Store bytes, such as a certificate's file."""
        path = self._path(name)
        if not content.strip():
            raise SettingsError(
                f"The secret {name} is empty; nothing was stored.", hint="Give its value again."
            )
        with self._locked():
            self._write(path, name, content, expires, account or self._earlier_account(name))

    def admit(self, account: str) -> None:
        """Let an account into the store's folder, before there is a secret for it."""
        with self._usable():
            self._make()
            self._rights.admit(self.folder, account)

    def replace_if(self, name: str, old: Secret, new: Secret) -> bool:
        """Store ``new`` if the store still holds ``old``; return whether it did. Date and rights stay."""
        path = self._path(name)
        with self._locked():
            if self.get(name) != old:
                return False
            earlier = self._read(name)
            self._write(path, earlier.name, new.reveal().encode(), earlier.expires, earlier.account)
            return True

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Be the only one who renews a secret, over a call to its issuer; the rest of the store stays open.

        A retryable SignInError if others take longer than ``queue`` seconds.
        """
        lock = FileLock(self._path(name).with_suffix(".lock"), timeout=self._queue)
        with self._usable():
            self._make()
            try:
                lock.acquire()
            except Timeout:
                raise SignInError(
                    f"Another run has been renewing store:{name} for more than {self._queue:g} seconds.",
                    hint="Wait for it to end, then try again.",
                    retryable=True,
                ) from None
        try:
            yield
        finally:
            lock.release()

    def remove(self, name: str) -> None:
        """Remove a secret, readable or not."""
        path = self._path(name)
        with self._locked():
            if not path.exists():
                raise self._absent(name)
            path.unlink()
            system.flush_folder(self.folder)

    # --- files ---

    def _path(self, name: str) -> Path:
        return self.folder / f"{checked(name).lower()}{SUFFIX}"

    def _absent(self, name: str) -> SettingsError:
        return SettingsError(
            f"There is no secret store:{name} in {self.folder}.",
            hint=f"Store it with `beacon-bridge secret set {name}`.",
        )

    def _read(self, name: str) -> Envelope:
        """Return a secret's envelope, if nobody else can read its file."""
        envelope, strangers = self._look(name)
        if strangers:
            raise SettingsError(
                f"The secret store:{name} can be read by {', '.join(strangers)}.",
                hint=f"Have its value renewed where it comes from; then, here: {_AGAIN.format(name=name)}",
            )
        return envelope

    def _look(self, name: str) -> tuple[Envelope, tuple[str, ...]]:
        """Return a secret's envelope, and who else can read its file."""
        path = self._path(name)
        try:
            envelope = Envelope.model_validate_json(path.read_bytes())
            return envelope, self._rights.strangers(path, envelope.account)
        except FileNotFoundError:
            raise self._absent(name) from None
        except OSError as error:
            raise SettingsError(
                f"The secret store:{name} cannot be read: {error.strerror or error}.",
                hint=_FOR.format(name=name),
            ) from error
        except ValidationError:
            raise SettingsError(
                f"The secret store:{name} is damaged: {path} is not as it was written.",
                hint=_AGAIN.format(name=name),
            ) from None

    def _earlier_account(self, name: str) -> str | None:
        try:
            return self._look(name)[0].account
        except SettingsError:  # there is none, or it is damaged
            return None

    def _write(
        self, path: Path, name: str, content: bytes, expires: date | None, account: str | None
    ) -> None:
        account = self._rights.reader(account)
        envelope = {
            "version": 1,
            "name": name,
            "protection": self.vault.name,
            "expires": expires,
            "for": account,
            "content": b64encode(self.vault.protect(content, name.lower())),
        }
        whole = Envelope.model_validate(envelope)
        if account:
            self._rights.admit(self.folder, account)
        self._rights.write_private(path, whole.model_dump_json(by_alias=True, indent=2).encode(), account)

    def _make(self) -> None:
        for folder in (self.folder.parent, self.folder):
            self._rights.make_private_folder(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the store's lock, in its folder, without what a killed process left half written."""
        with self._usable():
            self._make()
            try:
                with FileLock(self.folder / ".lock", timeout=self._patience):
                    for part in self.folder.glob(f"*{SUFFIX}.part"):
                        part.unlink(missing_ok=True)
                    yield
            except Timeout:
                raise SettingsError(
                    f"The secrets in {self.folder} are locked by another process; nothing was stored.",
                    hint="Wait for the other beacon-bridge to end, then try again.",
                    retryable=True,
                ) from None

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn an error of the disk into SettingsError."""
        try:
            yield
        except OSError as error:
            raise SettingsError(
                f"The folder of secrets {self.folder} cannot be used: {error.strerror or error}.",
                hint="Run the command as the account that owns the state folder, or as an administrator.",
            ) from error
