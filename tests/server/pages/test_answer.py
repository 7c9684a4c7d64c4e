import math

import pytest

from threefold.server.pages.answer import as_json

ADDRESSES = ["/", "/runs", "/runs/0", "/compare", "/models", "/data", "/lineage", "/audit", "/search?q=x"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_page_may_ask_anything_of_another_place(pages, address):
    policy = pages.ask(address).headers["content-security-policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy


def test_what_does_not_exist_is_refused_in_three_parts_to_people_and_programs(pages):
    said = pages.ask("/runs/ffff", headers={"accept": "application/json"})
    assert said.status_code == 404
    assert set(said.json()["error"]) == {"what", "where", "do"}
    shown = pages.ask("/runs/ffff")
    assert shown.status_code == 404 and "There is no run" in shown.text


def test_an_unchanged_page_is_not_sent_again(pages, log):
    log("one")
    first = pages.ask("/runs")
    again = pages.ask("/runs", headers={"accept": "text/html", "if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_a_file_beside_the_pages_is_kept_for_good_by_its_content(pages):
    page = pages.html("/")
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in pages.ask(address).headers["cache-control"]
    assert pages.ask("/static/x/..%2f..%2fanswer.py").status_code == 404


def test_the_first_page_with_all_it_loads_stays_below_150_kb(pages, log):
    for number in range(50):
        log(f"run {number}", {"loss": 0.1, "accuracy": 0.9}, {"depth": number})
    first = pages.ask("/runs", headers={"accept": "text/html", "accept-encoding": "gzip"})
    size = int(first.headers["content-length"])
    for address in set(__import__("re").findall(r'(?:href|src)="(/static/[^"]+)"', first.text)):
        size += int(pages.ask(address, headers={"accept-encoding": "gzip"}).headers["content-length"])
    assert size < 150_000


def test_numbers_that_json_has_no_word_for_are_named():
    assert as_json({"a": math.nan, "b": [math.inf, -math.inf]}) == b'{"a":"NaN","b":["Infinity","-Infinity"]}'


def test_the_theme_that_was_chosen_is_drawn_from_the_start(pages):
    assert 'data-theme="dark"' in pages.ask("/", headers={"accept": "text/html", "cookie": "theme=dark"}).text
    assert "data-theme=" not in pages.ask("/", headers={"accept": "text/html", "cookie": 'theme="><x'}).text


def test_an_address_that_no_page_has_leads_back(pages):
    answer = pages.ask("/nothing/here")
    assert answer.status_code == 404 and 'href="/"' in answer.text
