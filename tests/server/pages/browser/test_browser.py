"""What only a browser can tell: scripts, keys, sizes, colours."""

from pathlib import Path

import pytest
from sqlalchemy import insert, update

from threefold.registry import versions
from threefold.store.schema import files, model_versions, models, runs

pytestmark = pytest.mark.browser

RULES = (Path(__file__).parent / "rules.js").read_text(encoding="utf-8")
LINEAGE = {"snapshots": {"orders": "d" * 64}, "training_set": "", "test_set": "", "code": {}, "environment": "",
           "run_id": "", "candidate": "", "as_of": None, "canvas": "", "seed": 0}  # fmt: skip
PATHS = ["/", "/runs", "/runs/{run}", "/compare?run={run}&run={other}", "/models", "/models/churn", "/models/churn/1",
         "/data", "/lineage", "/audit", "/search?q=run"]  # fmt: skip


@pytest.fixture
def filled(store, log):
    """A store with something on every page; gives two runs."""
    made = [
        log(
            f"run {n}",
            {"loss": [3 / (step + 1) + n for step in range(40)], "auc": 0.5 + n / 10},
            {"depth": n},
            {"a": "b"},
        )
        for n in range(3)
    ]
    with store.write() as tx:
        tx.execute(insert(models).values(name="churn", created_ms=0, updated_ms=0, last_number=1))
        tx.execute(insert(model_versions).values(
            name="churn", number=1, run_id=made[0], bundle="", status="candidate", stage="None", metrics={"auc": 0.8},
            lineage=LINEAGE, source="", user="", created_at=tx.now, updated_at=tx.now,
        ))  # fmt: skip
        versions.move_alias(tx, "churn", "champion", 1)
    return {"run": made[0], "other": made[1]}


def keep(store, run, path, data):
    """Give a run a file."""
    with store.write() as tx:
        row = {"digest": store.objects.put(data), "size_bytes": len(data), "changed_ms": 0}
        tx.execute(insert(files).values(path=f"0/{run}/artifacts/{path}", **row))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_keeps_the_rules_of_accessibility_and_asks_nobody_else(visit, filled, theme):
    window = visit(theme=theme)
    for path in PATHS:
        page = window.go(path.format(**filled))
        assert page.evaluate(RULES) == [], path


def test_no_page_is_wider_than_a_phone(visit, filled, log):
    log("n" * 250, {"m" * 250: 1.0}, {"p" * 250: "v" * 3_000})
    window = visit(390, has_touch=True)
    for path in [*PATHS, f"/runs/{4:032x}"]:
        page = window.go(path.format(**filled))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_curves_are_drawn_smoothed_and_told_in_words(visit, filled):
    page = visit().go(f"/runs/{filled['run']}")
    chart = page.locator("[data-metric=loss] .plot")
    chart.locator("canvas").wait_for()
    assert "lowest 0.075, highest 3" in chart.get_attribute("aria-label")
    painted = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v)"
    assert chart.locator("canvas").evaluate(painted)
    page.get_by_label("Smooth").fill("0.9")
    page.wait_for_function("!document.querySelector('[data-metric=loss] .plot').ariaLabel.includes('lowest 0.075')")
    page.get_by_label("log scale").check()
    page.get_by_label("log steps").check()
    chart.locator("canvas").wait_for()


def test_a_curve_with_nothing_above_zero_comes_back_when_the_log_scale_is_left(visit, log):
    run = log("below", {"loss": [-1.0, -2.0, -3.0]})
    page = visit().go(f"/runs/{run}")
    page.locator("canvas").wait_for()
    page.get_by_label("log scale").check()
    page.get_by_text("nothing above zero to draw").wait_for()
    page.get_by_label("log scale").uncheck()
    page.locator("canvas").wait_for()


def test_runs_are_chosen_and_compared_with_the_keyboard_alone(visit, filled):
    page = visit().go("/runs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for name in ("Choose run 2", "Choose run 1"):
        page.get_by_label(name).focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Compare chosen").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Compare 2 runs").wait_for()
    assert page.locator(".parallel .line").count() == 2


def test_a_slash_leads_to_the_search_and_a_column_is_sorted_by_its_link(visit, filled):
    page = visit().go("/runs?col=metrics.auc")
    page.get_by_role("link", name="auc").click()
    page.wait_for_url("**sort=-metrics.auc**")
    assert page.locator("tbody th").all_inner_texts() == ["run 2", "run 1", "run 0"]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("auc")
    page.keyboard.press("/")
    page.keyboard.type("run 1")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Found for “run 1”").wait_for()


def test_a_new_run_appears_by_itself_is_told_and_the_choice_stays(visit, filled, log):
    page = visit().go("/runs")
    page.get_by_label("Choose run 1").check()
    log("just begun", status="running")
    page.get_by_role("link", name="just begun").wait_for()
    page.get_by_role("status").get_by_text("4 runs").wait_for(state="attached")
    assert page.get_by_label("Choose run 1").is_checked()


def test_a_run_that_goes_on_is_followed_to_its_end(visit, store, log):
    run = log("going", {"loss": [2.0, 1.0]}, status="running", ended_at=None)
    page = visit().go(f"/runs/{run}")
    page.get_by_text("still running").wait_for()
    keep(store, run, "console.txt", b"epoch 1")
    page.get_by_label("Console output").get_by_text("epoch 1").wait_for()
    with store.write() as tx:
        tx.execute(update(runs).where(runs.c.id == run).values(status="done", ended_at=tx.now))
    page.locator("#live .state.good").wait_for()


def test_a_link_that_an_mlflow_client_prints_leads_to_the_page_and_to_no_other_site(visit, filled):
    window = visit()
    page = window.go(f"/#/experiments/0/runs/{filled['run']}")
    page.get_by_role("heading", name="run 0").wait_for()
    page = window.go("/#/models/churn/versions/1")
    page.get_by_role("heading", name="Version 1").wait_for()
    page = window.go("/audit#//example.com/")
    page.get_by_role("heading", name="Audit").wait_for()
    assert page.url.endswith("/audit#//example.com/")


def test_a_version_is_approved_with_the_keyboard_alone_and_the_page_says_so_once(visit, filled, store):
    page = visit().go("/models/churn/1")
    page.locator("summary", has_text="Approve").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.name === 'by'")
    page.keyboard.press("Tab")
    page.keyboard.type("its gates hold")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("The version is approved.").wait_for()
    assert page.url.endswith("/models/churn/1")
    page.reload()
    page.get_by_role("heading", name="Version 1").wait_for()
    assert page.get_by_text("The version is approved.").count() == 0
    assert versions.get(store, "churn", 1).status == "approved"


def test_what_is_dangerous_asks_twice_and_its_form_keeps_the_rules_of_accessibility(visit, filled, log):
    run = log("old")
    for theme in ("light", "dark"):
        page = visit(390, theme=theme).go(f"/runs/{run}")
        page.locator("summary", has_text="Delete").click()
        page.get_by_label("Why").fill("a trial")
        page.get_by_role("button", name="Delete the run").click()  # the browser asks for the box first
        assert page.evaluate(RULES) == []
    assert page.url.endswith(run)
    page.get_by_label("Delete it from every list").check()
    page.get_by_role("button", name="Delete the run").click()
    page.get_by_text("It is deleted, and can be restored.").wait_for()
    page.keyboard.press("Escape")
    page.locator("summary", has_text="Restore").click()
    page.get_by_label("Why").fill("needed after all")
    page.get_by_role("button", name="Restore the run").click()
    page.get_by_text("It is back.").wait_for()


def test_a_refusal_keeps_the_rules_of_accessibility_and_leads_back(visit, filled):
    for theme in ("light", "dark"):
        window = visit(theme=theme)
        page = window.go("/models/churn/1")
        page.locator("summary", has_text="Set alias").click()
        form = page.locator("details[open] form")
        form.get_by_label("Alias").fill("latest")
        form.get_by_label("Why").fill("so")
        form.get_by_role("button").click()
        page.get_by_text("nothing was changed").wait_for()
        assert page.evaluate(RULES) == []
        page.get_by_role("link", name="Back").click()
        page.get_by_role("heading", name="Version 1").wait_for()
        window.wrong = [said for said in window.wrong if "403" not in said]  # the browser tells of it itself


def test_a_page_among_the_files_is_shown_and_neither_runs_nor_asks_anybody(visit, store, log):
    run = log("with a page")
    bad = b"<h1>Report</h1><img src='http://example.com/spy.png'><script>parent.document.title = 'taken'</script>"
    keep(store, run, "report.html", bad)
    window, stopped = visit(), {}
    window.page.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
    page = window.go(f"/runs/{run}/files/report.html")
    page.frame_locator("iframe").get_by_role("heading", name="Report").wait_for()
    assert page.title() == "report.html · Threefold"
    assert all("sandboxed" in said or "Content Security Policy" in said for said in window.wrong)  # it tried in vain
    window.wrong.clear()
    assert stopped == {"http://example.com/spy.png": "csp"}
    window.asked.remove("http://example.com/spy.png")


def test_the_theme_is_changed_by_its_button_and_stays(visit, filled):
    window = visit()
    page = window.go("/")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Change between light and dark").click()
    dark = page.evaluate(paper)
    assert light != dark
    assert window.go("/runs").evaluate(paper) == dark


def test_columns_are_chosen_in_their_menu_and_kept_as_a_view(visit, filled):
    page = visit().go("/runs")
    page.locator("summary", has_text="Columns").click()
    page.locator("input[value='tags.a']").check()
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**col=tags.a**")
    page.get_by_label("Keep this table as").fill("with a")
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("link", name="with a").wait_for()
    assert "a" in page.locator("thead th").all_inner_texts()
    page.get_by_role("button", name="Remove the view with a").click()
    page.wait_for_load_state("load")
    assert page.get_by_role("link", name="with a").count() == 0


def test_a_server_that_went_away_is_said_to_have_gone(visit, filled):
    window = visit()
    page = window.go("/runs")
    window.context.set_offline(True)
    page.get_by_role("alert").get_by_text("The server does not answer").wait_for()
    window.context.set_offline(False)
    page.get_by_role("alert").wait_for(state="hidden")
    assert all("ERR_INTERNET_DISCONNECTED" in said or "Failed to fetch" in said for said in window.wrong)
    window.wrong.clear()


def test_an_empty_store_is_good_to_look_at_on_every_page(visit):
    for width in (390, 1280):
        window = visit(width)
        for path in ("/", "/runs", "/models", "/data", "/lineage", "/audit", "/compare", "/search", "/nothing"):
            page = window.go(path)
            assert page.evaluate(RULES) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        window.wrong = [said for said in window.wrong if "404" not in said]  # the browser tells of /nothing itself


def test_the_first_page_of_many_runs_is_drawn_soon(visit, log):
    for number in range(60):
        log(f"run {number}", {"loss": 1.0})
    page = visit().go("/runs")
    assert page.locator("tbody tr").count() == 50
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="First page").wait_for()
    assert page.locator("tbody tr").count() == 10
