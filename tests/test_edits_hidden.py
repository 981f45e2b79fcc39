"""Parameters inside carried addresses and in paths: cut byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import PAGE, ask, engine
from optout_proxy.edits.hidden import cut_carried, cut_path_params


def cuts(name: str, text: str) -> bool:
    return name in {"id", "a[b]"} or text.startswith("x=1")


@pytest.mark.parametrize(
    ("url", "cut"),
    [
        ("https://h/?dl=https%3A%2F%2Fp%2F%3Fid%3D1%26b%3D2", "https://h/?dl=https%3A%2F%2Fp%2F%3Fb%3D2"),
        ("https://h/?dl=https%3a%2f%2fp%2f%3fb%3d2%26id%3d1", "https://h/?dl=https%3a%2f%2fp%2f%3fb%3d2"),
        ("https://h/?dl=https://p/?id=1&b=2", "https://h/?dl=https://p/&b=2"),
        ("https://h/?dl=%3Fid%3D1%23top", "https://h/?dl=%23top"),
        ("https://h/?dl=%3Fid%3D1%26id%3D2", "https://h/?dl="),
        ("https://h/?dl=%3Fc%26id%26d%3D+", "https://h/?dl=%3Fc%26d%3D+"),
        ("https://h/?dl=%3F%69d%3D1%26b", "https://h/?dl=%3Fb"),
        ("https://h/?dl=%3Fa%255Bb%255D%3D1%26b", "https://h/?dl=%3Fb"),
        ("https://h/?dl=%3Fx%3D1%2540%26x%3D2", "https://h/?dl=%3Fx%3D2"),
        ("https://h/?id=1&dl=%3Fb%3D1", "https://h/?id=1&dl=%3Fb%3D1"),
        ("https://h/?dl=%3Fb%3Did%26#?id=1", "https://h/?dl=%3Fb%3Did%26#?id=1"),
        ("https://h/?dl=%253Fid%253D1", "https://h/?dl=%253Fid%253D1"),
        ("https://h/?", "https://h/?"),
        ("https://h/", "https://h/"),
    ],
)  # fmt: skip
def test_parameters_of_a_carried_address_are_cut(url: str, cut: str) -> None:
    assert cut_carried(url, cuts) == cut


@pytest.mark.parametrize(
    ("url", "cut"),
    [
        ("https://h/activity;src=1;id=2;ord=3?", "https://h/activity;src=1;ord=3?"),
        ("https://h/activity;id=2", "https://h/activity"),
        ("https://h/p;id=%3B;;b?id=1;id=2#;id=3", "https://h/p;;b?id=1;id=2#;id=3"),
        ("https://h/p;id;b=id=1", "https://h/p;id;b=id=1"),
        ("https://h/p#;id=1", "https://h/p#;id=1"),
    ],
)
def test_parameters_of_a_path_are_cut(url: str, cut: str) -> None:
    assert cut_path_params(url, cuts) == cut


@given(st.text(alphabet="ab=&?#%23F6D;/+", max_size=40))
def test_what_is_not_named_stays_byte_for_byte(text: str) -> None:
    url = f"https://h/{text}"
    assert cut_carried(url, lambda _name, _text: False) == url
    assert cut_path_params(url, lambda _name, _text: False) == url


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("uid=1234567890.1&cd1=1234567890.1", ""),
        ("uid=1234567890.1&cd1=id%3A1234567890.1&cd2=1234567890", "?cd2=1234567890"),
        ("uid=12%334567890.1&cd1=1234567890%2E1", ""),
        ("uid=1234567&cd1=1234567", "?cd1=1234567"),
        ("uid=1716206406&t=1716206406123", "?t=1716206406123"),
        ("uid=undefined&cd1=undefined", "?cd1=undefined"),
        ("cd1=1234567890.1", "?cd1=1234567890.1"),
    ],
)
def test_a_copy_of_an_identifier_goes_with_it(asked: str, sent: str) -> None:
    one = engine("strip")
    url = "https://spy.example/hit"
    decision = one.decide(ask(one, f"{url}?{asked}", type="image", page=PAGE))
    assert (decision.send.url if decision.send else f"{url}?{asked}") == f"{url}{sent}"
