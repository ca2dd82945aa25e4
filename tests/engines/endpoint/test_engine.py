"""Every way in which a server fails, and that an answer is neither lost nor made up."""

from __future__ import annotations

import threading
import time

import pytest

from servers import FakeServer
from stepladder.checkpoints import read_address
from stepladder.engines.endpoint import EndpointEngine, Patience, find_out
from stepladder.engines.endpoint.engine import OTHER_MODEL
from stepladder.errors import EngineError
from stepladder.records import Completion, Prompt, Sampling, Turn

QUICK = Patience(
    request=3.0, answer=30.0, faults=3, malformed=3, first_wait=0.02, longest_wait=0.05
)
GREEDY = Sampling(max_new_tokens=8)


def prompts(count: int) -> list[Prompt]:
    return [
        Prompt(f"word{i} two three", (Turn("user", f"word{i} two three"),)) for i in range(count)
    ]


def engine_of(server: FakeServer, patience: Patience = QUICK, **settings: int) -> EndpointEngine:
    engine = EndpointEngine(
        find_out(read_address(server.address), GREEDY), patience=patience, **settings
    )
    server.asked.clear()
    return engine


def ask(engine: EndpointEngine, count: int, sampling: Sampling = GREEDY) -> list[Completion]:
    return sorted(engine.generate(prompts(count), sampling), key=lambda c: c.index)


PASSING = ["500", "502", "503", "504", "429", "429 after 0.1", "slam", "cut", "hang", "drip"]
PASSING += ["not json", "half json", "wrong json", "list json"]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again(server: FakeServer, fault: str) -> None:
    engine = engine_of(server)
    server.play(fault)
    (found,) = ask(engine, 1)
    assert (found.text, found.failure) == ("word0 two three", None)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "requests", "cause"),
    [
        ("500", 3, "HTTP 500"),
        ("slam", 3, "connection broken"),
        ("cut", 3, "connection broken"),
        ("wrong json", 3, "malformed answer"),
        ("400", 1, "request refused"),
        ("501", 1, "request refused"),
        ("another model", 1, OTHER_MODEL),
    ],
)
def test_what_does_not_pass_is_missing_and_the_rest_goes_on(
    server: FakeServer, fault: str, requests: int, cause: str
) -> None:
    server.fault = lambda request: fault if "word1 " in str(request) else None
    found = ask(engine_of(server), 5)
    failure = found[1].failure
    assert failure is not None
    assert (failure.cause, failure.machine) == (cause, True)
    assert (found[1].text, found[1].tokens_out, found[1].finish) == ("", None, None)
    assert [c.text for c in found if c.index != 1] == [f"word{i} two three" for i in (0, 2, 3, 4)]
    assert sum("word1 " in str(request) for request in server.asked) == requests


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_time_for_one_answer_is_bounded(server: FakeServer, fault: str) -> None:
    patience = Patience(request=0.4, answer=1.2, faults=9, first_wait=0.01)
    engine = engine_of(server, patience)
    server.fault = lambda request: fault
    started = time.monotonic()
    (found,) = ask(engine, 1)
    assert time.monotonic() - started < 8
    assert found.failure is not None
    assert found.failure.cause == "timeout"
    assert 2 <= len(server.asked) <= 4


def test_a_pause_that_the_server_asks_for_is_kept(server: FakeServer) -> None:
    engine = engine_of(server)
    server.play("429 after 0.7")
    started = time.monotonic()
    ask(engine, 1)
    assert 0.7 <= time.monotonic() - started


def test_a_pause_beyond_all_patience_is_not_waited_for(server: FakeServer) -> None:
    engine = engine_of(server)
    server.play("429 after 3600")
    started = time.monotonic()
    (found,) = ask(engine, 1)
    assert time.monotonic() - started < 10
    assert found.failure is not None
    assert found.failure.cause == "rate limited"


@pytest.mark.parametrize("fault", ["401", "403", "404", "429 quota", "402"])
def test_what_holds_for_every_request_ends_the_run(server: FakeServer, fault: str) -> None:
    engine = engine_of(server, most=1)
    server.play("ok", "ok", fault)
    found: list[Completion] = []
    with pytest.raises(EngineError, match="tiny"):
        found.extend(engine.generate(prompts(9), GREEDY))
    assert len(server.asked) == 3


def test_a_server_that_went_down_ends_the_run(server: FakeServer) -> None:
    engine = engine_of(server, most=4)
    server.fault = lambda request: "500" if len(server.asked) > 10 else None
    found = []
    with pytest.raises(EngineError, match="8 answers in a row .* see to the server"):
        for completion in engine.generate(prompts(60), GREEDY):
            found.append(completion)  # noqa: PERF402
    assert sum(c.failure is None for c in found) >= 7
    assert len(server.asked) < 60


def test_a_prompt_over_the_context_is_the_rungs_own_failure(server: FakeServer) -> None:
    engine = engine_of(server)
    server.play("400 overflow")
    (found,) = ask(engine, 1)
    assert (found.finish, found.failure, found.tokens_in) == ("over-context", None, None)
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", ["filter", "400 filter"])
def test_a_filtered_answer_is_the_rungs_own_failure(server: FakeServer, fault: str) -> None:
    engine = engine_of(server)
    server.play(fault)
    (found,) = ask(engine, 1)
    assert found.failure is not None
    assert (found.failure.cause, found.failure.machine) == ("stopped by a content filter", False)
    assert (found.text, len(server.asked)) == ("", 1)


def test_tokens_are_those_that_the_server_reports(server: FakeServer) -> None:
    assert [(c.tokens_in, c.tokens_out) for c in ask(engine_of(server), 1)] == [(3, 3)]
    server.usage = False
    assert [(c.tokens_in, c.tokens_out) for c in ask(engine_of(server), 1)] == [(None, None)]


def test_why_an_answer_ended_is_told(server: FakeServer) -> None:
    engine = engine_of(server)
    for sampling, text, finish in (
        (Sampling(max_new_tokens=2), "word0 two", "length"),
        (Sampling(max_new_tokens=9, stop=(" three",)), "word0 two", "stop"),
        (Sampling(max_new_tokens=9), "word0 two three", "end"),
    ):
        (found,) = ask(engine, 1, sampling)
        assert (found.text, found.finish) == (text, finish)


def test_stop_strings_beyond_four_are_seen_to_here(server: FakeServer) -> None:
    sampling = Sampling(max_new_tokens=9, stop=("a", "b", "c", "f", " three"))
    (found,) = ask(engine_of(server), 1, sampling)
    assert (found.text, found.finish) == ("word0 two", "stop")
    assert server.asked[0]["stop"] == ["a", "b", "c", "f"]


def test_every_setting_is_sent(server: FakeServer) -> None:
    sampling = Sampling(5, temperature=0.5, top_p=0.9, top_k=7, seed=3, stop=("#",))
    ask(engine_of(server), 2, sampling)
    one, other = server.asked
    sent = {key: one[key] for key in ("max_tokens", "temperature", "top_p", "top_k", "stop")}
    assert sent == {
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "stop": ["#"],
    }
    assert one["seed"] != other["seed"]
    assert 0 <= one["seed"] < 2**31


def test_turns_go_to_a_chat_and_text_to_a_plain_completion(server: FakeServer) -> None:
    turns = (Turn("system", "Be brief."), Turn("user", "one"))
    prompt = Prompt("Be brief.\n\none", turns)
    for chat in (True, False):
        server.chat = chat
        engine = engine_of(server)
        assert next(engine.generate([prompt], GREEDY)).text == "one"
        assert engine.capabilities.chat is chat
    assert server.asked[-1]["prompt"] == "Be brief.\n\none"
    assert "Be brief." in engine.render(prompt)


def test_no_two_chats_are_rendered_the_same(server: FakeServer) -> None:
    engine = engine_of(server)
    one = Prompt("", (Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")))
    text = engine.render(one)
    inner = text.removeprefix("[user, 1 characters]\n")
    other = Prompt("", (Turn("user", inner),))
    assert engine.render(other) != text


def test_the_shares_of_the_time_sum_up_to_the_time(server: FakeServer) -> None:
    server.seconds = 0.1
    engine = engine_of(server)
    started = time.monotonic()
    found = ask(engine, 24)
    wall = time.monotonic() - started
    assert 0.5 * wall < sum(c.seconds for c in found) <= wall


def test_leaving_early_leaves_nothing_running(server: FakeServer) -> None:
    before = threading.active_count()
    server.seconds = 0.05
    engine = engine_of(server)
    answers = engine.generate(prompts(200), GREEDY)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    asked = len(server.asked)
    time.sleep(0.4)
    assert len(server.asked) <= asked + 1
    assert asked < 200
    assert threading.active_count() <= before + 64  # the server's own threads, one a connection


def test_identity_is_of_endpoint_reported_model_and_day(server: FakeServer) -> None:
    engine = engine_of(server)
    other = engine_of(server)
    assert engine.identity == other.identity
    other.day = "2001-01-01"
    assert engine.identity != other.identity
    server.reported = "tiny-2027"
    assert engine_of(server).identity != engine.identity
    assert engine_of(server).endpoint.identity != engine.endpoint.identity


def test_a_given_answer_is_scored_where_the_server_echoes(server: FakeServer) -> None:
    engine = engine_of(server)
    found = engine.log_likelihood([(Prompt("the cat", ()), " sat down"), (Prompt("a", ()), " xx")])
    assert [(s.total, s.tokens, s.greedy) for s in found] == [(-2.0, 2, True), (-3.0, 1, False)]
    server.scores = False
    engine = engine_of(server)
    assert not engine.capabilities.scores
    with pytest.raises(EngineError, match="does not score"):
        engine.log_likelihood([(Prompt("a", ()), "b")])


def streamed(engine: EndpointEngine, sampling: Sampling) -> tuple[list[str], Completion]:
    pieces, shown = engine.stream(Prompt("", (Turn("user", "one two three four"),)), sampling), []
    while True:
        try:
            shown.append(next(pieces))
        except StopIteration as end:
            return shown, end.value


@pytest.mark.parametrize("chat", [True, False])
def test_an_answer_is_streamed(server: FakeServer, chat: bool) -> None:
    server.chat = chat
    server.answer = lambda prompt: "one two three four"
    engine = engine_of(server)
    server.play("500", "429 after 0.05")
    shown, whole = streamed(engine, GREEDY)
    assert shown == ["one", " two", " three", " four"]
    assert (whole.text, whole.finish) == ("one two three four", "end")
    shown, whole = streamed(engine, Sampling(max_new_tokens=9, stop=("x three", " three")))
    assert "".join(shown) == whole.text == "one two"


def test_a_stream_that_breaks_off_is_no_answer(server: FakeServer) -> None:
    engine = engine_of(server)
    server.play("cut")
    with pytest.raises(EngineError, match="broke off|connection broken"):
        streamed(engine, GREEDY)


def test_a_streamed_prompt_over_the_context_is_said(server: FakeServer) -> None:
    engine = engine_of(server)
    server.play("400 overflow")
    shown, whole = streamed(engine, GREEDY)
    assert (shown, whole.finish) == ([], "over-context")
