"""What an access token says of itself."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from bridge.model import Secret


def claims(token: Secret) -> Mapping[str, Any]:
    """Return what an access token says of itself, unverified; nothing where it is no JWT.

    Graph's tokens are opaque by contract. That they are JWTs with tid, roles and scp is what is seen; where
    they are not, the organisation alone proves the tenant.
    """
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
