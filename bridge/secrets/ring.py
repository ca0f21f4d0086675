"""The keyring of one's own account: an option, for secrets of people rather than of services."""

from __future__ import annotations

from bridge.errors import SettingsError

SERVICE = "beacon-bridge"


def get(name: str) -> str:
    """Return the secret that the running account's keyring holds; SettingsError if it cannot be had."""
    try:
        import keyring  # noqa: PLC0415  # an option: most installations are without it
        from keyring.errors import KeyringError  # noqa: PLC0415  # likewise
    except ImportError as error:
        raise SettingsError(
            f"The secret keyring:{name} cannot be had: the package keyring is not installed.",
            hint='Install it with `pip install "beacon-bridge[keyring]"`, or use store:NAME instead.',
        ) from error
    try:
        text = keyring.get_password(SERVICE, name)
    except KeyringError as error:
        raise SettingsError(
            f"The secret keyring:{name} cannot be had: this account's keyring said {type(error).__name__}.",
            hint="Unlock the keyring, or use store:NAME: scheduled runs have no keyring.",
        ) from error
    if not text:
        raise SettingsError(
            f"The secret keyring:{name} is not in this account's keyring.",
            hint=f"Put it there with `keyring set {SERVICE} {name}`.",
        )
    return text
