"""Pages: by themselves, small enough, and clicked through in a browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from microgpt_tui.cli import main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SMALL = ["--set", "n_embd=8", "--set", "n_head=2", "--set", "n_layer=2"]

CLICKS = """
<script>
(async () => {
await Promise.all([...document.fonts].map((f) => f.load()));
const said = [];
const press = (id) => document.getElementById(id).dispatchEvent(new MouseEvent("click", { bubbles: true }));
const slide = (id, value) => {
  const input = document.getElementById(id);
  input.value = value; input.dispatchEvent(new Event("input"));
};
try {
  const unit = () => document.querySelector("[data-state]");
  slide("frame", 0);
  said.push([...document.querySelectorAll("[data-state]")].filter((g) => g.dataset.state === "not reached").length);
  slide("frame", 9999);
  said.push([...document.querySelectorAll("[data-state]")].filter((g) => g.dataset.state === "final").length);
  unit().dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: 100, clientY: 100 }));
  said.push(document.getElementById("tip").textContent);
  const view = document.getElementById("view"), before = view.getAttribute("viewBox");
  view.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, clientX: 300, clientY: 300, cancelable: true }));
  said.push(view.getAttribute("viewBox") !== before);
  press("whole");
  said.push(view.getAttribute("viewBox") === before);
  press("fold");
  said.push(document.querySelectorAll(".folded").length);
  press("fold");
  said.push(document.querySelectorAll(".folded").length);
  slide("step", 1);
  said.push(document.getElementById("step-now").textContent);
  said.push([...document.querySelectorAll("#head text")].map((t) => t.textContent).join(" "));
  said.push([...document.fonts].map((f) => f.status).join(" "));
  said.push(performance.getEntriesByType("resource").filter((r) => !r.name.startsWith("data:")).length);
} catch (error) { said.push("error: " + error.stack); }
document.body.insertAdjacentHTML("beforeend", "<pre id=said></pre>");
document.getElementById("said").textContent = JSON.stringify(said);
})();
</script>
"""


def clicked(page: Path, clicks: str = CLICKS) -> list[object]:
    """What a browser says after clicks on a page."""
    assert BROWSER is not None
    copy = page.with_name("clicked.html")
    copy.write_text(page.read_text().replace("</body>", clicks + "</body>"))
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom",
         f"--user-data-dir={page.parent / 'profile'}", copy.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.S)
    assert found is not None, done.stderr[-2000:]
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    answers: list[object] = json.loads(text)
    return answers


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "model.html"
    assert main(["export", *SMALL, "--what", "model", "--through", "2", "-o", str(path)]) == 0
    return path


def data_of(page: Path) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)
    assert found is not None
    data: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return data


def test_a_page_stands_by_itself_and_is_small(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert not re.search(r"url\((?!data:)", text)
    assert "import " not in text.split("<script>")[1]
    assert len(text) <= 2_000_000
    assert "{{" not in text


def test_a_page_holds_the_frames_of_backward_and_the_steps_asked_for(page: Path) -> None:
    data = data_of(page)
    assert len(data["frames"]) > 8
    assert [s["label"] for s in data["steps"]] == ["step 1", "step 2"]
    losses = [re.search(r"loss (\d\.\d{4})", str(s["groups"])) for s in data["steps"]]
    assert losses[1] is not None


def test_the_ledger_of_a_page_adds_up(page: Path) -> None:
    """What pointing shows: every gradient is the sum of the contributions listed, each local × upstream."""
    checked = 0
    for text in data_of(page)["about"].values():  # type: ignore[attr-defined]
        total = re.search(r"grad ([+−][\d.e−+]+) = sum of (\d+):", text)
        parts = re.findall(r"([+−]?[\d.e−+]+) × ([+−]?[\d.e−+]+) = ([+−]?[\d.e−+]+) from", text)
        if total is None or len(parts) != int(total[2]):
            continue
        for local, upstream, product in parts:
            assert abs(number(local) * number(upstream) - number(product)) <= 0.06 * abs(number(product)) + 1e-9
        assert abs(sum(number(p[2]) for p in parts) - number(total[1])) <= 0.06 * abs(number(total[1])) + 1e-9
        checked += 1
    assert checked > 3


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_page_is_clicked_through_in_a_browser(page: Path) -> None:
    waiting, final, tip, zoomed, back, folded, unfolded, step, head, fonts, requests = clicked(page)
    assert isinstance(waiting, int)
    assert waiting > 10, "before the pass"
    assert isinstance(final, int)
    assert final >= waiting
    assert "grad" in str(tip) or "gradient" in str(tip)
    assert (zoomed, back) == (True, True)
    assert isinstance(folded, int)
    assert folded > 10
    assert unfolded == 0
    assert step == "step 2"
    assert "step 2" in str(head)
    assert fonts == "loaded loaded", "the letters that were measured"
    assert requests == 0, "no network"


@pytest.mark.parametrize(("what", "cells"), [("attention", 10), ("tokens", 10)])
def test_tables_are_pages_too(tmp_path: Path, what: str, cells: int) -> None:
    path = tmp_path / f"{what}.html"
    assert main(["export", *SMALL, "--what", what, "--through", "2", "-o", str(path)]) == 0
    text = path.read_text()
    assert text.count("data-cell=") > cells
    assert [s["label"] for s in data_of(path)["steps"]] == ["step 1", "step 2"]
    if BROWSER is not None:
        clicks = CLICKS[: CLICKS.index("  const unit")] + (
            'document.querySelector("[data-cell]").dispatchEvent(new MouseEvent("click", { bubbles: true }));\n'
            'said.push(document.getElementById("tip").textContent);\n'
            'slide("step", 1); said.push(document.getElementById("step-now").textContent);\n'
        ) + CLICKS[CLICKS.index("} catch") :]  # fmt: skip
        tip, step = clicked(path, clicks)
        assert "weight" in str(tip) or "probability" in str(tip)
        assert step == "step 2"
