"""From a prompt to token ids: the one path that asking, scoring and training share.

    render(tokenizer, prompt)                # the text that the model reads
    encode_prompt(tokenizer, prompt)         # its ids
    encode_pair(tokenizer, prompt, "yes", encoder_decoder=False)    # prompt ids, answer ids

A model is trained on exactly the prompt ids that it is asked with later, so `encode_pair` never
lets the answer change them. Three traps are handled here and nowhere else: a tokenizer may merge
the prompt's last characters with the answer's first; a SentencePiece tokenizer puts a space in
front of any text that it sees alone; and T5's `</s>` or a template's end-of-turn mark closes what
is tokenised, the prompt or the answer, whether asked for or not.

What is NOT covered: special tokens spelt out in a user's text (`</s>`) are read as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from stepladder.checkpoints.loading import load_tokenizer
from stepladder.errors import CheckpointError, MissingExtraError
from stepladder.records import Endpoint, Model, Prompt, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_SETTINGS: dict[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""Given to every chat template; those that do not know them ignore them. Answers are asked for
without a stretch of thinking before them, and a template that shows today's date (Llama 3) shows
the date it falls back to itself, or else the same prompt would be another one tomorrow."""


class PairTokens(NamedTuple):
    """Token ids of a prompt and of the answer to it; the answer ends with the end token."""

    prompt_ids: list[int]
    answer_ids: list[int]


def has_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer brings a chat template to use by default."""
    template = tokenizer.chat_template
    return "default" in template if isinstance(template, dict) else bool(template)


def render(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> str:
    """The very text that the model reads: through the chat template where there is one."""
    if not has_template(tokenizer):
        return prompt.text
    return _through_template(tokenizer, prompt.turns, answer=None)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """The prompt's token ids, at least one. A chat template writes its special tokens itself."""
    chat = has_template(tokenizer)
    ids = _ids(tokenizer, render(tokenizer, prompt), special=not chat)
    if ids:
        return ids
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else _end(tokenizer)
    return [start]


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, prompt: Prompt, answer: str, *, encoder_decoder: bool
) -> PairTokens:
    """Token ids of a prompt and its answer.

    `prompt_ids` always equal `encode_prompt(tokenizer, prompt)`; `answer_ids` end with the end
    token, once. An encoder-decoder gets the answer as its decoder's labels, tokenised alone.
    """
    prompt_ids = encode_prompt(tokenizer, prompt)
    if encoder_decoder:
        return PairTokens(prompt_ids, _ended(tokenizer, _ids(tokenizer, answer, special=True)))
    if has_template(tokenizer):
        before = render(tokenizer, prompt)
        whole = _through_template(tokenizer, prompt.turns, answer=answer)
        # A template may write an answer in a history otherwise than it asks for one.
        tail = whole[len(before) :] if whole.startswith(before) else answer
        return PairTokens(prompt_ids, _tail_ids(tokenizer, before, tail, prompt_ids, chat=True))
    tail = prompt.joint + answer if answer else ""
    return PairTokens(prompt_ids, _tail_ids(tokenizer, prompt.text, tail, prompt_ids, chat=False))


def unwritable(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> dict[str, str]:
    """Of these texts, those that no answer can be, with what comes back in their place: the
    tokenizer has no tokens for some of their characters. Case and space are not compared."""

    def bare(text: str) -> str:
        return "".join(text.casefold().split())

    found = {}
    for text in texts:
        back = str(tokenizer.decode(_ids(tokenizer, text, special=False), skip_special_tokens=True))
        if bare(back) != bare(text):
            found[text] = back.strip()
    return found


def _tail_ids(
    tokenizer: PreTrainedTokenizerBase, before: str, tail: str, prompt_ids: list[int], *, chat: bool
) -> list[int]:
    """Ids of `tail` as they follow `before` in one text, with the end token at the end."""
    encoded = tokenizer(
        before + tail,
        add_special_tokens=not chat,
        return_offsets_mapping=tokenizer.is_fast,
        verbose=False,
    )
    ids = list(encoded["input_ids"])
    if ids[: len(prompt_ids)] == prompt_ids:
        return _ended(tokenizer, ids[len(prompt_ids) :])
    spans: list[tuple[int, int]] = encoded["offset_mapping"] if tokenizer.is_fast else []
    border = len(before)
    # A token across the border would take characters of the answer with it when left out.
    torn = any(start < border < end and before[start:] for start, end in spans)
    if spans and not torn:
        kept = [i for i, (start, end) in zip(ids, spans, strict=True) if end > start >= border]
        return _ended(tokenizer, kept)
    return _ended(tokenizer, _ids(tokenizer, tail, special=False))


def _ended(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """`ids` up to their last end token, which is put there where there is none: templates write a
    line break after it, tokenizers of encoder-decoders write it themselves."""
    end = _end(tokenizer)
    last = max((i for i, token in enumerate(ids) if token == end), default=None)
    return [*ids, end] if last is None else ids[: last + 1]


def _end(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.eos_token_id is None:
        raise CheckpointError(
            "the tokenizer has no end token, so an answer could not end; set `eos_token` in its "
            "tokenizer_config.json"
        )
    return int(tokenizer.eos_token_id)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str, *, special: bool) -> list[int]:
    # Not verbose: too long a prompt is the engine's to refuse, not the tokenizer's to warn about.
    return list(tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"])


def _through_template(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], *, answer: str | None
) -> str:
    """The turns as the chat template writes them: with the mark that asks for an answer, or with
    the answer. A system turn that the template refuses or drops goes into the first user turn."""
    from jinja2 import TemplateError

    def write(some: Sequence[Turn]) -> str:
        messages: list[dict[str, Any]] = [{"role": t.role, "content": t.text} for t in some]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=answer is None, **TEMPLATE_SETTINGS
        )
        return str(text)

    merged = _without_system(turns)
    try:
        text = write(turns)
        system = [t.text.strip() for t in turns if t.role == "system"]
        return text if all(s in text for s in system) else write(merged)
    except TemplateError as error:
        if merged == list(turns):
            raise CheckpointError(
                f"the tokenizer's chat template refuses a prompt: {error}"
            ) from error
    try:
        return write(merged)
    except TemplateError as error:
        raise CheckpointError(f"the tokenizer's chat template refuses a prompt: {error}") from error


def _without_system(turns: Sequence[Turn]) -> list[Turn]:
    """System texts moved to the head of the first user turn."""
    system = [t.text for t in turns if t.role == "system"]
    others = [t for t in turns if t.role != "system"]
    first = next((i for i, t in enumerate(others) if t.role == "user"), None)
    if not system:
        return others
    if first is None:
        return [Turn("user", "\n\n".join(system)), *others]
    others[first] = Turn("user", "\n\n".join([*system, others[first].text]))
    return others


CountTexts = Callable[[Sequence[str]], list[int]]
"""Lengths of texts in tokens."""


class TokenCounter(NamedTuple):
    """How long texts are for one model."""

    lengths: CountTexts
    identity: str
    """Counters of the same identity count alike."""


def _about_four_letters(texts: Sequence[str]) -> list[int]:
    return [-(-len(text) // 4) for text in texts]


COMMON_MARKS = tuple(
    """<s> </s> <pad> <unk> <bos> <eos> [INST] [/INST] <<SYS>> <</SYS>> <|im_start|> <|im_end|>
    <|endoftext|> <|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>
    <|eom_id|> <|end|> <|system|> <|user|> <|assistant|> <start_of_turn> <end_of_turn>""".split()
)
"""What is written between turns by the templates in wide use."""


@lru_cache(maxsize=8)
def special_marks(model: Model) -> tuple[str, ...]:
    """What the model's tokenizer takes for a token of its own wherever a text spells it; for one
    that is not at hand, what is common."""
    if isinstance(model, Endpoint) or not (model.folder / "tokenizer_config.json").is_file():
        return COMMON_MARKS
    try:
        tokenizer = load_tokenizer(model)
    except MissingExtraError:
        return COMMON_MARKS
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    marks = {mark.strip() for mark in (*added, *tokenizer.all_special_tokens)}
    return tuple(sorted(mark for mark in marks if mark and not mark.isalnum()))


FOUR_CHARACTERS = TokenCounter(_about_four_letters, "four characters")
"""An estimate, for models whose tokenizer is not at hand."""


@lru_cache(maxsize=8)
def token_counter(model: Model) -> TokenCounter:
    """Lengths of plain texts in the model's own tokens, without special ones. Four characters count
    as a token where its tokenizer is not at hand: an endpoint's, or without the extra `hf`."""
    if isinstance(model, Endpoint) or not (model.folder / "tokenizer_config.json").is_file():
        return FOUR_CHARACTERS
    try:
        tokenizer = load_tokenizer(model)
    except MissingExtraError:
        return FOUR_CHARACTERS

    def count(texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [len(ids) for ids in encoded]

    return TokenCounter(count, model.fingerprint)
