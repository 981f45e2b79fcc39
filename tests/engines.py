"""Small engines for tests: two invented tools whose rules are easy to hold in the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optout_proxy.engine import Choices, Engine
from optout_proxy.registry.tool_file import ToolFile, parse_tool_file
from optout_proxy.resources import Resources, parse_resource

if TYPE_CHECKING:
    from optout_proxy.model import Headers, Level, Request

SPY = '''
name = "Spy"
operator = "Spy Inc."
operator_sites = ["spy.example", "spycdn.example"]
category = "analytics"
recommended = "block"
why = "It is a spy."
reviewed = 2026-11-24
sources = ["https://spy.example/"]

[rules]
loads = """
||spycdn.example/spy.js$third-party,redirect=spy.js
||spycdn.example/frame.html$third-party
"""
collects = """
||spy.example/hit^$third-party
||spy.example/full^$document
||spy.example/click^$document,urlskip=?to
/\\\\?(?=(?:[^#]*&)?v=2(?![^&#]))(?=(?:[^#]*&)?sid=S-)/
"""
telemetry = """
||spy.example/ping^$third-party
||spy.example/status^$third-party,redirect=inactive.json
"""
widgets = """
||spy.example/widget^$third-party,redirect=widget.html
"""
visits = """
||spy.example/study^
"""
permits = """
@@||spy.example/opt-out^
@@||api.spy.example/choice^
"""
identity = """
$cookie=_spy
$cookie=/^_spy_.*/
$removeparam=spyid,document
||spy.example^$cookie=who
@@||spy.example^$cookie=consent
||spy.example/hit^$removeparam=uid,~document
$removeheader=x-spy
$removeheader=request:x-spy-me
"""

[[body]]
role = "collects"
where = "*$method=post"
fields = { v = "2", sid = "S-*" }

[[body]]
where = "||forms.example/submit^$method=post"
blank = ["device"]

[page]
prefix = { script = "before.js", where = "||spycdn.example/spy.js" }
flags = [{ name = "spyOff", value = "true" }, { name = "spy-off-*", value = "true" }]
storage = ["spyKey", "spy.*"]
markup = ['<meta name="spy" content="off">']

[express]
exists = true
says = "A cookie and a parameter say no."
effect = "suppress"
cookies = [{ host = "spy.example", name = "no", value = "1", replaces = ["track"] }]
page_cookies = [{ name = "SPY_OFF", value = "1" }]
params = [{ where = "||spy.example/widget^$third-party", name = "dnt", value = "true" }]
'''

GLANCE = '''
name = "Glance"
operator = "Glance"
operator_sites = ["glance.example"]
category = "advertising"
recommended = "strip"
why = "It only glances."
reviewed = 2026-11-24
sources = ["https://glance.example/"]

[rules]
collects = """
||spy.example/hit?for=glance$third-party
||glance.example/see^$third-party
"""

[express]
exists = false
says = "It offers none."
'''

RESOURCES = Resources(
    {
        name: parse_resource(name, body)
        for name, body in {
            "before.js": b"/* denied */",
            "spy.js": b"window.spy = () => {};",
            "inactive.json": b'{"active": false}',
            "widget.html": b"<title>{{tool}}</title>{{why}}<a href='{{link}}'>{{host}}</a>",
            "blocked-document.html": b"<title>{{tool}}</title>{{why}} {{link}} {{host}}",
        }.items()
    }
)


def tool_files() -> list[ToolFile]:
    return [
        parse_tool_file(SPY, "spy", "blocklists/spy.toml"),
        parse_tool_file(GLANCE, "glance", "blocklists/glance.toml"),
    ]


def engine(level: Level | None = None, **choices: object) -> Engine:
    """An engine with both tools at one level, on pages of the policy's site gov.example."""
    facts: dict[str, object] = {"policy_sites": frozenset({"gov.example"}), **choices}
    if level is not None:
        facts.setdefault("levels", {"spy": level, "glance": level})
    return Engine([file.tool for file in tool_files()], Choices(**facts), RESOURCES)  # type: ignore[arg-type]


PAGE = "https://www.gov.example/page"


def headers(**lines: str) -> Headers:
    """Header lines from keyword arguments: `sec_fetch_dest="image"`."""
    return tuple((name.replace("_", "-").encode(), text.encode()) for name, text in lines.items())


def ask(one: Engine, url: str, **facts: object) -> Request:
    facts.setdefault("page", PAGE)
    return one.name(url, **facts)  # type: ignore[arg-type]
