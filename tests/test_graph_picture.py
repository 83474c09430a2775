"""Pictures of graphs: what they show, where it stands, and the page in a browser."""

from __future__ import annotations

import math
import webbrowser
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest

import browser
import tapegrad
from tapegrad import nn
from tapegrad.autograd import graph
from tapegrad.autograd._drawing import Picture, layout, tape
from tapegrad.autograd._drawing.description import Description, Item
from tapegrad.teaching.array import Tensor as TeachingTensor
from tapegrad.teaching.scalar import Value

needs_browser = pytest.mark.skipif(not browser.HAS_BROWSER, reason="there is no Chromium")


def example() -> Any:
    """c = (a + b) * b, of the tutorial that this project was made from."""
    a = tapegrad.tensor(2.0, requires_grad=True)
    b = tapegrad.tensor(3.0, requires_grad=True)
    c = (a + b) * b
    return graph.draw(c)


def labels(picture: Picture) -> list[str]:
    return [item.label for item in picture._description.items]


# What is shown ----------------------------------------------------------------------------------


def test_names_are_those_of_the_callers_variables() -> None:
    assert labels(example()) == ["a", "b", "add", "c"]


def test_names_of_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    x = tapegrad.ones(1, 2)
    assert set(labels(graph.draw(model(x).sum(), model))) >= {"0.weight", "0.bias", "x", "tanh"}
    assert "model.0.weight" in labels(graph.draw(model(x).sum()))
    weight = model[0].weight
    assert "w" in labels(graph.draw(model(x).sum(), {"w": weight}))
    assert "w" in labels(graph.draw(model(x).sum(), [("w", weight)]))


def test_operations_say_what_they_are() -> None:
    x = tapegrad.ones(3, 4, requires_grad=True)
    y = x.tanh()
    item = graph.draw(y)._description.items[-1]
    assert (item.op, item.shape, item.dtype) == ("TanhBackward0", (3, 4), "float32")
    assert item.rule == "grad * (1 - result * result)"
    assert [(kept.name, kept.shape, kept.bytes) for kept in item.saved] == [("result", (3, 4), 48)]


def test_lines_and_modules_are_shown() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3), nn.Tanh()))
    x = tapegrad.ones(1, 2)
    loss = model(x).sum()  # the line of the sum
    picture = graph.draw(loss)
    items = {item.label: item for item in picture._description.items}
    place = items["loss"].place
    assert place is not None and place.file == __file__
    assert place.text == "loss = model(x).sum()  # the line of the sum"
    assert items["tanh"].module == "1.1"
    assert '"module":"1.1"' in picture.html() and f'"line":{place.line}' in picture.html()
    assert "1" in [
        unit.title
        for unit in layout.arrange(picture._description).units
        if isinstance(unit, layout.Group)
    ]


def test_cuts_are_shown_with_their_lines() -> None:
    w = tapegrad.ones(2, requires_grad=True)
    x = tapegrad.ones(2, requires_grad=True)
    hidden = (x * 2).detach()
    product = w * hidden
    with tapegrad.no_grad():
        scale = product.sum()
    loss = (product / scale).sum()
    print(loss.item())  # behind the root, and a number to look at
    picture = graph.draw(loss)
    items = picture._description.items
    cuts = [item for item in items if item.kind == "cut"]
    assert [(cut.label, [items[i].label for i in cut.inputs]) for cut in cuts] == [
        ("detach()", ["x"]),  # which is no part of the graph
        ("no_grad", ["w"]),
    ]
    assert [cut.place.text for cut in cuts if cut.place] == [
        "hidden = (x * 2).detach()",
        "scale = product.sum()",
    ]
    assert repr(picture) == "<The graph of loss: 3 operations, 4 inputs>"
    assert 'class="cut"' in picture.svg()


def test_what_other_functions_cut_off_is_not_shown() -> None:
    x = tapegrad.ones(2, requires_grad=True)

    def elsewhere() -> None:
        (x * 2).detach()

    elsewhere()
    w = tapegrad.ones(2, requires_grad=True)
    loss = (w * w).sum()
    assert labels(graph.draw(loss)) == ["w", "mul", "loss"]


def test_shared_memory_is_counted_once() -> None:
    x = tapegrad.ones(100, requires_grad=True)
    items = graph.draw((x * x) * x.view(10, 10).sum())._description.items
    bytes_of_x = [kept.bytes for item in items for kept in item.saved if kept.shape == (100,)]
    assert bytes_of_x.count(400) == 2  # x itself, and x * x


def test_a_tensor_without_a_graph() -> None:
    with pytest.raises(RuntimeError, match="there is no graph to draw"):
        graph.draw(tapegrad.ones(1))
    with pytest.raises(TypeError, match="expected a Tensor with a graph, but got list"):
        graph.show([])


def test_a_graph_that_backward_has_freed_is_still_drawn() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    loss = (x.exp() * x).sum()
    loss.backward()
    picture = graph.draw(loss)
    assert labels(picture) == ["x", "exp", "mul", "loss"]
    assert picture._description.items[0].grad is not None


def test_a_saved_value_that_was_written_over() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    y = x.exp()
    z = y * 2
    y.add_(1)
    assert "exp" in labels(graph.draw(z.sum() + y.sum()))


def test_drawing_runs_no_hooks_and_changes_nothing() -> None:
    calls = []
    x = tapegrad.ones(3, requires_grad=True)
    y = x.exp()
    y.register_hook(lambda grad: calls.append(grad))
    loss = y.sum()
    Picture(loss).html()
    assert not calls and x.grad is None
    loss.backward()
    assert len(calls) == 1


def test_teaching_engines_draw_themselves() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    assert labels(graph.draw((a + b) * b)) == ["a", "b", "+", "*"]
    assert "<iframe" in ((a + b) * b)._repr_html_()
    w = TeachingTensor([[1.0], [2.0]], requires_grad=True)
    x = TeachingTensor([[3.0, 4.0]])
    loss = ((x @ w) ** 2).sum()
    picture = graph.draw(loss)
    assert labels(picture) == ["x", "w", "matmul", "**2", "loss"]
    assert [item.kind for item in picture._description.items[:2]] == ["constant", "input"]
    assert "<iframe" in loss._repr_html_()


# Forms ------------------------------------------------------------------------------------------


def test_svg_is_well_formed() -> None:
    root = xml.etree.ElementTree.fromstring(example().svg())
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a", "b", "add", "c", "15"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 4


def test_names_are_escaped() -> None:
    x = tapegrad.ones(1, requires_grad=True)
    name = '</script><b>"&\\'
    picture = graph.draw(x * 2, {name: x}, title="<i>")
    assert "</script><b>" not in picture.html()
    assert "<title>&lt;i&gt;</title>" in picture.html()
    xml.etree.ElementTree.fromstring(picture.svg())
    assert '\\"&\\\\' in picture.dot()


def test_save_goes_by_the_ending(tmp_path: Path) -> None:
    picture = example()
    for ending, beginning in [(".html", "<!DOCTYPE html>"), (".svg", "<svg"), (".gv", "digraph")]:
        picture.save(tmp_path / f"graph{ending}")
        assert (tmp_path / f"graph{ending}").read_text(encoding="utf-8").startswith(beginning)
    with pytest.raises(ValueError, match=r"ending in \.html, \.svg, \.dot, \.gv"):
        picture.save(tmp_path / "graph.png")


def test_show_opens_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    x = tapegrad.ones(1, requires_grad=True)
    path = graph.show(x * 2, path=tmp_path / "graph.html")
    assert path == tmp_path / "graph.html" and opened == [path.as_uri()]
    assert graph.show(x * 2, path=tmp_path / "other.html", open=False).exists()
    assert len(opened) == 1


def test_the_page_needs_nothing_else() -> None:
    text = example().html().replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text and "src=" not in text and "import " not in text


# Places -----------------------------------------------------------------------------------------


def visible_units(box: layout.Group, left: float = 0, top: float = 0) -> list[Any]:
    """Items and folded boxes with their corners."""
    found = []
    for unit in box.units:
        x, y = left + unit.x - unit.width / 2, top + unit.y - unit.height / 2
        if isinstance(unit, layout.Group) and not unit.folded:
            found += visible_units(unit, x, y)
        elif unit.height:
            found.append((unit, x, y, x + unit.width, y + unit.height))
    return found


def check_places(box: layout.Group) -> None:
    units = visible_units(box)
    for i, (_, left, top, right, bottom) in enumerate(units):
        assert left >= 0 and top >= 0 and right <= box.width + 1 and bottom <= box.height + 1
        for _, other_left, other_top, other_right, other_bottom in units[:i]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top


def network(blocks: int) -> Description:
    """A chain of modules with a parameter each, and an edge past each of them."""
    items = [Item("x", shape=(3,))]
    last = 0
    for block in range(blocks):
        module = f"blocks.{block}"
        items.append(Item(f"{module}.weight", shape=(3,)))
        items.append(Item("mul", op="MulBackward0", inputs=[last, len(items) - 1], module=module))
        items.append(Item("tanh", op="TanhBackward0", inputs=[len(items) - 1], module=module))
        items.append(Item("add", op="AddBackward0", inputs=[last, len(items) - 1]))
        last = len(items) - 1
    return Description(items)


def test_nothing_overlaps_and_edges_go_down() -> None:
    description = network(6)
    root = layout.arrange(description)
    check_places(root)
    middle = {unit.item: (top + bottom) / 2 for unit, _, top, _, bottom in visible_units(root)}
    for user, item in enumerate(description.items):
        for source in item.inputs:
            assert middle[source] < middle[user]


def test_modules_are_boxes() -> None:
    root = layout.arrange(network(3))
    boxes = [unit for unit in root.units if isinstance(unit, layout.Group)]
    inner = [unit for box in boxes for unit in box.units if isinstance(unit, layout.Group)]
    titles = [box.title for box in boxes + inner]
    assert [t for t in titles if t.startswith("blocks.")] == ["blocks.0", "blocks.1", "blocks.2"]
    labels = [network(3).items[i].label for i in (inner or boxes)[0].items()]
    assert sorted(labels) == ["blocks.0.weight", "mul", "tanh"]


def test_a_module_that_is_called_twice_is_two_boxes() -> None:
    items = [Item("x")]
    for _call in range(2):
        for _ in range(2):
            items.append(Item("tanh", op="TanhBackward0", inputs=[len(items) - 1], module="cell"))
        items.append(Item("exp", op="ExpBackward0", inputs=[len(items) - 1]))
    root = layout.arrange(Description(items))
    assert [u.title for u in root.units if isinstance(u, layout.Group)] == ["cell", "cell"]
    check_places(root)


def test_large_graphs_begin_folded() -> None:
    x = tapegrad.ones(2, requires_grad=True)
    y = x
    for _ in range(2500):
        y = y * 1.001 + x
    description = tape.describe(y.sum())
    assert len(description.items) == 5002
    root = layout.arrange(description)
    assert sorted(root.items()) == list(range(5002))
    check_places(root)
    assert len(visible_units(root)) < layout.UNITS_IN_A_BOX
    check_places(layout.arrange(network(60), fold=lambda box, depth: False))


def test_a_deep_graph_needs_no_deep_stack() -> None:
    x = tapegrad.ones(1, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    assert "operations" in graph.draw(y).svg()


@pytest.mark.parametrize("wanted", [[0, 0, 0], [5, -5, 40], [0, 100, 3]])
def test_spread(wanted: list[float]) -> None:
    places = layout.spread(wanted, [10.0, 20.0, 30.0])
    assert places[1] - places[0] >= 15 + layout.GAP_X - 1e-9
    assert places[2] - places[1] >= 25 + layout.GAP_X - 1e-9
    assert math.isclose(sum(places), sum(wanted), abs_tol=1e-9) or wanted == [5, -5, 40]


# In a browser -----------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_the_five_observations(tmp_path: Path, dark: bool) -> None:
    """Of the tutorial's interactive exploration of c = (a + b) * b."""
    example().save(tmp_path / "graph.html")
    seen = browser.in_browser(
        tmp_path / "graph.html",
        """(() => {
          const at = (a, b) => {
            tapegrad.set("a", a);
            tapegrad.set("b", b);
            return [tapegrad.value("c")[0], tapegrad.grad("a")[0], tapegrad.grad("b")[0]];
          };
          return {
            alive: tapegrad.alive,
            start: at(2, 3),
            shares: Object.fromEntries(tapegrad.shares("b").map(([by, [share]]) => [by, share])),
            larger: at(4, 3),
            zero: at(2, 0),
            negative: at(-3, -2),
            any: [[0.5, 1.25], [-7, 2], [3, -0.5]].map(([a, b]) => [a, b, ...at(a, b)]),
            sliders: document.querySelectorAll("input[type=range]").length,
            dark: matchMedia("(prefers-color-scheme: dark)").matches,
          };
        })()""",
        dark=dark,
    )
    assert seen["alive"] and seen["start"] == [15, 3, 8]
    # 1. The gradient depends on the values: with a = 4, dc/db = a + 2 b = 10.
    assert seen["larger"] == [21, 3, 10]
    # 2. b has two paths: one by the multiplication (the sum), one by the addition (b).
    assert seen["shares"] == {"c": 5, "add": 3}
    # 3. With b = 0 the multiplication lets no gradient through to a.
    assert seen["zero"][1] == 0
    # 4. Gradients can be negative.
    assert seen["negative"] == [10, -2, -7]
    # 5. dc/da = b and dc/db = a + 2 b everywhere.
    for a, b, c, by_a, by_b in seen["any"]:
        assert (c, by_a, by_b) == ((a + b) * b, b, a + 2 * b)
    assert seen["sliders"] == 2 and seen["dark"] is dark


@needs_browser
def test_a_slider_moves_everything(tmp_path: Path) -> None:
    example().save(tmp_path / "graph.html")
    shown = browser.in_browser(
        tmp_path / "graph.html",
        """(() => {
          const slider = document.querySelector('input[type=range][aria-label="a"]');
          slider.value = 4;
          slider.dispatchEvent(new Event("input"));
          return [...document.querySelectorAll("#world text")].map((e) => e.textContent);
        })()""",
    )
    assert {"21", "∂ 10", "∂ 3"} <= set(shown)


@needs_browser
def test_boxes_fold_and_search_unfolds_them(tmp_path: Path) -> None:
    x = tapegrad.ones(2, requires_grad=True)
    y = x
    for _ in range(100):
        y = (y * 0.5).tanh()
    last = y.exp()
    graph.draw(last.sum()).save(tmp_path / "graph.html")
    seen = browser.in_browser(
        tmp_path / "graph.html",
        """(() => {
          const items = () => document.querySelectorAll(".item").length;
          const press = (key, on = document) =>
            on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
          const counts = [items()];
          press("u");
          counts.push(items());
          press("o");
          counts.push(items());
          const search = document.getElementById("search");
          search.value = "EXP";
          search.dispatchEvent(new Event("input"));
          const found = document.getElementById("found").textContent;
          press("Enter", search);
          counts.push(items());
          const title = document.querySelector("#details h2").textContent;
          const selected = document.querySelectorAll(".item.selected").length;
          press("ArrowUp");
          const above = document.querySelector("#details h2").textContent;
          press("+");
          press("Escape");
          return { counts, found, title, selected, above,
                   cleared: document.querySelectorAll(".selected").length };
        })()""",
    )
    folded, unfolded, again, shown = seen["counts"]
    assert folded == again < shown < unfolded == 203
    assert seen["found"].startswith("1 found")
    assert (seen["title"], seen["selected"], seen["above"]) == ("last", 1, "y")
    assert seen["cleared"] == 0


@needs_browser
def test_pointing_lights_the_paths_of_the_gradient(tmp_path: Path) -> None:
    a = tapegrad.tensor(2.0, requires_grad=True)
    b = tapegrad.tensor(3.0, requires_grad=True)
    left, right = a.exp(), b.sin()
    graph.draw(left * right).save(tmp_path / "graph.html")
    lit = browser.in_browser(
        tmp_path / "graph.html",
        """(() => {
          const items = [...document.querySelectorAll(".item")];
          const name = (made) => made.querySelector(".label").textContent;
          items.find((made) => name(made) === "a").dispatchEvent(new PointerEvent("pointerenter"));
          return [items.filter((made) => made.classList.contains("lit")).map(name).sort(),
                  document.querySelectorAll(".edge.lit").length];
        })()""",
    )
    assert lit == [["a", "left", "mul"], 2]


@needs_browser
def test_faults_are_marked(tmp_path: Path) -> None:
    x = tapegrad.tensor([0.0, 4.0], requires_grad=True)
    root = x.sqrt()
    graph.draw((root * 0).sum()).save(tmp_path / "graph.html")
    marked = browser.in_browser(
        tmp_path / "graph.html",
        """[...document.querySelectorAll(".item.faulty .label")].map((e) => e.textContent)""",
    )
    assert marked == ["x"]  # 0 * inf


@needs_browser
def test_a_graph_with_cuts_is_alive(tmp_path: Path) -> None:
    w = tapegrad.tensor(3.0, requires_grad=True)
    x = tapegrad.tensor(2.0, requires_grad=True)
    hidden = (x * 2).detach()
    graph.draw(w * hidden).save(tmp_path / "graph.html")
    seen = browser.in_browser(
        tmp_path / "graph.html",
        """(() => {
          tapegrad.select("detach()");
          return { alive: tapegrad.alive, grad: tapegrad.grad("w"),
                   cuts: document.querySelectorAll(".item.cut").length,
                   sliders: document.querySelectorAll("#inputs .slider").length,
                   details: document.getElementById("details").textContent };
        })()""",
    )
    assert (seen["alive"], seen["grad"], seen["cuts"], seen["sliders"]) == (True, [4], 1, 1)
    assert "no gradient comes back" in seen["details"]
    assert "hidden = (x * 2).detach()" in seen["details"]


@needs_browser
def test_a_page_that_is_not_alive_says_why(tmp_path: Path) -> None:
    x = tapegrad.randn(3, 3, requires_grad=True)
    unknown, lost = tapegrad.linalg.det(x), (x + tapegrad.ones(3)).sum()
    texts = []
    for loss in (unknown, lost):
        graph.draw(loss).save(tmp_path / "graph.html")
        texts.append(
            browser.in_browser(
                tmp_path / "graph.html",
                "[tapegrad.alive, document.getElementById('notes').textContent]",
            )
        )
    assert not texts[0][0] and "operations that the page does not know" in texts[0][1]
    assert not texts[1][0] and "the tape does not have a constant that add" in texts[1][1]
    # An input that has changed since.
    x = tapegrad.ones(3, requires_grad=True)
    y = (x + 1).sum()
    with tapegrad.no_grad():
        x += 1
    graph.draw(y).save(tmp_path / "graph.html")
    alive, text = browser.in_browser(
        tmp_path / "graph.html", "[tapegrad.alive, document.getElementById('notes').textContent]"
    )
    assert not alive and "an input has been changed since" in text


@needs_browser
@pytest.mark.parametrize("kind", ["model", "value", "array"])
def test_pages_of_all_engines_are_alive(tmp_path: Path, kind: str) -> None:
    if kind == "model":
        model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3))
        x, target = tapegrad.randn(5, 4), tapegrad.tensor([0, 1, 2, 0, 1])
        root: Any = nn.functional.cross_entropy(model(x), target)
    elif kind == "value":
        a, b = Value(2.0, label="a"), Value(3.0, label="b")
        root = ((a * b + 1).tanh() - a**2 / b).exp().relu()
    else:
        w = TeachingTensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        root = ((TeachingTensor([[0.5, 1.0]]) @ w).tanh() / 2.0).sum()
    graph.draw(root).save(tmp_path / "graph.html")
    assert browser.in_browser(tmp_path / "graph.html", "tapegrad.alive") is True
