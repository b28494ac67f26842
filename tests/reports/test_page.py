"""The page in a real browser, from disk, with no network: skipped where there is none (`apt-get install chromium`)."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgbench.runs.records import METRICS_FILE
from reports.__main__ import main
from tests.reports.conftest import writer

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
PATIENCE = 120_000  # milliseconds, for a machine that is busy with other things
NASTY = '<script>alert("x")</script> $\\alpha$ & "quotes", 漢字 🙂 </script>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, two algorithms, three deltas of one, a name that is markup, a failed and a diverged run."""
    tmp_path = tmp_path_factory.mktemp("page")
    write, root = writer(tmp_path), tmp_path / "runs"
    for env in ("CartPole-v1", "Acrobot-v1"):
        for delta in (0.001, 0.01, 0.1):
            for seed in range(3):
                status = "diverged" if (env, delta, seed) == ("CartPole-v1", 0.1, 2) else "done"
                run = write(
                    "trpo",
                    seed,
                    [10, 20 + seed, max(1, 900 * delta) if seed or delta < 0.1 else 480],
                    env=env,
                    values={"delta": delta},
                    root=root,
                    format=2,
                    status=status,
                    steps=50_000,
                    total_steps=150_000,
                )
                if (env, delta) == ("CartPole-v1", 0.001):  # no divergence is, but what is recorded is believed
                    metrics = run / METRICS_FILE
                    metrics.write_text(metrics.read_text().replace(",0.01,", ",-0.01,"))
        write("npg", 0, [5, 15, 25], env=env, root=root, format=2, steps=50_000, total_steps=150_000)
    write("vpg", 0, [1.0], hyperparameters=NASTY, job="vpg-x", root=root, format=2, steps=150_000, total_steps=150_000)
    write("vpg", 1, [1.0], hyperparameters=NASTY, job="vpg-x", root=root, format=2, status="failed")
    write("vpg", 0, [1.0], root=root, format=2, steps=150_000, total_steps=150_000)
    assert main([str(root), "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out" / "index.html"


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1600, "light")])
def test_the_page_works_offline_and_the_explorer_filters(browser: Any, report: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    page, errors, requests = context.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: errors.append("a name ran as code"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector("#plot .main-svg")
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert NASTY in page.inner_text("section[aria-labelledby=runs]")

    traces = "document.getElementById('plot').data.filter(t => t.showlegend !== false).map(t => t.name)"
    page.locator("select[name=env]").select_option("CartPole-v1")
    assert page.inner_text("#count").startswith("6 jobs, 12 seeds")
    bands = "document.getElementById('plot').data.filter(t => t.fill).flatMap(t => [...t.y])"
    ends = page.evaluate(bands)
    assert max(ends) == 500  # Student's band of 480, 90 and 90 would go on
    page.locator("select[name=metric]").select_option("kl")
    lows = page.evaluate(bands)
    assert min(lows) == pytest.approx(-0.01)  # recorded, so not cut at 0
    page.locator("select[name=metric]").select_option("episode_return")
    page.get_by_label("TRPO").uncheck()
    assert not any(name.startswith("TRPO") for name in page.evaluate(traces))
    assert len(page.evaluate(traces)) == 3
    page.get_by_label("TRPO").check()
    page.get_by_label("0.01", exact=True).uncheck()
    assert not any("delta=0.01 " in name for name in page.evaluate(traces))
    page.locator("select[name=env]").select_option("Acrobot-v1")
    page.locator("select[name=metric]").select_option("kl")
    page.locator("select[name=x]").select_option("seconds")
    page.locator("select[name=mode]").select_option("seeds")
    assert page.evaluate("document.getElementById('plot').layout.xaxis.title.text") == "seconds of training"
    assert page.evaluate("document.getElementById('plot').data.length") == 3 + 3 + 1
    values = page.evaluate("Array.from(document.getElementById('plot').data[0].y).filter(y => !Number.isNaN(y))")
    assert values[-1] == pytest.approx(0.01 / 3)

    runs = page.locator(".table[data-label=all-runs]")
    runs.get_by_role("searchbox").fill("diverged")
    assert runs.locator("tbody tr").count() == 1
    runs.get_by_role("searchbox").fill("")
    head = runs.get_by_role("button", name="last return")
    head.focus()
    page.keyboard.press("Enter")  # the keyboard is enough
    assert runs.locator("th[aria-sort=ascending]").inner_text().startswith("last return")
    assert runs.locator("tbody tr").first.locator("td").nth(6).inner_text() == "1"
    link = runs.locator("tbody a").first.get_attribute("href")
    assert (report.parent / link).resolve().is_dir()
    page.get_by_label("Switch between light and dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == ("light" if scheme == "dark" else "dark")
    assert errors == []
    context.close()


def test_every_picture_and_control_has_a_name(browser: Any, report: Path) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(report.as_uri())
    page.wait_for_selector("#plot .main-svg")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('img, main input, main select, main button')].filter(one =>
        !one.closest('#plot') && !(one.alt || one.getAttribute('aria-label') || one.labels?.length
        || one.textContent.trim())).length"""
    )
    assert unnamed == 0
    names = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(set(names)) == len(names)
    page.close()


def test_the_manifest_names_runs_used_and_left_out(report: Path) -> None:
    account = json.loads((report.parent / "final_return.json").read_text())
    assert account["used"]["vpg-x"] == "0"
    assert account["left_out"]["vpg-x"] == {"1": "failed: see error.txt"}
    assert account["written_by"] == [{"processes": account["runs"] + 1, "version": "0.2.0"}]
    assert account["command"].startswith("python -m reports ")
    assert "--out" not in account["command"]
    for kind, mark in (("png", b"manifest_sha256"), ("pdf", b"manifest_sha256"), ("svg", b"manifest_sha256")):
        assert mark in (report.parent / f"final_return.{kind}").read_bytes(), kind
    table = (report.parent / "summary.tex").read_text()
    assert r"\toprule" in table
    assert NASTY not in table
