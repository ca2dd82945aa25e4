"""The contract suite: what every engine promises. A new engine adds a row to ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from servers import FakeServer
from stepladder import registry
from stepladder.checkpoints import resolve
from stepladder.contracts import Engine
from stepladder.engines.opening import find_model
from stepladder.records import Prompt, Sampling

Make = Callable[[], Engine]

ENGINES = [
    "hf on a decoder",
    "hf on an encoder-decoder",
    "endpoint with chat",
    "endpoint without chat",
    "fake",
]
GREEDY = Sampling(max_new_tokens=8)
DRAWN = replace(GREEDY, temperature=1.0, seed=1)


def prompt(text: str) -> Prompt:
    return Prompt(text, (), " ")


PROMPTS = [
    prompt("Input: the cat sat. Output:"),
    prompt("the dog"),
    prompt("a much longer prompt than the others, with a dog, a cat and the end"),
    prompt("the dog"),
    prompt("Output"),
]


@pytest.fixture(scope="module", params=ENGINES)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    engine = registry.load("engines", request.param.split()[0])
    if request.param == "fake":
        yield lambda: engine(context=64)
    elif request.param.startswith("endpoint"):
        with FakeServer(context=64, chat=request.param.endswith("with chat")) as server:
            yield lambda: engine(find_model(server.address))
    else:
        model = "tiny_t5" if "encoder-decoder" in request.param else "tiny_llama"
        folder: Path = request.getfixturevalue(model)
        yield lambda: engine(resolve(str(folder)))


@pytest.fixture(scope="module")
def engine(make: Make) -> Engine:
    return make()


def texts(engine: Engine, prompts: list[Prompt], sampling: Sampling) -> list[str]:
    found = {c.index: c.text for c in engine.generate(prompts, sampling)}
    return [found[i] for i in range(len(prompts))]


def test_it_is_an_engine_of_the_registry(engine: Engine) -> None:
    assert isinstance(engine, Engine)
    covered = {name.split()[0] for name in ENGINES}
    # A head writes no tokens: stop strings and limits mean nothing to it.
    assert covered == set(registry.BUILT_IN["engines"]) - {"head"}


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_every_prompt_gets_one_completion(engine: Engine, sampling: Sampling) -> None:
    found = list(engine.generate(PROMPTS, sampling))
    assert sorted(c.index for c in found) == list(range(len(PROMPTS)))
    counts = engine.count_tokens(PROMPTS)
    for completion in found:
        assert counts is None or completion.tokens_in == counts[completion.index]
        assert completion.tokens_in is None or completion.tokens_in > 0
        assert completion.tokens_out is None or completion.tokens_out <= sampling.max_new_tokens
        assert completion.failure is None
        assert completion.finish in ("end", "stop", "length")
        assert completion.seconds >= 0


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_an_answer_depends_on_its_prompt_and_sampling_alone(
    make: Make, engine: Engine, sampling: Sampling
) -> None:
    together = texts(engine, PROMPTS, sampling)
    alone = [texts(engine, [p], sampling)[0] for p in PROMPTS]
    turned = texts(make(), PROMPTS[::-1], sampling)[::-1]
    assert together == alone == turned
    assert together[1] == together[3]


def test_seeds_draw_differently(engine: Engine) -> None:
    drawn = {tuple(texts(engine, PROMPTS, replace(DRAWN, seed=seed))) for seed in range(5)}
    assert len(drawn) > 1


def test_nothing_is_asked_of_no_prompts(engine: Engine) -> None:
    assert list(engine.generate([], GREEDY)) == []
    assert engine.log_likelihood([]) == []


def test_a_prompt_over_the_context_is_said_and_not_cut(engine: Engine) -> None:
    long = prompt("cat " * 1000)
    found = {c.index: c for c in engine.generate([long, PROMPTS[0]], GREEDY)}
    assert found[0].finish == "over-context"
    assert found[0].text == "" and found[0].tokens_out == 0
    assert [found[0].tokens_in] == (engine.count_tokens([long]) or [None])
    assert found[1].finish != "over-context"


def test_an_answer_ends_before_a_stop_string(engine: Engine) -> None:
    whole = texts(engine, PROMPTS, GREEDY)
    longest = max(whole, key=len)
    stop = longest[len(longest) // 2 :][:2]
    found = {c.index: c for c in engine.generate(PROMPTS, replace(GREEDY, stop=(stop,)))}
    for index, text in enumerate(whole):
        assert found[index].text == text.split(stop)[0]
        assert (found[index].finish == "stop") == (stop in text)


def test_a_long_answer_is_cut_at_max_new_tokens_and_says_so(engine: Engine) -> None:
    for completion in engine.generate(PROMPTS, replace(GREEDY, max_new_tokens=1)):
        assert completion.tokens_out <= 1
        assert completion.finish in ("length", "end")


def test_given_answers_are_scored_in_order(engine: Engine) -> None:
    pairs = [(p, answer) for p in PROMPTS for answer in ("a cat", "the dog ran to the cat")]
    scores = engine.log_likelihood(pairs)
    assert len(scores) == len(pairs)
    assert all(s.total < 0 and s.tokens > 0 for s in scores)
    alone = [engine.log_likelihood([pair])[0] for pair in pairs]
    assert [s.tokens for s in scores] == [s.tokens for s in alone]
    assert [s.total for s in scores] == pytest.approx([s.total for s in alone], abs=1e-4)


def test_rendering_and_identity_stay(make: Make, engine: Engine) -> None:
    assert engine.identity == make().identity
    assert engine.render(PROMPTS[0]) == make().render(PROMPTS[0])
    assert len(engine.identity) == 64


def test_closing_twice_is_quiet_and_changes_no_identity(make: Make) -> None:
    engine = make()
    before = engine.identity
    engine.close()
    engine.close()
    assert engine.identity == before
