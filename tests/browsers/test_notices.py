"""What a visitor is shown in place of what was stopped, and the ways on from there."""

from __future__ import annotations

import time

import pytest

from browsers import stand_ins, visit
from browsers.net import internet, window
from browsers.stand_ins import PERSON, VARIANTS
from wire import Origin, Reply

GOV = "https://www.mass.gov/how-to"
ADVERTISEMENT = "https://www.googleadservices.com/pagead/aclk?sa=L&ai=abc"
"""The click on it counts the visitor and names no target to go to instead: the page is stopped."""


def _came(origin, host, *, dest, patience=8.0):
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        for one in origin.reached:
            if one.host == host and one.all("sec-fetch-dest") == [dest]:
                return one
        time.sleep(0.05)
    return None


def test_a_stopped_page_says_what_was_stopped(blocked):
    browser, origin = blocked
    origin.reached.clear()
    browser.goto(ADVERTISEMENT)
    text = browser.evaluate("document.body.innerText")
    assert "This page was stopped" in text
    assert "Google AdWords" in text
    assert "www.googleadservices.com, which was not contacted" in text
    visit.settle(browser, origin)
    assert [one.url for one in origin.reached if "googleads" in one.host] == []


def test_its_link_goes_on_as_the_browser_would(blocked):
    browser, origin = blocked
    browser.goto(ADVERTISEMENT)
    origin.reached.clear()
    browser.click("a.on")
    came = _came(origin, "www.googleadservices.com", dest="document")
    assert came is not None
    assert came.url == ADVERTISEMENT  # without the mark of the link
    browser.wait_for("document.body.innerText.includes('www.googleadservices.com')")


def test_a_page_of_another_site_cannot_go_on_for_the_visitor(blocked):
    browser, origin = blocked
    browser.goto("https://www.example-office.org/")
    forged = f"{ADVERTISEMENT}&optout-proxy=go-on"
    browser.evaluate(f"(document.body.innerHTML = '<a id=forged href=\"{forged}\">Offers</a>', 1)")
    origin.reached.clear()
    browser.click("#forged")
    browser.wait_for("document.body && document.body.innerText.includes('This page was stopped')")
    assert [one.url for one in origin.reached if "googleads" in one.host] == []


@pytest.mark.parametrize(
    ("frame", "host", "left", "down"),
    [
        ("#like", "www.facebook.com", 0, 0),
        ("#prototype", "projects.invisionapp.com", 90, 40),
        ("#tweet", "platform.twitter.com", 90, 44),
    ],
)
def test_the_notice_of_a_widget_leads_to_it(blocked, frame, host, left, down):
    browser, origin = blocked
    browser.goto(GOV)
    visit.settle(browser, origin)
    origin.reached.clear()
    x, y = browser.where(frame)
    browser.click_at(x - left, y + down)  # from the middle of the frame to its link
    came = _came(origin, host, dest="document")
    assert came is not None, "the link leads nowhere"
    assert PERSON in str(came.headers), "a visit, made on purpose, goes as it is"


def test_a_widget_is_loaded_once_without_identity_and_stopped_again(blocked):
    browser, origin = blocked
    browser.goto(GOV)
    visit.settle(browser, origin)
    origin.reached.clear()
    x, y = browser.where("#tweet")
    browser.click_at(x - 90, y + 62)
    came = _came(origin, "platform.twitter.com", dest="iframe")
    assert came is not None, "nothing is loaded"
    visit.settle(browser, origin)
    theirs = [one for one in origin.reached if "twitter.com" in one.host]
    assert len(theirs) > 1, "what it asks for itself is stopped"
    assert not any("optout-proxy" in one.target for one in theirs)
    assert not any(PERSON in f"{one.target}{one.headers}" for one in theirs)
    origin.reached.clear()
    browser.goto(GOV)
    visit.settle(browser, origin)
    assert [one.url for one in origin.reached if "twitter.com" in one.host] == []


def test_the_page_cannot_load_a_widget_for_the_visitor(blocked):
    browser, origin = blocked
    browser.goto(GOV)
    visit.settle(browser, origin)
    origin.reached.clear()
    browser.evaluate(
        "(document.querySelector('#tweet').src += '&optout-proxy=go-on',"
        " document.querySelector('#like').contentWindow.location ="
        " document.querySelector('#like').src + '&optout-proxy=go-on', 1)"
    )
    visit.settle(browser, origin)
    hosts = {"platform.twitter.com", "www.facebook.com"}
    assert [one.url for one in origin.reached if one.host in hosts] == []


@pytest.mark.parametrize("variant", ["hash", "meta"])
def test_a_policy_by_hashes_reports_nothing_and_the_page_works(blocked, variant):
    browser, origin = blocked
    browser.said.clear()
    browser.goto(f"https://{VARIANTS[variant]}/how-to")
    visit.settle(browser, origin)
    assert [one.text for one in browser.said if one.level == "error"] == []
    assert browser.evaluate("window.cspReports") == []
    assert browser.evaluate("window.hiddenFor") < 1500
    assert not any(one.target == "/csp-report" for one in origin.reached)
    browser.click("#out")
    browser.wait_for("location.host === 'www.example-office.org'")


def test_control_a_page_whose_experiment_is_only_blocked_stays_hidden(family, tmp_path):
    """What a blocker without stand-ins does: the page waits for its own timer."""

    def reply(asked):
        if asked.host == "www.google-analytics.com":
            return Reply(200, (("Content-Type", "text/javascript"),), b"")
        return stand_ins.reply(asked)

    origin = Origin(stand_ins.HOSTS, reply)
    with internet(origin, tmp_path, "allow") as door, window(family, door) as browser:
        browser.goto(GOV)
        assert browser.wait_for("window.hiddenFor") >= 1900
