from threefold.serving.named import _missing, _parts


def test_a_long_list_of_missing_names_is_counted_to_its_end():
    assert _missing(["a"]) == "a is missing"
    assert _missing([f"f{number:02}" for number in range(14)]).endswith("f09 and 4 more are missing")


def test_how_the_parts_of_a_time_count_is_said_where_one_is_missing():
    assert "weekday 1 (Monday) to 7 (Sunday)" in _parts({"sent_weekday", "a"})
    assert _parts({"a"}) == ""
