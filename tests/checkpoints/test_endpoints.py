"""An endpoint's address is read; what looks like a key in it is refused and not repeated."""

from __future__ import annotations

import pytest

from stepladder.checkpoints import model_from_json, model_to_json, read_address, resolve
from stepladder.errors import CheckpointError
from stepladder.records import Capabilities, Endpoint


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("http://127.0.0.1:8000/v1#m", Endpoint("http://127.0.0.1:8000/v1", "m")),
        ("HTTPS://Host/v1/#org/m:7b@x#y", Endpoint("https://host/v1", "org/m:7b@x#y")),
        ("https://h/v1?key_from=KEY_1#m", Endpoint("https://h/v1", "m", "KEY_1")),
    ],
)
def test_an_address_is_read(address: str, endpoint: Endpoint) -> None:
    assert read_address(address) == endpoint


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:8000/v1", "names no model"),
        ("http://127.0.0.1:8000/v1#", "names no model"),
        ("http://#m", "names no host"),
        ("http://h:port/v1#m", "names no host"),
        ("http://[::1/v1#m", "names no host"),
        ("https://user:sk-secret@h/v1#m", "user's name or key"),
        ("https://sk-secret@h/v1#m", "user's name or key"),
        ("https://h/v1?api_key=sk-secret#m", "settings other than key_from"),
        ("https://h/v1?key_from=sk-secret#m", "not the key itself"),
        ("https://h/v1?key_from=A&key_from=B#m", "settings other than key_from"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as told:
        read_address(address)
    assert "sk-secret" not in str(told.value)


def test_an_address_is_no_folder() -> None:
    with pytest.raises(CheckpointError, match="address stands where"):
        resolve("https://sk-secret@h/v1#m")


def test_an_endpoint_survives_being_kept() -> None:
    able = Capabilities(chat=True, scores=True, context=100)
    endpoint = Endpoint("https://h/v1", "m", "KEY", "m-2026", able, ("stop",))
    assert model_from_json(model_to_json(endpoint)) == endpoint
