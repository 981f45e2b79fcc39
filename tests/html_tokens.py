"""A tokenizer of HTML, letter by letter after the text of section 13.2.5: slow, and plain.

Tests hold the scanner to it, which reads by expressions. It knows no foreign content.
"""

from __future__ import annotations

SPACE = "\t\n\f\r "
RAW = {"style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"}


class Tokens:
    """The start tags of a text, as `(start, end)` of each that is complete."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tags: list[tuple[int, int]] = []
        self.attributes: list[list[tuple[str, str]]] = []
        state = self.data
        while state is not None:
            state = state()

    def next(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        return letter

    # --- 13.2.5.1

    def data(self):
        while (letter := self.next()) != "<":
            if not letter:
                return None
        self.start = self.at - 1
        letter = self.next()
        if letter == "!":
            return self.markup_declaration
        if letter == "/":
            return self.end_tag_open
        if letter.isascii() and letter.isalpha():
            return self.tag(is_end=False)
        self.at -= 1
        return self.bogus_comment if letter == "?" else self.data

    def end_tag_open(self):
        letter = self.next()
        if letter.isascii() and letter.isalpha():
            return self.tag(is_end=True)
        if letter == ">":
            return self.data
        self.at -= 1
        return self.bogus_comment if letter else None

    def bogus_comment(self):
        while letter := self.next():
            if letter == ">":
                return self.data
        return None

    # --- 13.2.5.42 to 13.2.5.52

    def markup_declaration(self):
        if self.text.startswith("--", self.at):
            self.at += 2
            return self.comment_start
        return self.bogus_comment  # a doctype, too, ends at the first >

    def comment_start(self):
        letter = self.next()
        if letter == "-":
            letter = self.next()
            if letter == "-":
                return self.comment_end
            if letter == ">":
                return self.data
            self.at -= 1
            return self.comment if letter else None
        if letter == ">":
            return self.data
        self.at -= 1
        return self.comment if letter else None

    def comment(self):
        while letter := self.next():
            if letter == "-":
                return self.comment_end_dash
        return None

    def comment_end_dash(self):
        letter = self.next()
        if letter == "-":
            return self.comment_end
        self.at -= 1
        return self.comment if letter else None

    def comment_end(self):
        letter = self.next()
        if letter == ">":
            return self.data
        if letter == "!":
            return self.comment_end_bang
        if letter == "-":
            return self.comment_end
        self.at -= 1
        return self.comment if letter else None

    def comment_end_bang(self):
        letter = self.next()
        if letter == "-":
            return self.comment_end_dash
        if letter == ">":
            return self.data
        self.at -= 1
        return self.comment if letter else None

    # --- 13.2.5.8 and 13.2.5.32 to 13.2.5.40

    def tag(self, *, is_end: bool):
        self.at -= 1
        name = ""
        while (letter := self.next()) and letter not in SPACE + "/>":
            name += letter
        attributes: list[tuple[str, str]] = []
        if letter != ">":
            self.at -= 1
            if not letter or not self.read_attributes(attributes):
                return None
        return self.emit(name.lower(), attributes, is_end)

    def read_attributes(self, attributes: list[tuple[str, str]]) -> bool:
        """Read up to and with `>`; whether there was one."""
        while True:
            while (letter := self.next()) and letter in SPACE + "/":
                pass
            if letter in {"", ">"}:
                return bool(letter)
            name = letter
            while (letter := self.next()) and letter not in SPACE + "/>=":
                name += letter
            while letter and letter in SPACE:
                letter = self.next()
            value = ""
            if letter == "=":
                value = self.read_value()
                if value is None:
                    return False
            elif letter:
                self.at -= 1
            else:
                return False
            attributes.append((name.lower(), value))

    def read_value(self) -> str | None:
        while (letter := self.next()) and letter in SPACE:
            pass
        if letter in {'"', "'"}:
            end = self.text.find(letter, self.at)
            value = self.text[self.at : end]
            self.at = end + 1
            return value if end >= 0 else None
        value = ""
        while letter and letter not in SPACE + ">":
            value += letter
            letter = self.next()
        self.at -= 1
        return value if letter else None

    def emit(self, name: str, attributes: list[tuple[str, str]], is_end: bool):
        if is_end:
            return self.data
        self.tags.append((self.start, self.at))
        self.attributes.append(attributes)
        if name == "plaintext":
            return None
        if name == "script":
            return self.script_data
        if name in RAW:
            return lambda: self.raw_text(name)
        return self.data

    # --- 13.2.5.9 to 13.2.5.14

    def ends(self, name: str) -> bool:
        """Whether `</name` and what ends a name stands at the place before this one."""
        here = self.text[self.at - 1 :]
        after = here[len(name) + 2 : len(name) + 3]
        return (
            here[: len(name) + 2].lower() == f"</{name}" and bool(after) and after in SPACE + "/>"
        )

    def raw_text(self, name: str):
        while letter := self.next():
            if letter == "<" and self.ends(name):
                self.at -= 1
                return self.data
        return None

    # --- 13.2.5.15 to 13.2.5.31

    def script_data(self):
        while letter := self.next():
            if letter != "<":
                continue
            if self.ends("script"):
                self.at -= 1
                return self.data
            if self.text.startswith("!--", self.at):
                self.at += 3
                return self.escaped_dash_dash
        return None

    def escaped_dash_dash(self):
        """Script data escaped dash dash state."""
        letter = self.next()
        if letter == ">":
            return self.script_data
        self.at -= 1
        return (self.escaped_dash_dash_again if letter == "-" else self.escaped) if letter else None

    def escaped_dash_dash_again(self):
        self.at += 1
        return self.escaped_dash_dash

    def escaped(self):
        while letter := self.next():
            if letter == "-" and self.text.startswith("-", self.at):
                self.at += 1
                return self.escaped_dash_dash
            if letter == "<":
                if self.ends("script"):
                    self.at -= 1
                    return self.data
                if self.opens_script():
                    return self.double_escaped
        return None

    def opens_script(self) -> bool:
        here = self.text[self.at :]
        after = here[6:7]
        if here[:6].lower() == "script" and after and after in SPACE + "/>":
            self.at += 7
            return True
        return False

    def double_escaped(self):
        while letter := self.next():
            if letter == "-" and self.text.startswith("-", self.at):
                self.at += 1
                while self.text.startswith("-", self.at):
                    self.at += 1
                if self.text.startswith(">", self.at):
                    self.at += 1
                    return self.script_data
            if letter == "<" and self.ends("script"):
                self.at += 8
                return self.escaped
        return None
