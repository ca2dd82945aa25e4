"""Prompts and answers to token ids: what is trained is what is asked, whatever the tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stepladder.checkpoints import encode_pair, encode_prompt, load_tokenizer, render, resolve
from stepladder.errors import CheckpointError
from stepladder.records import Prompt, Turn

PROMPT = Prompt(
    "Say what it is.\n\nInput: a cat\nOutput:",
    (Turn("system", "Be brief."), Turn("user", "Say what it is: a cat")),
    " ",
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}] {{ m.content }} "
    "{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
HISTORY_DIFFERS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}(said: {{ m.content }}){% else %}"
    "{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %} >>{% endif %}"
)


@pytest.fixture
def byte_level(tiny_llama: Path) -> Any:
    return load_tokenizer(resolve(str(tiny_llama)))


@pytest.fixture
def sentencepiece() -> Any:
    """As Llama's: a space is a part of the word behind it, and one is put in front of any text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    text = "Say what it is.\n\nInput: a cat\nOutput: an animal, a pet"
    tokenizer.train_from_iterator([text] * 30, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
@pytest.mark.parametrize("answer", ["an animal", "a pet\nwith fur", " two spaces", "é🐈"])
def test_a_pair_continues_the_prompt(
    kind: str, answer: str, request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(kind)
    prompt_ids, answer_ids = encode_pair(tokenizer, PROMPT, answer, encoder_decoder=False)
    assert prompt_ids == encode_prompt(tokenizer, PROMPT)
    assert answer_ids[-1] == tokenizer.eos_token_id
    assert answer_ids.count(tokenizer.eos_token_id) == 1
    if kind == "byte_level":
        whole = tokenizer.decode(prompt_ids + answer_ids[:-1])
        assert whole == f"{PROMPT.text} {answer}"


def test_sentencepiece_puts_no_second_space_before_the_answer(sentencepiece: Any) -> None:
    _, ids = encode_pair(sentencepiece, PROMPT, "an animal", encoder_decoder=False)
    assert "".join(sentencepiece.convert_ids_to_tokens(ids[:-1])) == "▁an▁animal"


def test_a_merge_across_the_border_leaves_the_prompt_alone(byte_level: Any) -> None:
    """`Input` is one token; the prompt ends inside it and the answer goes on."""
    prompt = Prompt("the Inp", ())
    pair = encode_pair(byte_level, prompt, "ut: the", encoder_decoder=False)
    assert byte_level("the Input: the")["input_ids"][: len(pair.prompt_ids)] != pair.prompt_ids
    assert pair.prompt_ids == encode_prompt(byte_level, prompt)
    assert byte_level.decode(pair.answer_ids[:-1]) == "ut: the"


def test_an_empty_answer_is_the_end_token(byte_level: Any) -> None:
    assert encode_pair(byte_level, PROMPT, "", encoder_decoder=False).answer_ids == [1]


def test_an_encoder_decoder_closes_both_sides_once(tiny_t5: Path) -> None:
    tokenizer = load_tokenizer(resolve(str(tiny_t5)))
    prompt_ids, answer_ids = encode_pair(tokenizer, PROMPT, "a dog", encoder_decoder=True)
    assert prompt_ids[-1] == 1 and prompt_ids.count(1) == 1
    assert answer_ids[-1] == 1 and answer_ids.count(1) == 1
    assert tokenizer.decode(answer_ids, skip_special_tokens=True) == "a dog"


def test_an_empty_prompt_has_a_token_to_start_from(byte_level: Any, sentencepiece: Any) -> None:
    assert encode_prompt(byte_level, Prompt("", ())) == [byte_level.eos_token_id]
    assert encode_prompt(sentencepiece, Prompt("", ())) == [sentencepiece.bos_token_id]


def test_without_a_template_the_text_is_asked(byte_level: Any) -> None:
    assert render(byte_level, PROMPT) == PROMPT.text


def test_with_a_template_the_turns_are_asked(byte_level: Any) -> None:
    byte_level.chat_template = CHATML
    rendered = render(byte_level, PROMPT)
    assert rendered.endswith("a cat<|im_end|>\n<|im_start|>assistant\n")
    ids = encode_prompt(byte_level, PROMPT)
    assert ids == byte_level.apply_chat_template(
        [{"role": t.role, "content": t.text} for t in PROMPT.turns],
        add_generation_prompt=True,
        return_dict=False,
    )
    pair = encode_pair(byte_level, PROMPT, "an animal", encoder_decoder=False)
    assert pair.prompt_ids == ids
    assert byte_level.decode(pair.answer_ids) == "an animal<|im_end|>\n<eos>"


def test_what_a_template_writes_behind_its_end_token_is_left_out(byte_level: Any) -> None:
    byte_level.chat_template = CHATML.replace("<|im_end|>", "<eos>")
    pair = encode_pair(byte_level, PROMPT, "an animal", encoder_decoder=False)
    assert byte_level.decode(pair.answer_ids) == "an animal<eos>"


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM])
def test_a_system_text_goes_into_the_first_turn_where_there_is_no_role(
    template: str, byte_level: Any
) -> None:
    byte_level.chat_template = template
    expected = "[user] Be brief.\n\nSay what it is: a cat [assistant]"
    assert render(byte_level, PROMPT) == expected
    pair = encode_pair(byte_level, PROMPT, "yes", encoder_decoder=False)
    assert byte_level.decode(pair.answer_ids) == " yes <eos>"


def test_a_template_whose_history_differs_gets_the_answer_itself(byte_level: Any) -> None:
    byte_level.chat_template = HISTORY_DIFFERS
    pair = encode_pair(byte_level, PROMPT, "an animal", encoder_decoder=False)
    assert byte_level.decode(pair.prompt_ids).endswith(" >>")
    assert byte_level.decode(pair.answer_ids) == "an animal<eos>"


def test_the_date_and_thinking_do_not_move_a_prompt(byte_level: Any) -> None:
    byte_level.chat_template = (
        "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}"
        "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}"
    )
    assert render(byte_level, Prompt("x", (Turn("user", "x"),))) == "26 Jul 2024"


def test_a_template_that_refuses_everything_is_one_line(byte_level: Any) -> None:
    byte_level.chat_template = "{{ raise_exception('odd number of turns') }}"
    with pytest.raises(CheckpointError, match="odd number of turns"):
        render(byte_level, PROMPT)


def test_a_tokenizer_without_an_end_token_is_refused(byte_level: Any) -> None:
    byte_level.eos_token = None
    with pytest.raises(CheckpointError, match="no end token"):
        encode_pair(byte_level, PROMPT, "x", encoder_decoder=False)


def test_real_llama_tokenizer(shared_data: Path) -> None:
    tokenizer = load_tokenizer(resolve(str(shared_data / "models" / "stories260K")))
    pair = encode_pair(
        tokenizer, Prompt("Once upon a time", (), " "), "a cat", encoder_decoder=False
    )
    assert tokenizer.convert_ids_to_tokens(pair.answer_ids) == ["▁a", "▁c", "at", "</s>"]
    assert pair.prompt_ids[0] == tokenizer.bos_token_id
