"""What tests about pages share: the scripts as shipped, a plan with everything, odd documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optout_proxy import shipped
from optout_proxy.pages import Flag, Page, PagePlan, Rewriter, load_prelude

if TYPE_CHECKING:
    from optout_proxy.pages import Written

PRELUDE = load_prelude(shipped.folder() / "blocklists")
URL = "https://www.mass.gov/orgs/a?b=c"
FULL = PagePlan(
    gpc=True,
    flags=(Flag("_gaUserPrefs", "{ioo: () => true}"), Flag("ga-disable-*", "true")),
    cookies=("_ga", "_ga_*", r"/^cebsp?_?$/"),
    storage=("massgovDeviceId", "lastExternal*"),
    markup=(
        '<meta name="twitter:dnt" content="on">',
        '<blockquote class="twitter-tweet" data-dnt="true">',
    ),
    integrity=True,
)
NO_EFFECT = PagePlan(flags=(Flag("never-*", "true"),), integrity=True)
"""A plan under which everything is looked at and, in documents without ids, nothing changes."""


def written(plan: PagePlan = FULL) -> Written:
    return PRELUDE.write(plan)


def rewriter(plan: PagePlan = FULL, **page: object) -> Rewriter:
    page.setdefault("own_nonce", "OWN")
    page.setdefault("replaced", lambda url, type_: False)
    return Rewriter(written(plan), Page(URL, **page))  # type: ignore[arg-type]


def rewrite(body: bytes, plan: PagePlan = FULL, *, size: int = 10**9, **page: object) -> bytes:
    one = rewriter(plan, **page)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(map(one.feed, pieces)) + one.end()


def short(document: bytes, plan: PagePlan = FULL) -> bytes:
    """A rewritten document with `{prelude}` for the script, so that it can be read."""
    return document.replace(written(plan).prelude, b"{prelude}")


HTML = {
    "empty": b"",
    "blank": b" \n\n",
    "minimal": b"<!DOCTYPE html><title>x</title><p>y",
    "no head": b"<!doctype html>\n<html lang=en>\n<body class='a > b'><p>x</body></html>\n",
    "no html": b"<p>x<script>a()</script>",
    "text first": b"hello <b>world</b>",
    "text only": b"hello world",
    "byte order mark": b"\xef\xbb\xbf<!DOCTYPE html><html><head></head><body></body></html>",
    "comments first": b"<!-- a --><!--[if IE]><html><![endif]--><!DOCTYPE html><!-- b --><html>",
    "frameset": b"<html><head><title>f</title></head><frameset><frame src=a></frameset></html>",
    "quirks": b"<html><head><meta charset=shift_jis></head><body>\x83\x5c\x82\xa0</body></html>",
    "gb18030": b"<p title='\x81\x30\x81\x30'>\x84\x31\xa4\x37</p>",
    "big5": "<a title='功許蓋'>許</a>".encode("big5"),
    "windows-1251": "<p>Привет</p><!-- мир -->".encode("cp1251"),
    "no encoding at all": b"<p>\xff\xfe\x80\x00</p>",
    "nul": b"<html>\x00<p\x00 a\x00='\x00'>\x00</p>",
    "carriage returns": b"<!DOCTYPE html>\r\n<html>\r<head\r\n>\r\n</head>\r",
    "script": b"<script>if (a<b && c>d) document.write('<script><\\/script>')</script>",
    "escaped script": b"<script><!--\ndocument.write('<script>x</script>');\n--></script><p>",
    "templates": b"<template><script src=a integrity=b></script></template><select><p></select>",
    "foreign": b"<svg viewBox='0 0 1 1'><title>t</title><style>a{}</style><path/></svg>"
    b"<math><mi>x</mi><annotation-xml><svg></svg></annotation-xml></math>",
    "broken": b"<p <a href='x'' y=\"z\"\"><b/></ p></><!><!-><?php ?><![CDATA[x]]><",
    "cut comment": b"<!-- never closed <p>",
    "cut tag": b"<html><body class='never closed >",
    "duplicate attributes": b"<a href=1 href=2 class=x CLASS=y>",
    "plaintext": b"<p><plaintext><script>",
    "uppercase": b"<HTML><HEAD><TITLE>A</TITLE></HEAD><BODY BGCOLOR=#FFF></BODY></HTML>",
    "textarea": b"<textarea></script><!--</textarea>--><p>",
    "noscript": b"<head><noscript><style>a{}</style></noscript></head><noscript><img></noscript>",
    "base": b"<head><base href=//cdn.example/><link rel=stylesheet href=a integrity=x></head>",
    "xml declaration": b"<?xml version='1.0' encoding='iso-8859-1'?><!DOCTYPE html><html>\xe9",
    "nested tables": b"<table><tr><td><form><table><script>x</script></table></form></table>",
    "late charset": b"<head><script>x</script><meta charset=windows-1252></head>\x80",
    "policy": b"<head><meta http-equiv=content-security-policy content=\"img-src 'self'\"><p>",
}
XHTML = {
    "xhtml": b'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml">'
    b"<head><title>x</title><script>//<![CDATA[\nif (a<b) {}\n//]]></script></head>"
    b"<body><p>x</p></body></html>",
    "xhtml without head": b'<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
    "prefixed": b'<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>t</h:title>'
    b"</h:head><h:body><h:p/></h:body></h:html>",
    "declarations": b"<!DOCTYPE html [<!ENTITY a '<b>'>]><html xmlns='http://www.w3.org/1999/xhtml'>"
    b"<head/><body>&a;</body></html>",
}
LEFT_ALONE = {
    "utf-16 with its mark": "\ufeff<!DOCTYPE html><p>x".encode("utf-16-le"),
    "utf-16 without": "<!DOCTYPE html><p>x".encode("utf-16-be"),
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR<p>",
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj\n" * 200 + b"<p>",
    "JSON": b'{"html": "<p>x</p>"}',
    "a JSON list": b' ["<p>"]',
    "text": b"just words, " * 200 + b"<p>",
}
