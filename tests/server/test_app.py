"""The skeleton: routes are found, refusals have one shape."""


def test_the_server_says_that_it_is_well(door):
    assert door.ask("GET", "/health").text == "OK"
    assert door.ask("GET", "/version").status_code == 200
    assert door.ask("GET", "/api/3.0/mlflow/server-info").json()["store_type"] == "SqlStore"


def test_an_unknown_route_is_refused_with_three_parts(door):
    code, message = door.refused("GET", "no/such/route")
    assert code == "ENDPOINT_NOT_FOUND"
    assert "docs/tracking.md" in message


def test_a_page_is_sent_to_people(door):
    answer = door.ask("GET", "/")
    assert answer.headers["content-type"].startswith("text/html")
