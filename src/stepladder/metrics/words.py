"""Words of any script, and the form in which two texts count as the same.

rouge-score takes a-z and 0-9 alone for word characters: it reads "får" as "f" and "r", and nothing
at all in Greek. Here a word is a run of letters, marks and digits of any script; scripts written
without spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar) give a token a letter.

    >>> words("Får får får? 你好")
    ['får', 'får', 'får', '你', '好']
"""

from __future__ import annotations

import unicodedata

import regex

_UNSPACED = (  # script extensions hold the prolonged sound mark of kana, which is of no one script
    r"[[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]"
)
_WORD = regex.compile(
    rf"{_UNSPACED}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{_UNSPACED}]+", flags=regex.VERSION1
)
_LETTER = regex.compile(r"\p{L}")
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]+")
_FINAL = regex.compile(r"[\s.!?,;:…。！？，；：।؟]+$")
_ARTICLES = frozenset({"a", "an", "the"})


def words(text: str) -> list[str]:
    """The words of a text, lowercased and composed (NFC)."""
    return list(_WORD.findall(unicodedata.normalize("NFC", text.lower())))


def answer_words(text: str, *, articles: bool = False) -> list[str]:
    """The words of a short answer, as SQuAD's evaluation takes them (Rajpurkar et al. 2016, section
    6.1): lowercased, punctuation and symbols deleted (so `U.S.` is `us`), English articles dropped
    unless `articles`; but letters and marks of every script are kept."""
    bare = _PUNCTUATION.sub("", unicodedata.normalize("NFC", text.lower()))
    return [word for word in _WORD.findall(bare) if articles or word not in _ARTICLES]


def same_form(text: str, *, case: bool = False, punctuation: bool = False) -> str:
    """The form in which texts are compared: composed (NFC), white space collapsed and stripped,
    case folded unless `case`, final punctuation dropped unless `punctuation`, or unless nothing
    else is there.

    >>> same_form("  The  Answer. ")
    'the answer'
    """
    form = unicodedata.normalize("NFC", text if case else text.casefold())
    form = " ".join(form.split())
    return form if punctuation else _FINAL.sub("", form) or form


def letters(text: str) -> str:
    """The letters of a text, lowercased, marks and everything else left out."""
    return "".join(_LETTER.findall(text.lower()))
