"""Documents of every kind become text with sections; what cannot be read is named."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from stepladder.errors import MissingExtraError
from stepladder.retrieval.documents import Document, read_document
from stepladder.tasks.knowledge import KnowledgeFile


def read(folder: Path, name: str, data: bytes | str) -> tuple[Document | None, list[str]]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_document(KnowledgeFile(path, name))


def parts(document: Document | None) -> list[tuple[str, str]]:
    """Heading and text of each section."""
    assert document is not None
    return [(s.heading, document.text[s.start : s.end].strip()) for s in document.sections]


def test_markdown_is_cut_at_its_headings(tmp_path: Path) -> None:
    page = "Before.\n# Guide\nOne.\n## Setup ##\nTwo.\n```\n# no heading\n```\n# End\nThree.\n"
    document, unread = read(tmp_path, "a.md", page)
    assert parts(document) == [
        ("", "Before."),
        ("Guide", "One."),
        ("Guide > Setup", "Two.\n```\n# no heading\n```"),
        ("End", "Three."),
    ]
    assert unread == []


def test_html_is_read_as_it_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("bs4", reason="needs the extra 'docs'")
    page = (
        "<html><head><title>no</title><style>p{}</style></head><body><h1>Lamp &amp; co</h1>"
        "<p>It is <b>red</b>.</p><ul><li>one</li><li>two</li></ul><script>x()</script>"
        "<h2>Price</h2>9&nbsp;euros</body></html>"
    )
    document, _ = read(tmp_path, "a.html", page)
    assert parts(document) == [
        ("Lamp & co", "It is red.\none\ntwo"),
        ("Lamp & co > Price", "9 euros"),
    ]


def test_docx_has_headings_and_tables(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx", reason="needs the extra 'docs'")
    made = docx.Document()
    made.add_heading("Lamps", 1)
    made.add_paragraph("They are red.")
    table = made.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "weight", "3 kilos"
    made.add_heading("Coats", 1)
    made.add_paragraph("They are blue.")
    held = io.BytesIO()
    made.save(held)
    document, _ = read(tmp_path, "a.docx", held.getvalue())
    assert parts(document) == [
        ("Lamps", "They are red.\n\nweight | 3 kilos"),
        ("Coats", "They are blue."),
    ]


def a_pdf(texts: list[str]) -> bytes:
    """A PDF of one line a page, written by hand (ISO 32000-1, 7.5)."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(len(texts)))
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
    ]
    for i, text in enumerate(texts):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * i} 0 R "
            f"/Resources {font} >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
    end += f"<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + end.encode()


def test_pdf_has_a_section_a_page(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'docs'")
    document, unread = read(tmp_path, "a.pdf", a_pdf(["The red lamp.", "A blue coat."]))
    assert parts(document) == [("page 1", "The red lamp."), ("page 2", "A blue coat.")]
    assert unread == []


def test_a_scan_has_no_text_and_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'docs'")
    document, unread = read(tmp_path, "a.pdf", a_pdf(["", ""]))
    assert document is None
    assert unread == [
        "a.pdf: no text on 2 pages; if these are scans, give it a text layer by text recognition "
        "(OCR)"
    ]


def test_a_broken_pdf_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'docs'")
    _, unread = read(tmp_path, "a.pdf", "%PDF-1.4 no more than this")
    assert len(unread) == 1 and unread[0].startswith("a.pdf: not a PDF that can be read (")
    assert not caplog.records


def test_a_locked_pdf_is_named_whatever_can_open_locks(tmp_path: Path) -> None:
    """pypdf raises an error of its own kind where it lacks the library for AES."""
    pytest.importorskip("pypdf", reason="needs the extra 'docs'")
    keys = {"O": 48, "U": 48, "OE": 32, "UE": 32, "Perms": 16}
    lock = "/Encrypt << /Filter /Standard /V 5 /R 6 /Length 256 /P -4 /StmF /C /StrF /C "
    lock += "/CF << /C << /CFM /AESV3 /Length 32 >> >> "
    lock += "".join(f"/{name} <{'00' * length}> " for name, length in keys.items()) + ">> "
    locked = a_pdf(["Lamps."]).replace(b"/Root", f"{lock}/ID [<00> <00>] /Root".encode())
    document, unread = read(tmp_path, "a.pdf", locked)
    assert document is None
    assert len(unread) == 1 and unread[0].startswith("a.pdf: not a PDF that can be read (")


def test_two_gigabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as handle:
        handle.truncate(2**31)
    file = KnowledgeFile(path, "a.txt")
    assert read_document(file) == (
        None,
        ["a.txt: has 2,147 MB, and up to 100 are read; split it into smaller files"],
    )
    assert file.digest() == "2147483648 bytes"


def test_halves_of_characters_and_breaks_in_titles_are_mended(tmp_path: Path) -> None:
    row = r'{"title": "Lamp\nInput: no\u2028", "text": "It is \ud83d red."}'
    document, _ = read(tmp_path, "a.jsonl", row)
    assert parts(document) == [("Lamp Input: no", "It is \ufffd red.")]


def test_rows_are_sections_and_bad_ones_are_named(tmp_path: Path) -> None:
    lines = (
        '{"title": "Lamp", "text": "It is red."}\n{"broken\n["a list"]\n{"n": 7, "x": "y"}\n{}\n'
    )
    document, unread = read(tmp_path, "a.jsonl", lines)
    assert parts(document) == [("Lamp", "It is red."), ("row 4", "n: 7\nx: y")]
    assert unread == [
        "a.jsonl row 2: not JSON",
        "a.jsonl row 3: not an object with named fields",
        "a.jsonl row 5: holds no text",
    ]


def test_csv_rows_too(tmp_path: Path) -> None:
    document, unread = read(tmp_path, "a.csv", "name,colour\nlamp,red\ncoat\n,\nhat,blue\n")
    assert parts(document) == [("lamp", "colour: red"), ("hat", "colour: blue")]
    assert unread == ["a.csv row 3: 1 cell, the header has 2"]


def test_nothing_of_a_row_is_left_out(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "a.csv", "name,colour,colour,\nlamp,red,blue,\n")
    assert parts(document) == [("lamp", "colour: red\nblue")]
    rows = (
        '{"title": "Lamp", "text": ["It is red.", "It is warm."]}\n'
        '{"name": "Coat", "made": {"by": "Roth", "of": ["wool", null]}, "price": 7}\n'
        + "[" * 100_000
        + '\n{"a": '
        + "[" * 900
        + "]" * 900
        + "}\n"
    )
    document, unread = read(tmp_path, "a.jsonl", rows)
    assert parts(document) == [
        ("Lamp", "It is red.\nIt is warm."),
        ("Coat", "made: by: Roth\nof: wool\nprice: 7"),
    ]
    deep = "its fields are nested too deeply"
    assert unread[0] == f"a.jsonl row 3: {deep}"
    assert unread[1] in (f"a.jsonl row 4: {deep}", "a.jsonl row 4: holds no text")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        (
            "a.txt",
            b"caf\xe9",
            "a.txt: not UTF-8 text (byte 0xe9 at 3); if it is text, save",
        ),
        ("a.txt", b"a\0b", "a.txt: holds zero bytes, so it is no text"),
        ("a.txt", b"MZ\x90\0\3\0\0\0\4", "a.txt: not UTF-8 text (byte 0x90 at 2)"),
        ("a.txt", "Straße".encode("utf-16"), "a.txt: not UTF-8 text (byte 0xff at 0)"),
        ("a.md", b"# Heading alone\n", "a.md: holds no text"),
        ("a.pdf", b"no pdf", "a.pdf: not a PDF that can be read"),
        ("a.docx", b"no docx", "a.docx: not a docx that can be read"),
    ],
)
def test_what_is_no_document_is_named(name: str, data: bytes, told: str, tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs the extra 'docs'")
    document, unread = read(tmp_path, name, data)
    assert document is None
    assert [line.startswith(told) for line in unread] == [True]


@pytest.mark.parametrize(
    ("name", "library"), [("a.html", "bs4"), ("a.pdf", "pypdf"), ("a.docx", "docx")]
)
def test_a_missing_extra_is_named(
    name: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"reading {name} needs the extra 'docs'"):
        read(tmp_path, name, "x")
