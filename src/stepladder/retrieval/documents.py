"""Documents as text with sections: read from txt, md, html, pdf, docx, jsonl and csv.

    document, unread = read_document(KnowledgeFile(Path("faq.jsonl"), "faq.jsonl"))
    document.sections[0].heading      # "Guide > Installing"
    unread                            # ["faq.jsonl row 7: not JSON", ...]

A file or row that cannot be read is named, and the rest goes on. Of a page what is shown is read,
of a PDF the text layer; pictures of text, notes in the margin and formulas are not.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from stepladder.errors import MissingExtraError
from stepladder.plurals import counted
from stepladder.tasks.knowledge import LARGEST, KnowledgeFile

PATH = " > "
"""Between a heading and those below it."""
_MARKDOWN = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_HALF = re.compile("[\ud800-\udfff]")
"""Halves of characters, as JSON and PDF may spell them; no file can hold one."""
_FENCE = re.compile(r"[ \t]*(```|~~~)")
_TITLES = ("title", "heading", "name", "id")
"""Fields of a row that can be its heading, the first that there is."""
_BODIES = ("text", "content", "body", "passage", "answer")
"""Fields of a row that can be its text alone, the first that there is; else all are its text."""
_BLOCKS = ("p", "li", "tr", "pre", "blockquote", "dt", "dd", "div", "section", "article", "br")
_UNSEEN = ("script", "style", "noscript", "template", "head")


class Section(NamedTuple):
    """A part of a document under one heading."""

    heading: str
    """With those above it, joined by ` > `; empty where there is none."""
    start: int
    """Characters into the document's text."""
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One document's text."""

    source: str
    text: str
    sections: tuple[Section, ...]


class _UnreadableError(Exception):
    """A file that is not what its name says."""


def read_document(file: KnowledgeFile) -> tuple[Document | None, list[str]]:
    """One file's document, None where it holds no text; and what could not be read, a line each."""
    draft = _Draft(file.name)
    try:
        if file.size > LARGEST:
            raise _UnreadableError(
                f"has {file.size / 1e6:,.0f} MB, and up to {LARGEST / 1e6:,.0f} are read; split it "
                "into smaller files"
            )
        _READERS[file.path.suffix.lower()](file.path.read_bytes(), draft)
    except OSError as error:
        draft.unread.append(f"{file.name}: cannot be read ({error.strerror or error})")
    except _UnreadableError as error:
        draft.unread.append(f"{file.name}: {error}")
    document = draft.document()
    if document is None and not draft.unread:
        draft.unread.append(f"{file.name}: holds no text")
    return document, draft.unread


class _Draft:
    """A document under way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.unread: list[str] = []
        self._pieces: list[str] = []
        self._length = 0
        self._above: dict[int, str] = {}
        self._sections: list[Section] = []

    def heading(self, level: int, title: str) -> None:
        """What follows stands under this heading."""
        self._above = {at: text for at, text in self._above.items() if at < level}
        if title:
            self._above[level] = _HALF.sub("\ufffd", " ".join(title.split()))

    def add(self, text: str) -> None:
        """A part of the section at hand, kept as it stands."""
        if not text.strip():
            return
        text = _HALF.sub("\ufffd", text)
        self._pieces.append(text + "\n\n")
        start, self._length = self._length, self._length + len(text) + 2
        heading = PATH.join(self._above[level] for level in sorted(self._above))
        last = self._sections[-1] if self._sections else None
        if last is not None and last.heading == heading:
            self._sections[-1] = Section(heading, last.start, start + len(text))
        else:
            self._sections.append(Section(heading, start, start + len(text)))

    def document(self) -> Document | None:
        if not self._sections:
            return None
        return Document(self.source, "".join(self._pieces), tuple(self._sections))


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError(
            f"not UTF-8 text (byte 0x{data[error.start]:02x} at {error.start:,}); if it is text, "
            "save it as UTF-8"
        ) from None
    if "\0" in text:
        raise _UnreadableError("holds zero bytes, so it is no text")
    return text.replace("\r\n", "\n")


def _read_plain(data: bytes, draft: _Draft) -> None:
    draft.add(_text(data))


def _read_markdown(data: bytes, draft: _Draft) -> None:
    """Headings are lines that begin with `#`, outside of fences."""
    lines: list[str] = []
    fenced = False
    for line in _text(data).split("\n"):
        fenced ^= _FENCE.match(line) is not None
        found = None if fenced else _MARKDOWN.match(line)
        if found is None:
            lines.append(line)
            continue
        draft.add("\n".join(lines))
        lines = []
        draft.heading(len(found[1]), found[2])
    draft.add("\n".join(lines))


def _read_html(data: bytes, draft: _Draft) -> None:
    try:
        from bs4 import BeautifulSoup
    except ModuleNotFoundError as error:
        raise MissingExtraError("docs", f"reading {draft.source}") from error
    soup = BeautifulSoup(_text(data), "html.parser")
    for element in soup(_UNSEEN):
        element.decompose()
    # A heading becomes a line of its own, marked by a sign that no text holds any more.
    for element in soup([f"h{level}" for level in range(1, 7)]):
        title = " ".join(element.get_text().split())
        element.replace_with(f"\n\0{element.name[1:]}{title}\n")
    for element in soup(_BLOCKS):
        element.insert_after("\n")
    lines: list[str] = []
    for line in (" ".join(line.split()) for line in soup.get_text().split("\n")):
        if line.startswith("\0"):
            draft.add("\n".join(lines))
            lines = []
            draft.heading(int(line[1]), line[2:])
        elif line:
            lines.append(line)
    draft.add("\n".join(lines))


def _read_pdf(data: bytes, draft: _Draft) -> None:
    try:
        import pypdf
    except ModuleNotFoundError as error:
        raise MissingExtraError("docs", f"reading {draft.source}") from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns without naming the file
    try:
        pages = pypdf.PdfReader(io.BytesIO(data)).pages
        texts = [page.extract_text() for page in pages]
    except Exception as error:  # of pypdf, zlib, struct and more, which share no class
        raise _UnreadableError(f"not a PDF that can be read ({_first_line(error)})") from None
    if not any(text.strip() for text in texts):
        raise _UnreadableError(
            f"no text on {counted(len(texts), 'page')}; if these are scans, give it a text layer "
            "by text recognition (OCR)"
        )
    for number, text in enumerate(texts, start=1):
        draft.heading(1, f"page {number}")
        draft.add(text)


def _read_docx(data: bytes, draft: _Draft) -> None:
    try:
        import docx
        from docx.table import Table
    except ModuleNotFoundError as error:
        raise MissingExtraError("docs", f"reading {draft.source}") from error
    try:
        parts = list(docx.Document(io.BytesIO(data)).iter_inner_content())
    except Exception as error:  # of zipfile, lxml and docx itself, which share no class
        raise _UnreadableError(f"not a docx that can be read ({_first_line(error)})") from None
    for part in parts:
        if isinstance(part, Table):
            draft.add("\n".join(" | ".join(c.text for c in row.cells) for row in part.rows))
            continue
        style = (part.style.name if part.style is not None else None) or ""
        level = re.fullmatch(r"Heading (\d)", style)
        if level is not None or style == "Title":
            draft.heading(int(level[1]) if level else 0, part.text.strip())
        else:
            draft.add(part.text)


def _read_jsonl(data: bytes, draft: _Draft) -> None:
    for number, line in enumerate(_text(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if isinstance(row, dict):
                _add_row(row, number, draft)
            else:
                draft.unread.append(f"{draft.source} row {number}: not an object with named fields")
        except ValueError:
            draft.unread.append(f"{draft.source} row {number}: not JSON")
        except RecursionError:
            draft.unread.append(f"{draft.source} row {number}: its fields are nested too deeply")


def _read_csv(data: bytes, draft: _Draft) -> None:
    rows = csv.reader(io.StringIO(_text(data), newline=""), strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        number += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            draft.unread.append(
                f"{draft.source} row {number}: not CSV ({error}); a quotation mark that is left "
                "open takes in all that follows"
            )
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        elif any(cell.strip() for cell in cells):
            if len(cells) == len(header):
                columns: dict[str, list[str]] = {}
                for name, cell in zip(header, cells, strict=True):
                    columns.setdefault(name, []).append(cell)  # a name may stand there twice
                _add_row(columns, number, draft)
            else:
                draft.unread.append(
                    f"{draft.source} row {number}: {counted(len(cells), 'cell')}, "
                    f"the header has {len(header)}"
                )


def _add_row(row: Mapping[str, Any], number: int, draft: _Draft) -> None:
    """A row as a section: its title, or its number, and its text, or all of its fields."""
    texts = dict(_texts(row))
    heading = next((texts[name] for name in _TITLES if name in texts), f"row {number}")
    body = next((texts[name] for name in _BODIES if name in texts), None)
    if body is None:
        body = "\n".join(f"{name}: {text}" for name, text in texts.items() if text != heading)
    if not body:
        draft.unread.append(f"{draft.source} row {number}: holds no text")
        return
    draft.heading(1, heading)
    draft.add(body)


def _texts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if text := _text_of(value):
            yield name, text


def _text_of(value: Any) -> str:
    """A field's text: of a list its items', of an object its fields' behind their names."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text_of, value)))
    if isinstance(value, dict):
        return "\n".join(f"{name}: {text}" for name, text in _texts(value))
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


_READERS: Mapping[str, Callable[[bytes, _Draft], None]] = {
    ".txt": _read_plain,
    ".md": _read_markdown,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".docx": _read_docx,
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
}
