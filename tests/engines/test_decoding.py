"""Drawing and stopping, against transformers' own processors."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'hf'")

from stepladder.engines.asking import certain_part, cut_at_stop  # noqa: E402
from stepladder.engines.decoding import Chooser, RowDraws, leading  # noqa: E402
from stepladder.records import Sampling  # noqa: E402

VOCABULARY = 40


def expected(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """The distribution that transformers' sampling draws from, shape (vocabulary,)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    model = LlamaForCausalLM(config)
    settings = model.generation_config
    settings.update(
        do_sample=True,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
    )
    processors = model._get_logits_processor(settings, input_ids_seq_length=1)
    return processors(torch.tensor([[1]]), logits[None].clone()).softmax(-1)[0]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.5),
        Sampling(temperature=1.0, top_k=3),
        Sampling(temperature=1.3, top_p=0.8),
        Sampling(temperature=0.9, top_k=8, top_p=0.7),
        Sampling(temperature=1.0, top_k=500),
    ],
    ids=str,
)
def test_draws_follow_transformers_distribution(sampling: Sampling) -> None:
    """Each of 20,000 evenly spaced numbers decides a token: shares are exact to one step each."""
    count = 20_000
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(3)) * 2
    uniform = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    rows = logits.expand(count, VOCABULARY)
    drawn = RowDraws(sampling, [0]).draw(torch.zeros(count, 1, dtype=torch.long), rows, uniform)
    shares = torch.bincount(drawn, minlength=VOCABULARY) / count
    torch.testing.assert_close(shares, expected(logits, sampling), rtol=0, atol=1.5 / count)
    impossible = expected(logits, sampling) == 0
    assert not shares[impossible].any()


def test_the_numbers_of_a_row_are_its_seeds_alone() -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=8)
    together, alone = RowDraws(sampling, [4, 5]), RowDraws(sampling, [5])
    scores = torch.randn(2, VOCABULARY, generator=torch.Generator().manual_seed(0))
    for _ in range(8):
        both = together(torch.zeros(2, 1, dtype=torch.long), scores).argmax(-1)
        one = alone(torch.zeros(1, 1, dtype=torch.long), scores[1:]).argmax(-1)
        assert both[1] == one[0]


@pytest.mark.parametrize("temperature", [1e-30, 1e-320])
def test_a_temperature_next_to_zero_takes_the_best(temperature: float) -> None:
    scores = torch.randn(5, VOCABULARY, generator=torch.Generator().manual_seed(1))
    draws = RowDraws(Sampling(temperature=temperature), range(5))
    chosen = draws(torch.zeros(5, 1, dtype=torch.long), scores)
    assert torch.equal(chosen.argmax(-1), scores.argmax(-1))


def test_cut_at_the_first_stop_string() -> None:
    assert cut_at_stop("one\n\ntwo. three", (".", "\n\n")) == "one"
    assert cut_at_stop("one", ("two",)) == "one"


@pytest.mark.parametrize(
    ("text", "stop", "shown"),
    [
        ("a dog", (), "a dog"),
        ("a do", ("dog",), "a "),
        ("a dot", ("dog",), "a dot"),
        ("a dog ran", ("dog",), "a "),
        ("caf\ufffd", (), "caf"),
        ("x\n", ("\n\nInput", "y"), "x"),
    ],
)
def test_only_what_is_certain_is_shown(text: str, stop: tuple[str, ...], shown: str) -> None:
    assert certain_part(text, stop) == shown


@pytest.mark.parametrize("vocabulary", [1, 2, 64, 100, 640, 1024])
def test_the_lead_is_that_of_topk(vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(vocabulary)
    # Whole numbers, so that some rows' best tokens tie, within a block and across two.
    logits = torch.randint(6 * vocabulary, (300, vocabulary), generator=generator).float()
    best = logits.topk(min(2, vocabulary)).values
    lead = leading(logits)
    assert torch.equal(logits.gather(1, lead.token[:, None])[:, 0], best[:, 0])
    assert torch.equal(lead.gap, best[:, 0] - best[:, -1])


def test_of_tokens_that_tie_the_first_is_chosen() -> None:
    logits = torch.zeros(2, 256)
    logits[0, [200, 70, 90]] = 3.0
    logits[1, [255, 254]] = 2.0
    chosen = Chooser(Sampling(temperature=0)).choose(logits, [])
    assert chosen.tokens == [70, 254]
    assert chosen.near_ties == 2
