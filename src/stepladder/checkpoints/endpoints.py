"""An endpoint's address, as a user writes it, to an Endpoint.

    read_address("http://127.0.0.1:8000/v1#qwen2.5:0.5b")
    read_address("https://host/v1?key_from=MY_KEY#org/model")   # the key is in the variable MY_KEY

Behind the `#` stands the model's name, with any character that it may have. A key never stands in
an address: it would be kept in ledgers and reports, so what looks like one is refused, and refusals
do not repeat the address.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from stepladder.errors import CheckpointError
from stepladder.records import Endpoint

KEY_FROM = "key_from"
_EXAMPLE = "such as http://127.0.0.1:8000/v1#name"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_address(name: str) -> bool:
    """Whether a model's name is that of an endpoint."""
    return name.lower().startswith(("http://", "https://"))


def read_address(address: str) -> Endpoint:
    """The endpoint at an address; nobody is asked. Raises CheckpointError."""
    base, _, model = address.partition("#")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise CheckpointError(f"an endpoint's address names no host; write one {_EXAMPLE}")
    if "@" in parts.netloc:
        raise CheckpointError(
            "an endpoint's address holds a user's name or key, and addresses are kept; leave it "
            f"out and name the variable that holds the key: ...?{KEY_FROM}=VARIABLE#name"
        )
    settings = parse_qsl(parts.query, keep_blank_values=True)
    if [key for key, _ in settings] not in ([], [KEY_FROM]):
        raise CheckpointError(
            f"an endpoint's address has settings other than {KEY_FROM}=VARIABLE behind its '?'; "
            "leave them out"
        )
    variable = settings[0][1] if settings else None
    if variable is not None and not _VARIABLE.fullmatch(variable):
        raise CheckpointError(
            f"an endpoint's address: {KEY_FROM} is the name of an environment variable (letters, "
            "digits, '_'), not the key itself"
        )
    if not model.strip():
        raise CheckpointError(f"an endpoint's address names no model; write one {_EXAMPLE}")
    url = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    return Endpoint(url, model.strip(), variable)
