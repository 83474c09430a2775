"""Pictures of recorded graphs: a page that is alive, SVG, and text for Graphviz.

`description.py` says what there is to draw, `tape.py` and `teaching.py` read it, `layout.py` finds
places, and the others write.  The page's own program is in the files beside: ``words.js`` and
``compute.js`` run the graph with the formulas of the engine, ``view.js`` draws it.
"""

from .picture import Picture

__all__ = ["Picture"]
