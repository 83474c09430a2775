"""Settings of Sphinx: `make docs` builds the site in build/docs."""

from __future__ import annotations

import sys
from pathlib import Path

import tapegrad

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "tapegrad"
author = copyright = "The tapegrad authors"
version = release = tapegrad.__version__

extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    # docs/_ext
    "mathml",
    "reference",
    "repository",
    "selfcontained",
]

# What is written before the pages are read: reference/ and project/ by the extensions in _ext,
# gallery/ by sphinx-gallery.
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_*", "gallery/*.ipynb", "gallery/*.py"]
# Files of the repository that are pages of the site.
repository_pages = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/README.md",
    *(
        f"benchmarks/{name}.md"
        for name in ("RESULTS", "COMPILED", "CONDITIONS", "DISTRIBUTED", "ESTIMATORS")
    ),
]

# A name that is described nowhere is a mistake, except in annotations and in lists of exceptions:
# those name what is Python's or NumPy's, too, and the build asks no network for it.
nitpicky = True
nitpick_ignore_regex = [("py:(class|exc)", ".*"), ("py:obj", r"(numpy|sklearn)\..*")]

python_use_unqualified_type_names = True
add_function_parentheses = False
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": ["../examples/gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "thumbnail_size": (480, 360),
    "capture_repr": (),  # what is printed is shown, and not the value of a cell's last line
}

html_theme = "furo"
html_title = "tapegrad"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "tango"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1f6fb2",
        "color-brand-content": "#1f6fb2",
        "color-highlight-on-target": "#e6f1fb",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cb6f5",
        "color-brand-content": "#6cb6f5",
        "color-highlight-on-target": "#1d2f40",
    },
}
