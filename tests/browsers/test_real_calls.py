"""Calls that real pages make to the tools, made in a real page whose tools are surrogates."""

from __future__ import annotations

import json

import pytest

from browsers import visit
from browsers.stand_ins import whose
from corpora import CORPORA, needs_corpora

GROUPS = ("ga", "gtag", "fbq", "FB", "twttr")

MAKE = """(calls => {
  const anything = new Proxy(function () {}, {
    get: (_, key) => (key === Symbol.toPrimitive ? () => "x" : anything),
    apply: () => anything,
  });
  const scope = new Proxy({}, {
    has: (_, key) => typeof key === "string" && !(key in window) && key !== "scope",
    get: (_, key) => (key === Symbol.unscopables ? undefined : anything),
  });
  const told = { made: 0, cut: 0, wrong: [] };
  for (const call of calls) {
    let made;
    try {
      made = new Function("scope", `with (scope) { ${call} }`);
    } catch {
      told.cut++;
      continue;
    }
    try { made(scope); told.made++; } catch (error) { told.wrong.push(`${call}: ${error}`); }
  }
  return told;
})"""
"""Whatever a call was given by its own page is something here too; calls whose end the excerpt has
cut off are counted, not made."""


@needs_corpora
@pytest.mark.parametrize("group", GROUPS)
def test_real_calls_to_a_surrogate_do_no_harm(blocked, group):
    browser, origin = blocked
    usage = json.loads((CORPORA / "surrogates" / "real_api_usage.json").read_text())
    calls = [row["call"] for row in usage[group]]
    browser.goto("https://www.mass.gov/how-to")
    visit.settle(browser, origin)
    browser.said.clear()
    origin.reached.clear()
    told = browser.evaluate(f"{MAKE}({json.dumps(calls)})")
    visit.settle(browser, origin)
    assert told["wrong"] == []
    assert told["made"] >= len(calls) / 2
    assert [one.text for one in browser.said if one.level == "error"] == []
    assert [one.url for one in origin.reached if whose(one)[0]] == []
