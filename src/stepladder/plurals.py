"""How many there are of a thing, in words.

>>> counted(1, "document"), counted(2000, "document"), counted(2, "try", "tries")
('1 document', '2,000 documents', '2 tries')
"""


def counted(number: int, thing: str, things: str | None = None) -> str:
    """`things` where the plural takes more than an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
