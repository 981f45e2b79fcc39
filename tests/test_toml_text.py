"""TOML as people write it: values, the lines they stand on, and errors that name the place."""

from __future__ import annotations

import errno
import os
import tomllib

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from optout_proxy.errors import InputError
from optout_proxy.registry.toml_text import (
    KeyPath,
    decode,
    first_line_of_value,
    line_of,
    parse_toml,
    quoted,
    read_text,
    spell,
)

FILE = "x.toml"

TEXT = """\
name = "x"               # 1
"quoted key" = 1
'literal = # key' = 2
dotted . "ke\\u0079" . c = 3
numbers = [1, 2,         # 5
  3,
  { a = 1, 'b.b' = [7,
    8] } ]
date = 1979-05-27 07:32:00.5

[rules] # = [x]          # 11
loads = '''
||a.example^
'not' = "a key"
[nor] = ["a table"]
'''
glued = '''first
second'''               # 18
escaped = \"\"\"
a \\"\"\" b = '''
\"\"\"                      # 21
quotes = \"\"\"\"two \"\"\"\"\"
empty = ''''''
[ rules . "a.b" . c ]
d = 1                    # 25

[[example]]
url = "a"
[example.removes]
cookies = ["x",          # 30
  "y"]
[[example]]
url = 'http://b/#'
inline = { deep = { er = "c" } }
[[example.inner]]        # 35
k = 1
[[example.inner]]
k = 2
["example2"]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("quoted key",), 2),
        (("literal = # key",), 3),
        (("dotted",), 4),
        (("dotted", "key"), 4),
        (("dotted", "key", "c"), 4),
        (("numbers",), 5),
        (("numbers", 0), 5),
        (("numbers", 2), 6),
        (("numbers", 3), 7),
        (("numbers", 3, "a"), 7),
        (("numbers", 3, "b.b"), 7),
        (("numbers", 3, "b.b", 1), 8),
        (("date",), 9),
        (("rules",), 11),
        (("rules", "loads"), 12),
        (("rules", "glued"), 17),
        (("rules", "escaped"), 19),
        (("rules", "quotes"), 22),
        (("rules", "empty"), 23),
        (("rules", "a.b"), 24),
        (("rules", "a.b", "c"), 24),
        (("rules", "a.b", "c", "d"), 25),
        (("example",), 27),
        (("example", 0), 27),
        (("example", 0, "url"), 28),
        (("example", 0, "removes"), 29),
        (("example", 0, "removes", "cookies"), 30),
        (("example", 0, "removes", "cookies", 1), 31),
        (("example", 1), 32),
        (("example", 1, "url"), 33),
        (("example", 1, "inline", "deep", "er"), 34),
        (("example", 1, "inner", 0), 35),
        (("example", 1, "inner", 1, "k"), 38),
        (("example2",), 39),
    ],
)
def test_every_key_has_its_line(path: KeyPath, line: int):
    parse_toml(TEXT, FILE)
    assert line_of(TEXT, path) == line
    assert line_of(TEXT.replace("\n", "\r\n"), path) == line
    assert line_of("\ufeff" + TEXT, path) == line
    assert line_of(f"\n{TEXT}", path) == line + 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("rules", "loads"), 13),
        (("rules", "glued"), 17),
        (("rules", "escaped"), 20),
        (("rules", "quotes"), 22),
        (("rules", "empty"), 23),
        (("numbers",), 5),
        (("numbers", 2), 6),
        (("example", 0, "removes", "cookies", 1), 31),
        (("rules",), 11),
    ],
)
def test_a_value_has_the_line_of_its_first_content(path: KeyPath, line: int):
    assert first_line_of_value(TEXT, path) == line
    assert first_line_of_value(TEXT.replace("\n", "\r\n"), path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("rules", "nothing"), 11),
        (("rules", "loads", "deeper"), 12),
        (("example", 1, "page"), 32),
        (("example", 7), 27),
        (("nowhere", "at", "all"), 1),
        ((), 1),
    ],
)
def test_a_key_that_is_not_there_has_the_line_of_the_table_around_it(path: KeyPath, line: int):
    assert line_of(TEXT, path) == line
    assert first_line_of_value(TEXT, path) == line


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_line_of_a_literal_text_is_found_by_counting(newline: str):
    text = TEXT.replace("\n", newline)
    rules = parse_toml(text, FILE)["rules"]
    assert isinstance(rules, dict)
    for key in ("loads", "glued"):
        first = first_line_of_value(text, ("rules", key))
        for number, content in enumerate(rules[key].splitlines()):
            assert content in text.splitlines()[first - 1 + number]


def test_a_table_written_after_its_inner_table_has_its_own_line():
    assert line_of("[a.b]\nc = 1\n[a]\n", ("a",)) == 3
    assert line_of("a.b = 1\na.c = 2\n", ("a",)) == 1


def test_a_byte_order_mark_passes():
    assert parse_toml("\ufeffa = 1", FILE) == {"a": 1}


_KEYS = st.text(min_size=1, max_size=8).filter(lambda key: key.isprintable())
_LEAVES = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.text(max_size=12).filter(lambda text: text.isprintable()),
    st.sampled_from(["[x]", "a = 1", "# no", "'''", '"""', "\\", "two\nlines = 1\n"]),
)
_TABLES = st.recursive(
    st.dictionaries(_KEYS, st.one_of(_LEAVES, st.lists(_LEAVES, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(
        _KEYS, st.one_of(_LEAVES, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4
    ),
    max_leaves=12,
)


def _leaves(value: object, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [leaf for at, inner in enumerate(value) for leaf in _leaves(inner, (*path, at))]
    return [path]


@given(_TABLES)
def test_whatever_a_writer_writes_each_key_is_found_on_a_line_that_spells_it(table: dict):
    text = tomlkit.dumps(table)
    try:
        same = tomllib.loads(text) == table
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        return
    lines = text.replace("\r\n", "\n").split("\n")
    for path in _leaves(table):
        # Seen from the line on, the key's value is the first thing that this key is given.
        key = next(str(part) for part in reversed(path) if isinstance(part, str))
        line = lines[line_of(text, path) - 1]
        written = line.partition("=")[0] if "=" not in key else line
        assert key in written or repr(key)[1:-1] in line or "\\" in line


BROKEN = [
    ("a = 1\na = 2", 2, "a stands here a second time, first on line 1"),
    ("[t]\nx = 1\n\n[t]\ny = 1", 4, "t stands here a second time, first on line 1"),
    ("[t]\nx = 1\n[t.x]", 3, "t.x stands here a second time, first on line 2"),
    ('a = """x\n"""\nb = 2\na = """x\ny\n"""', 4, "a stands here a second time, first on line 1"),
    ('[o]\nt = 1\n"t" = 2', 3, "o.t stands here a second time, first on line 2"),
    ("a = { b = 1, b = 2 }", 1, "a.b stands here a second time"),
    ('[s."x.y"]\n[s."x.y"]', 2, 's."x.y" stands here a second time'),
    ("a.b = 1\n[a]", 2, "written in two ways at once"),
    ("x = []\n[[x]]", 2, "written in two ways at once"),
    ("a = 1\nb = block\n", 2, 'put words between quotes: key = "value"'),
    ("a = 1\nb = ", 2, "put words between quotes"),
    ("a = 1\nb\n", 2, 'write key = "value"'),
    ("# c\n\nopt out = 1", 3, 'write key = "value"'),
    ("\n\u00e4 = 1", 2, "invalid statement"),
    ("a = 1 b = 2", 1, "end the line after the value"),
    ("a = 1\n\nb = [1,\n2\n", 3, "unclosed array; close it with ]"),
    ("a = 1\nb = { c = 1\n}", 2, "close it with } on the same line"),
    ("\na = '''\n1\n2\n", 2, "close the string with the quotes that opened it"),
    ('\na = """\n1\n2\n', 2, "close it with the quotes that opened it"),
    ('a = "x\nb = 1', 1, "close the string with the quotes that opened it"),
    ("a = 'x\nb = 1", 1, "close the string with the quotes that opened it"),
    ("[opt_out", 1, "expected ']'"),
    ("\n\n[opt_out\na = 1", 3, "expected ']'"),
    ("a = 1\nb = 2026-02-30", 2, "invalid date"),
    ("a = 1\nb = 'x\x07'", 2, "invalid character"),
    ("a = 1\r\nb\r\n", 2, 'write key = "value"'),
    ("a = 1\nb = " + "9" * 5000, 2, "out of bounds"),
    ("a = " + "[" * 5000, None, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "line", "says"), BROKEN)
def test_what_is_no_toml_is_refused_on_one_line_with_its_place(text, line, says):
    with pytest.raises(InputError) as refused:
        parse_toml(text, FILE)
    assert refused.value.line == line
    assert says in str(refused.value)
    assert str(refused.value).isprintable()


@given(st.text(alphabet="ab=.,[]{}'\"#\n\\ 1\r", max_size=60))
def test_any_text_is_either_read_or_refused_with_a_line_it_has(text: str):
    try:
        places = [line_of(text, path) for path in _leaves(parse_toml(text, FILE))]
    except InputError as error:
        places = [error.line or 1]
    assert all(1 <= line <= text.count("\n") + 1 for line in places)


@pytest.mark.parametrize("depth", [10, 100, 300, 450])
def test_finding_a_line_survives_any_depth_that_can_be_read(depth: int):
    text = "a = " + "[" * depth + "]" * depth + "\nb = 1"
    parse_toml(text, FILE)
    assert line_of(text, ("b",)) == 2
    assert line_of(text, ("a", *[0] * (depth - 1))) == 1


@pytest.mark.parametrize(
    ("raw", "line", "says"),
    [
        (b"a = 1\nb = '\xff'\n", 2, "is not UTF-8 text; save it as UTF-8 text"),
        ("a = 1".encode("utf-16"), None, "is UTF-16 text; save it as UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None, "is not a text file"),
        (b"a = 1\n\0", None, "is not a text file"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, line: int | None, says: str):
    with pytest.raises(InputError) as refused:
        decode(raw, FILE)
    assert refused.value.line == line
    assert str(refused.value).endswith(says)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path):
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    cases = {
        tmp_path / "none.toml": "there is no such file",
        tmp_path: "is a folder",
        loop: f"cannot be read: {os.strerror(errno.ELOOP)}",
        tmp_path / "a\0b": "cannot be read",
    }
    for path, says in cases.items():
        with pytest.raises(InputError, match=says) as refused:
            read_text(path)
        assert refused.value.file == str(path)


def test_a_utf8_file_is_read_without_its_byte_order_mark(tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xef\xbb\xbfa = '\xc3\xa4'\r\n")
    assert read_text(file) == "a = 'ä'\r\n"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("opt_out", "crazy-egg"), "opt_out.crazy-egg"),
        (("sites", "shop.example", "gpc"), 'sites."shop.example".gpc'),
        (("waiver", 0, "tool"), "waiver[0].tool"),
        (("", 'a"\\\n'), '""."a\\"\\\\\\n"'),
    ],
)
def test_a_path_is_spelled_as_one_would_write_it(path: KeyPath, written: str):
    assert spell(path) == written


@given(st.text(max_size=10))
def test_a_quoted_key_reads_back_as_itself(key: str):
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    text = f"{quoted(key)} = 1".replace("\x7f", "\\u007f")
    assert tomllib.loads(text) == {key: 1}
