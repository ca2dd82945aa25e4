"""What is found out about an endpoint, and each mistake as one line before anything is spent."""

from __future__ import annotations

import pytest

from servers import FakeServer
from stepladder.checkpoints import read_address
from stepladder.engines.endpoint import Patience, find_out
from stepladder.errors import CheckpointError
from stepladder.records import Endpoint, Sampling

QUICK = Patience(request=20.0, answer=20.0, faults=2, malformed=2, first_wait=0.02)


def found(address: str, sampling: Sampling | None = None, patience: Patience = QUICK) -> Endpoint:
    return find_out(read_address(address), sampling or Sampling(), patience=patience)


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("scores", [True, False])
def test_chat_and_scoring_are_found_out(server: FakeServer, chat: bool, scores: bool) -> None:
    server.chat, server.scores, server.context = chat, scores, 2048
    able = found(server.address).capabilities
    assert (able.chat, able.scores, able.context, able.trains) == (chat, scores, 2048, False)
    assert sum(request.get("max_tokens", 0) for request in server.asked) <= 2


def test_a_server_without_a_list_of_models_or_names_will_do(server: FakeServer) -> None:
    server.lists, server.reported = False, None
    endpoint = found(server.address)
    assert (endpoint.reported, endpoint.capabilities.context) == (None, None)


def test_the_model_is_called_what_the_server_calls_it(server: FakeServer) -> None:
    assert found(server.address).reported == "tiny-2026-11"


def test_parameters_that_are_refused_are_done_without(server: FakeServer) -> None:
    server.refuses = ("max_tokens", "stop")
    endpoint = found(server.address, Sampling(stop=("x",)))
    assert endpoint.not_taken == ("max_tokens", "stop")
    assert "max_completion_tokens" in server.asked[0]
    assert "stop" not in server.asked[0]


def test_a_server_that_is_busy_at_first_is_asked_again(server: FakeServer) -> None:
    server.play("503", "429 after 0.1")
    assert found(server.address).capabilities.chat


def test_nobody_there(server: FakeServer) -> None:
    server.__exit__()
    with pytest.raises(CheckpointError, match="nothing answers there .* start the server"):
        found(server.address)
    server.__enter__()


def test_a_wrong_key_and_none(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "right-key-1234"
    with pytest.raises(CheckpointError, match="not accepted .* set OPENAI_API_KEY"):
        found(server.address)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key-1234")
    with pytest.raises(CheckpointError, match=r"not accepted .*\[key\].* correct the variable"):
        found(server.address)
    assert not server.asked
    monkeypatch.setenv("OPENAI_API_KEY", "right-key-1234\n")
    assert found(server.address).capabilities.chat
    monkeypatch.setenv("MINE", "wrong-key-1234")
    with pytest.raises(CheckpointError, match="correct the variable MINE"):
        found(f"{server.url}?key_from=MINE#tiny")


def test_a_model_that_is_not_known_is_told_with_the_nearest_name(server: FakeServer) -> None:
    with pytest.raises(CheckpointError, match="no such model .* did you mean 'tiny-other'"):
        found(f"{server.url}#tiny-othr")
    assert not server.asked


def test_an_address_without_its_path(server: FakeServer) -> None:
    with pytest.raises(CheckpointError, match="neither .* below /v1"):
        found(f"{server.url.removesuffix('/v1')}#tiny")


def test_settings_that_are_refused_are_told(server: FakeServer) -> None:
    server.refuses = ("top_k",)
    assert found(server.address).capabilities.chat
    with pytest.raises(CheckpointError, match="Unsupported parameter: top_k"):
        found(server.address, Sampling(temperature=1.0, top_k=5))


def test_a_server_that_hangs(server: FakeServer) -> None:
    server.fault = lambda request: "hang"
    with pytest.raises(CheckpointError, match="not answered: timeout"):
        found(server.address, patience=Patience(request=1.0, answer=1.0))


def test_no_key_goes_over_plain_http_to_another_machine_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from stepladder.engines.endpoint.wire import Wire

    monkeypatch.setenv("OPENAI_API_KEY", "secret-secret")

    def sent(address: str) -> dict[str, object]:
        return Wire(read_address(address))._headers()

    assert "Authorization" in sent("http://example.org/v1#m")  # left out
    for address in (
        "https://example.org/v1#m",
        "http://127.0.0.1:80/v1#m",
        "http://localhost/v1#m",
        "http://[::1]/v1#m",
        "http://example.org/v1?key_from=OPENAI_API_KEY#m",
    ):
        assert sent(address) == {}


def test_a_variable_that_is_not_set_or_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="is not set") as told:
        found("https://example.org/v1?key_from=sk_secret_by_mistake#m")
    assert "sk_secret" not in str(told.value)
    monkeypatch.setenv("MINE", "se cret")
    with pytest.raises(CheckpointError, match="characters that no key has"):
        found("https://example.org/v1?key_from=MINE#m")
