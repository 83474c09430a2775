"""Programs in JavaScript, and pages, for tests: in Node.js, and in a Chromium where there is one.

A Chromium is what the PATH has under one of its names, or QtWebEngine (``pip install
PyQt6-WebEngine``).
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

NODE = shutil.which("node") or shutil.which("nodejs")
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome", "chrome"])),
    None,
)


def _has_qt() -> bool:
    """Whether QtWebEngine is there, and the system's libraries that it needs."""
    command = [sys.executable, "-c", "import PyQt6.QtWebEngineWidgets"]
    return subprocess.run(command, capture_output=True).returncode == 0


HAS_BROWSER = bool(CHROMIUM) or _has_qt()

# JSON has no NaN and no infinity.
_READABLE = """
const readable = (key, value) =>
  typeof value === "number" && !Number.isFinite(value) ? {number: String(value)} : value;
"""


def _number(value: dict[str, Any]) -> Any:
    if set(value) == {"number"}:
        return float(value["number"].replace("Infinity", "inf"))
    return value


def in_node(program: str, folder: Path) -> Any:
    """What a program leaves in `result`."""
    path = folder / "program.js"
    path.write_text(
        f"{_READABLE}\n{program}\nconsole.log(JSON.stringify(result, readable));", encoding="utf-8"
    )
    done = subprocess.run([NODE, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=_number)


def in_browser(page: Path, expression: str, *, dark: bool = False) -> Any:
    """The value of an expression in a page, after an assertion that nothing has failed there."""
    watch = "<script>window.faults = []; onerror = (text) => { faults.push(text); };</script>"
    report = f"""<script>{_READABLE}
      let result;
      try {{ result = {expression}; }} catch (error) {{ faults.push(String(error)); }}
      const report = document.createElement("pre");
      report.id = "report";
      report.textContent = JSON.stringify({{result, faults}}, readable);
      document.body.append(report);
    </script>"""
    text = page.read_text(encoding="utf-8")
    watched = page.with_name(f"watched-{page.name}")
    watched.write_text(
        text.replace("<head>", "<head>" + watch, 1).replace("</body>", report + "</body>"),
        encoding="utf-8",
    )
    found = re.search(r'<pre id="report">(.*?)</pre>', _dump(watched, dark), re.DOTALL)
    assert found, "the page has not been run"
    answer = json.loads(html.unescape(found[1]), object_hook=_number)
    assert answer["faults"] == []
    return answer.get("result")


def _dump(page: Path, dark: bool) -> str:
    """The page's elements after it has run."""
    flags = ["--no-sandbox", "--disable-gpu"]
    if dark:
        flags.append("--blink-settings=preferredColorScheme=0")
    if CHROMIUM:
        command = [CHROMIUM, "--headless", "--dump-dom", *flags, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "QTWEBENGINE_CHROMIUM_FLAGS": " ".join(flags),
    }
    command = [sys.executable, __file__, str(page.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    return done.stdout


def _dump_with_qt(page: str) -> None:
    from PyQt6.QtCore import QUrl
    from PyQt6.QtWebEngineWidgets import QWebEngineView
    from PyQt6.QtWidgets import QApplication

    application = QApplication(sys.argv)
    view = QWebEngineView()
    view.resize(1000, 700)

    def write(text: str) -> None:
        sys.stdout.write(text)
        application.quit()

    view.loadFinished.connect(lambda _: view.page().toHtml(write))
    view.load(QUrl.fromLocalFile(page))
    view.show()
    application.exec()


if __name__ == "__main__":
    _dump_with_qt(sys.argv[1])
