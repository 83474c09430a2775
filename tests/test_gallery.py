"""The scripts of examples/gallery: each runs, has learnt something, and draws a picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).parent.parent / "examples" / "gallery"

# What must be true at the end of each script, of its own variables.
FACTS = {
    "cartpole": "lengths[0].mean() < 50 and balanced > 450",
    "decision_boundaries": """
        all(accuracies[data, 'none'] < 0.9 for data in data_sets)
        and all(share > 0.9 for (_, name), share in accuracies.items() if name != 'none')
    """,
    "digits": "accuracy > 0.97",
    "ensemble": "spread_near < 0.1 and spread_far > 0.5",
    "flow": "nats > -1.7",
    "gan": "on_heaps > 0.75 and shares.min() > 0.08",
    "heat_equation": "worst < 0.01",
    "maml": "error_maml[5] < 0.05 and error_usual[5] > 0.5",
    "neural_ode": "error < 0.05",
    "optimizers": "len(set(ends.values())) == 3",
    "spelling": "right.mean() > 0.9 and new.mean() > 0.7",
    "vae": "accuracy > 0.85",
    "wrong_labels": "found > 0.85",
}

# Runs a script as sphinx-gallery does, and looks at what it leaves. A warning is an error: of what
# cannot be replayed, too.
RUN = """
import runpy, sys, warnings
import matplotlib.pyplot as plt
import numpy as np
warnings.simplefilter("error", UserWarning)
warnings.simplefilter("ignore", DeprecationWarning)  # among libraries
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
names = runpy.run_path(sys.argv[1], run_name="__main__")
assert len(plt.get_fignums()) == 1
figure = plt.gcf()
assert figure.get_facecolor() == (1, 1, 1, 1)
figure.canvas.draw()
picture = np.asarray(figure.canvas.buffer_rgba())[::-1]
for axes in figure.axes:
    if axes.axison:
        left, low, right, high = axes.get_window_extent().extents.round().astype(int)
        colours = np.unique(picture[low:high, left:right].reshape(-1, 4), axis=0)
        assert len(colours) > 5, axes.get_title()
assert eval(sys.argv[2].strip(), names), {k: v for k, v in names.items() if k in sys.argv[2]}
"""


def test_every_script_has_its_facts() -> None:
    assert {path.stem.removeprefix("plot_") for path in GALLERY.glob("*.py")} == set(FACTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_script(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    script = GALLERY / f"plot_{name}.py"
    command = [sys.executable, "-c", RUN, str(script), " ".join(FACTS[name].split())]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
