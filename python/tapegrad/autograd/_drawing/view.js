// The page: draws the graph, runs it anew when an input changes, and shows what one points at.

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const GAP_X = 18, GAP_Y = 42, PADDING = 14, HEADER = 24, FOLDED_HEIGHT = 48, CHARACTER = 7.3, SWEEPS = 8;
  const CELLS = 48; // of a picture on a node; the panel shows more
  const ROWS = 12;
  const SLIDERS = 12; // that are always there
  const LIVE_NUMBERS = 4096;
  const $ = (id) => document.getElementById(id);
  const { nodes, root } = graph;

  // ------------------------------------------------------------------------------------ values

  const users = nodes.map(() => []);
  nodes.forEach((node, i) => {
    if (node.kind === "cut") return; // no gradient comes from there
    for (const input of new Set(node.inputs)) if (input !== null) users[input].push(i);
  });

  // Why the page cannot compute the graph, or nothing.
  function obstacle() {
    const names = engine.missing(graph);
    if (names.length) return `it has operations that the page does not know (${names.join(", ")})`;
    const unknown = engine.complete(graph);
    if (unknown !== null) return `the tape does not have a constant that ${unknown} was given`;
    const numbers = nodes.reduce((sum, node) => sum + node.shape.reduce((n, size) => n * size, 1), 0);
    if (numbers > LIVE_NUMBERS) return `it has ${numbers} numbers, and the page computes up to ${LIVE_NUMBERS}`;
    return "";
  }
  const given = nodes.map((node) => node.value);
  let dead = obstacle();
  let results = { values: given, grads: nodes.map((node) => node.grad), shares: nodes.map(() => []) };
  if (!dead) {
    results = engine.run(graph);
    if (!agrees(results.values[root], given[root])) {
      dead = "it gives other numbers than the engine had, so an input has been changed since, " +
        "or an operation has a form that the page does not know";
      results = { values: given, grads: nodes.map((node) => node.grad), shares: nodes.map(() => []) };
    }
  }
  function agrees(a, b) {
    const exact = nodes.every((node) => !["float16", "bfloat16"].includes(node.dtype));
    return !b || a.data.every((v, i) => {
      const tolerance = (exact ? 1e-4 : 5e-2) * Math.max(1, Math.abs(v));
      return Object.is(v, b.data[i]) || Math.abs(v - b.data[i]) <= tolerance || Number.isNaN(v);
    });
  }

  const single = (array) => array && array.data.length === 1;
  function text(number) {
    if (number === undefined) return "";
    if (typeof number === "boolean") return String(number);
    if (!Number.isFinite(number)) return String(number).replace("Infinity", "inf").replace("NaN", "nan");
    const rounded = Number(number.toPrecision(6));
    return Math.abs(rounded) >= 1e6 || (rounded && Math.abs(rounded) < 1e-4)
      ? number.toExponential(3) : String(rounded);
  }
  const is_faulty = (array) => array && array.data.some((v) => typeof v === "number" && !Number.isFinite(v));
  const name_of = (i) => nodes[i].label;

  // ------------------------------------------------------------------------------------ places

  // The boxes, with their parents; where[i] is the unit of item i.
  const where = [];
  (function connect(box) {
    for (const unit of box.units) {
      unit.parent = box;
      unit.near = [[], []]; // above and below
      if (unit.units) connect(unit);
      else if (unit.item !== null) where[unit.item] = unit;
    }
    box.bend_of = new Map(box.bends.map(([a, b, places]) => [`${a} ${b}`, places]));
    for (const [a, b, places] of box.bends)
      [a, ...places, b].map((u) => box.units[u]).forEach((unit, i, chain) => {
        if (!i) return;
        chain[i - 1].near[1].push(unit);
        unit.near[0].push(chain[i - 1]);
      });
  })(graph.layout);

  // The middles of units in a row, near where they want to be; as `spread` of layout.py.
  function spread(units, wanted) {
    const offsets = [], pools = [];
    let position = 0;
    units.forEach((unit, i) => {
      if (i) position += (units[i - 1].width + unit.width) / 2 + GAP_X;
      offsets.push(position);
      pools.push([wanted[i] - position, 1]);
      while (pools.length > 1 && pools.at(-2)[0] / pools.at(-2)[1] > pools.at(-1)[0] / pools.at(-1)[1]) {
        const [sum, n] = pools.pop();
        pools.at(-1)[0] += sum;
        pools.at(-1)[1] += n;
      }
    });
    const middles = pools.flatMap(([sum, n]) => new Array(n).fill(sum / n));
    units.forEach((unit, i) => (unit.x = middles[i] + offsets[i]));
  }
  // As `_coordinates` of layout.py: the sizes of boxes change here.
  function coordinates(box) {
    const layers = box.layers.map((layer) => layer.map((u) => box.units[u]));
    for (const units of layers) spread(units, units.map(() => 0));
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const side = sweep % 2;
      for (const units of side === 0 ? layers : layers.slice().reverse())
        spread(units, units.map((unit) => {
          const near = unit.near[side].length ? unit.near[side] : unit.near[1 - side];
          return near.length ? near.reduce((sum, other) => sum + other.x, 0) / near.length : unit.x;
        }));
    }
  }
  // Sizes from the inside out, then places from the outside in.
  function measure(box) {
    if (box.folded) {
      box.width = Math.max(box.title.length * CHARACTER + 40, 200);
      box.height = FOLDED_HEIGHT;
      return;
    }
    for (const unit of box.units) {
      if (unit.units) measure(unit);
      else if (unit.item === null) [unit.width, unit.height] = [6, 0];
      else [unit.width, unit.height] = unit.size;
    }
    coordinates(box);
    let y = PADDING + (box.title ? HEADER : 0);
    for (const layer of box.layers) {
      const units = layer.map((u) => box.units[u]);
      const height = Math.max(...units.map((u) => u.height));
      for (const unit of units) unit.y = y + height / 2;
      y += height + GAP_Y;
    }
    const left = Math.min(...box.units.map((u) => u.x - u.width / 2));
    const right = Math.max(...box.units.map((u) => u.x + u.width / 2));
    box.width = Math.max(right - left + 2 * PADDING, box.title.length * CHARACTER + 40);
    box.height = y - GAP_Y + PADDING;
    for (const unit of box.units) unit.x += box.width / 2 - (left + right) / 2;
  }
  function locate(box, left, top) {
    for (const unit of box.units) {
      unit.at = { x: left + unit.x, y: top + unit.y };
      if (unit.units && !unit.folded) locate(unit, unit.at.x - unit.width / 2, unit.at.y - unit.height / 2);
    }
  }
  // The boxes around a unit and itself, from the outermost on; and the first of them that shows nothing inside.
  function path(unit) {
    const around = [];
    for (let u = unit; u; u = u.parent) around.unshift(u);
    return around;
  }
  const visible = (i) => path(where[i]).find((unit) => !unit.units || unit.folded);

  // ----------------------------------------------------------------------------------- drawing

  function element(kind, attributes, ...children) {
    const made = document.createElementNS(SVG, kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  function html(kind, attributes, ...children) {
    const made = document.createElement(kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const label = (x, y, kind, content) => element("text", { x, y, class: kind }, content);

  const world = $("world"), canvas = $("canvas");
  let drawn = new Map(); // from units to their elements
  let edges = [];        // {items: [source, user] pairs, line}
  let selected = null;   // a unit

  function draw() {
    measure(graph.layout);
    locate(graph.layout, 0, 0);
    drawn = new Map();
    const boxes = [], lines = [], items = [];
    (function visit(box) {
      for (const unit of box.units) {
        if (unit.units) {
          boxes.push(draw_box(unit));
          if (!unit.folded) visit(unit);
        } else if (unit.item !== null) {
          items.push(draw_item(unit));
        }
      }
    })(graph.layout);
    draw_edges(lines);
    world.replaceChildren(...boxes, ...lines, ...items);
    show_values();
    mark();
  }

  function draw_box(box) {
    const { x, y } = box.at, left = x - box.width / 2, top = y - box.height / 2;
    const made = element(
      "g",
      { class: box.folded ? "box folded" : "box", tabindex: 0, role: "button",
        "aria-label": `${box.title}, ${box.folded ? "folded" : "unfolded"}` },
      element("rect", { x: left, y: top, width: box.width, height: box.height }),
      label(left + 10, top + 17, "title", `${box.folded ? "▸" : "▾"} ${box.title}`),
    );
    if (box.folded) {
      const all = items_of(box), n = all.filter((i) => nodes[i].op).length;
      const inputs = all.filter((i) => nodes[i].kind === "input").length;
      made.append(label(x, y + 14, "shape", `${n} operations` + (inputs ? `, ${inputs} inputs` : "")));
    }
    made.addEventListener("click", (event) => {
      if (moved) return;
      event.stopPropagation();
      toggle(box);
    });
    drawn.set(box, made);
    return made;
  }
  function items_of(box) {
    return box.units.flatMap((u) => (u.units ? items_of(u) : u.item === null ? [] : [u.item]));
  }

  function draw_item(unit) {
    const { x, y } = unit.at, node = nodes[unit.item];
    const kinds = ["item", node.kind];
    if (unit.item === root) kinds.push("root");
    const made = element(
      "g",
      { class: kinds.join(" "), tabindex: 0, role: "button", "aria-label": `${node.kind} ${node.label}` },
      element("rect", { x: x - unit.width / 2, y: y - unit.height / 2, width: unit.width, height: unit.height }),
      label(x, y - unit.height / 2 + 17, "label", node.label),
      element("g", { class: "values" }),
    );
    made.addEventListener("click", (event) => {
      event.stopPropagation();
      select(unit);
    });
    made.addEventListener("pointerenter", () => trace(unit.item));
    made.addEventListener("pointerleave", () => trace(null));
    made.addEventListener("focus", () => select(unit));
    drawn.set(unit, made);
    return made;
  }

  function draw_edges(lines) {
    edges = [];
    const by_ends = new Map();
    nodes.forEach((node, user) =>
      node.inputs.forEach((source) => {
        if (source === null) return;
        const a = visible(source), b = visible(user);
        if (a === b) return;
        const known = by_ends.get(a)?.get(b);
        if (known) return known.items.push([source, user]);
        const edge = { items: [[source, user]], a, b };
        if (!by_ends.has(a)) by_ends.set(a, new Map());
        by_ends.get(a).set(b, edge);
        edges.push(edge);
      }),
    );
    for (const edge of edges) {
      const dead = edge.items.every(([source, user]) => !nodes[source].wanted || nodes[user].kind === "cut");
      edge.line = element("path", { class: dead ? "edge constant" : "edge", d: curve(edge) });
      const [from, to] = edge.points.slice(-2);
      edge.share = label((from[0] + to[0]) / 2, (from[1] + to[1]) / 2 + 4, "share gradient number", "");
      lines.push(edge.line, edge.share);
    }
  }
  // From the lower side of a unit to the upper side of another, by the bends of the box that has both.
  function curve(edge) {
    const pa = path(edge.a), pb = path(edge.b);
    let depth = 0;
    while (pa[depth + 1] === pb[depth + 1]) depth++;
    const box = pa[depth];
    const ends = [pa[depth + 1], pb[depth + 1]].map((unit) => box.units.indexOf(unit));
    const bends = (box.bend_of.get(ends.join(" ")) ?? []).map((u) => box.units[u].at);
    const into = edge.b.item === undefined ? 0 : port(edge);
    const points = [
      [edge.a.at.x, edge.a.at.y + edge.a.height / 2],
      ...bends.map(({ x, y }) => [x, y]),
      [edge.b.at.x + into, edge.b.at.y - edge.b.height / 2],
    ];
    edge.points = points;
    let d = `M${points[0]}`;
    for (let i = 1; i < points.length; i++) {
      const [x0, y0] = points[i - 1], [x1, y1] = points[i], bow = Math.max(14, (y1 - y0) / 2);
      d += `C${x0},${y0 + bow} ${x1},${y1 - bow} ${x1},${y1}`;
    }
    return d;
  }
  // Operands come in from left to right.
  function port({ items: [[source, user]], b }) {
    const inputs = nodes[user].inputs.filter((i) => i !== null);
    if (inputs.length < 2) return 0;
    return ((inputs.indexOf(source) + 0.5) / inputs.length - 0.5) * b.width * 0.6;
  }

  // -------------------------------------------------------------------------- values on the graph

  function colour(value, scale) {
    if (typeof value === "boolean") value = Number(value);
    if (!Number.isFinite(value)) return "var(--fault)";
    const part = scale ? Math.min(1, Math.abs(value) / scale) : 0;
    return `rgba(var(${value < 0 ? "--low" : "--high"}), ${(0.08 + 0.85 * part).toFixed(3)})`;
  }
  const scale_of = (array) => array.data.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
  const columns = (array) => array.shape.at(-1) ?? 1;

  function subtitle(node) {
    if (node.kind === "cut") return `${node.place.file.split(/[\\/]/).at(-1)}:${node.place.line}`;
    return node.shape.length ? `[${node.shape.join(", ")}]` : node.dtype;
  }

  // A small picture of an array in a frame.
  function cells(array, x, y, width, height) {
    const n = array.data.length, across = Math.max(1, columns(array)), down = Math.ceil(n / across);
    const size = Math.min(width / across, height / down, 10), scale = scale_of(array);
    const left = x + (width - across * size) / 2, top = y + (height - down * size) / 2;
    return array.data.map((value, i) =>
      element("rect", {
        x: left + (i % across) * size, y: top + Math.floor(i / across) * size,
        width: size - 0.5, height: size - 0.5, fill: colour(value, scale),
      }));
  }

  function show_values() {
    for (const [unit, made] of drawn) {
      if (unit.units) continue;
      const i = unit.item, node = nodes[i], value = results.values[i], grad = results.grads[i];
      const { x, y } = unit.at, parts = [];
      if (single(value)) {
        parts.push(label(x, y + 6, "number", text(value.data[0])));
        if (single(grad)) parts.push(label(x, y + 22, "number gradient", `∂ ${text(grad.data[0])}`));
      } else if (value && value.data.length && value.data.length <= CELLS) {
        const half = unit.width / 2 - 10;
        parts.push(...cells(value, x - half - 4, y - 5, grad ? half : 2 * half + 8, 28));
        if (grad) parts.push(...cells(grad, x + 4, y - 5, half, 28));
      } else {
        parts.push(label(x, y + 10, "shape", subtitle(node)));
      }
      made.querySelector(".values").replaceChildren(...parts);
      made.classList.toggle("faulty", Boolean(is_faulty(value) || is_faulty(grad)));
    }
    for (const edge of edges) {
      const [[source, user]] = edge.items;
      const share = edge.items.length === 1 && results.shares[source].find(([by]) => by === user);
      const all = results.shares[source].filter(([by]) => by === user);
      const shown = share && single(share[2]) && edge.a.item === source && edge.b.item === user;
      edge.share.textContent = shown ? text(all.reduce((sum, [, , g]) => sum + g.data[0], 0)) : "";
    }
  }

  // ------------------------------------------------------------------------- pointing and selecting

  // The paths on which the gradient comes from the root to an item.
  function trace(item) {
    world.classList.toggle("tracing", item !== null);
    for (const made of drawn.values()) made.classList.remove("lit");
    for (const edge of edges) for (const part of [edge.line, edge.share]) part.classList.remove("lit");
    if (item === null) return;
    const lit = new Set([item]);
    for (const i of lit) for (const user of users[i]) lit.add(user);
    for (const i of lit) {
      const unit = visible(i);
      drawn.get(unit)?.classList.add("lit");
    }
    for (const edge of edges)
      if (edge.items.some(([source, user]) => lit.has(source) && lit.has(user)))
        for (const part of [edge.line, edge.share]) part.classList.add("lit");
  }

  function mark() {
    for (const [unit, made] of drawn) made.classList.toggle("selected", unit === selected);
  }
  function select(unit) {
    if (selected === unit) return;
    selected = unit;
    mark();
    show_details();
  }
  // Unfolds what is around an item and brings it to the middle.
  function go_to(item) {
    let changed = false;
    for (const box of path(where[item])) if (box.folded) changed = !(box.folded = false);
    if (changed) draw();
    select(where[item]);
    if (!on_screen(where[item])) centre(where[item]);
  }
  function toggle(box) {
    // The box stays where it is on the screen.
    const before = box.at.x, top = box.at.y - box.height / 2;
    box.folded = !box.folded;
    draw();
    view.x += (before - box.at.x) * view.k;
    view.y += (top - (box.at.y - box.height / 2)) * view.k;
    move();
    drawn.get(box)?.focus({ preventScroll: true });
  }
  function fold_all(folded) {
    (function visit(box) {
      for (const unit of box.units) if (unit.units) {
        unit.folded = folded;
        visit(unit);
      }
    })(graph.layout);
    draw();
    fit();
  }

  // ---------------------------------------------------------------------------------- the panel

  function grid(array) {
    const across = Math.max(1, columns(array)), n = array.data.length, scale = scale_of(array);
    const rows = Math.min(ROWS, Math.ceil(n / across)), wide = Math.min(ROWS, across);
    const table = html("table", {});
    for (let r = 0; r < rows; r++) {
      const line = html("tr", {});
      for (let c = 0; c < wide; c++) {
        const value = array.data[r * across + c];
        line.append(html("td", { style: `background: ${colour(value, scale)}` }, text(value)));
      }
      table.append(line);
    }
    const made = html("div", { class: "grid" }, table);
    if (n > rows * wide) made.append(html("p", { class: "note" }, `${rows * wide} of ${n} numbers`));
    return made;
  }
  const shape_text = (node) => (node.shape.length ? `[${node.shape.join(", ")}]` : "a number");

  const KINDS = {
    constant: "constant: no gradient flows to it",
    cut: "cut: values leave the tape here, and no gradient comes back",
  };
  function show_details() {
    const panel = $("details");
    panel.replaceChildren();
    if (!selected || selected.units) return;
    const i = selected.item, node = nodes[i];
    panel.append(html("h2", {}, node.label));
    const rows = html("dl", {});
    const say = (name, ...content) => rows.append(html("dt", {}, name), html("dd", {}, ...content));
    say("kind", KINDS[node.kind] ?? node.kind);
    if (node.op) say("node", html("code", {}, node.op));
    if (node.kind !== "cut") say("shape", `${shape_text(node)} ${node.dtype}`);
    if (node.rule) say("derivative", html("code", {}, node.rule));
    if (node.place) {
      say("line", `${node.place.file}:${node.place.line}` + (node.place.function ? ` in ${node.place.function}` : ""));
      if (node.place.text) say("", html("code", {}, node.place.text));
    }
    if (node.module) say("module", html("code", {}, node.module));
    for (const kept of node.kept ?? []) {
      const size = kept.bytes ? `${kept.bytes.toLocaleString("en")} bytes` : "memory counted before";
      say("keeps", `${kept.name} ${kept.shape.length ? `[${kept.shape.join(", ")}]` : ""}: ${size}`);
    }
    for (const note of node.notes ?? []) say("note", note);
    panel.append(rows);
    const value = results.values[i], grad = results.grads[i];
    if (value) panel.append(html("h2", {}, "Value"), grid(value));
    if (is_faulty(value)) panel.append(html("p", { class: "fault" }, "It has NaN or infinity."));
    if (grad) panel.append(html("h2", {}, `Gradient of ${name_of(root)}`), grid(grad));
    if (is_faulty(grad)) panel.append(html("p", { class: "fault" }, "The gradient has NaN or infinity."));
    if (results.shares[i].length > 1) {
      panel.append(html("p", { class: "note" }, "It is the sum of what its users give:"));
      for (const [user, , share] of results.shares[i])
        panel.append(html("div", {}, `by ${name_of(user)}: `, single(share)
          ? html("span", { class: "number" }, text(share.data[0])) : grid(share)));
    }
    if (!dead && users[i].length && !node.op && value.data.length <= 64 && !has_sliders.has(i)) {
      panel.append(html("h2", {}, "Change it"));
      value.data.forEach((_, k) => panel.append(slider(i, k)));
    }
  }

  // Sliders of inputs with few numbers are always there; the others come with the details.
  const has_sliders = new Set();
  let refreshers = [];
  function slider(i, k) {
    const array = nodes[i].value, many = array.data.length > 1;
    const name = many ? `${nodes[i].label}[${index(array.shape, k)}]` : nodes[i].label;
    const reach = Math.max(5, Math.ceil(2 * Math.abs(array.data[k])));
    const range = html("input", { type: "range", min: -reach, max: reach, step: reach / 100, "aria-label": name });
    const exact = html("input", { type: "number", step: "any", "aria-label": `${name}, as a number` });
    const slope = html("span", { class: "slope number" });
    const refresh = () => {
      if (document.activeElement !== exact) exact.value = text(nodes[i].value.data[k]);
      range.value = nodes[i].value.data[k];
      const grad = results.grads[i];
      const by = many ? "it" : name;
      slope.textContent = grad ? `∂${name_of(root)}/∂${by} = ${text(grad.data[k])}` : "";
    };
    for (const field of [range, exact])
      field.addEventListener("input", () => {
        if (field.value === "") return;
        set(i, k, Number(field.value));
      });
    refresh();
    refreshers.push(refresh);
    return html("div", { class: "slider" }, html("label", { title: name }, name), range, exact, slope);
  }
  function index(shape, k) {
    const at = [];
    for (let d = shape.length - 1; d >= 0; d--) {
      at.unshift(k % shape[d]);
      k = Math.floor(k / shape[d]);
    }
    return at.join(", ");
  }
  function show_inputs() {
    const panel = $("inputs");
    if (dead) return;
    const inputs = nodes.map((_, i) => i).filter((i) => nodes[i].kind === "input" && users[i].length);
    if (inputs.reduce((n, i) => n + nodes[i].value.data.length, 0) > SLIDERS)
      return panel.append(html("p", { class: "note" }, "An input that is selected shows its numbers here."));
    panel.append(html("h2", {}, "Inputs"));
    for (const i of inputs) {
      has_sliders.add(i);
      nodes[i].value.data.forEach((_, k) => panel.append(slider(i, k)));
    }
  }
  function set(i, k, value) {
    nodes[i].value.data[k] = value;
    results = engine.run(graph);
    show_values();
    for (const refresh of refreshers) refresh();
    if (selected && !selected.units && !$("details").contains(document.activeElement)) show_details();
  }

  // ---------------------------------------------------------------------------------- searching

  let matches = [], match = -1;
  function search() {
    const wanted = $("search").value.trim().toLowerCase();
    matches = wanted
      ? nodes.map((_, i) => i).filter((i) => haystack(nodes[i]).includes(wanted)) : [];
    match = -1;
    const units = new Set(matches.map(visible));
    for (const [unit, made] of drawn) made.classList.toggle("found", units.has(unit));
    $("found").textContent = wanted ? `${matches.length} found` + (matches.length ? ", Enter shows them" : "") : "";
  }
  function haystack(node) {
    const place = node.place ? `${node.place.file}:${node.place.line} ${node.place.text}` : "";
    return `${node.label} ${node.op} ${node.module ?? ""} ${place}`.toLowerCase();
  }
  function next_match() {
    if (!matches.length) return;
    match = (match + 1) % matches.length;
    go_to(matches[match]);
    $("found").textContent = `${match + 1} of ${matches.length}`;
  }

  // ------------------------------------------------------------------------------ zoom and moving

  const view = { x: 0, y: 0, k: 1 };
  const move = () => world.setAttribute("transform", `translate(${view.x},${view.y}) scale(${view.k})`);
  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const k = Math.min(4, Math.max(0.03, view.k * factor));
    view.x = x - (x - view.x) * (k / view.k);
    view.y = y - (y - view.y) * (k / view.k);
    view.k = k;
    move();
  }
  function fit() {
    const { width, height } = graph.layout;
    view.k = Math.min(1.4, (canvas.clientWidth - 24) / width, (canvas.clientHeight - 24) / height);
    view.k = Math.max(view.k, 0.03);
    view.x = (canvas.clientWidth - width * view.k) / 2;
    view.y = (canvas.clientHeight - height * view.k) / 2;
    move();
  }
  function centre(unit) {
    if (view.k < 0.5) view.k = 1;
    view.x = canvas.clientWidth / 2 - unit.at.x * view.k;
    view.y = canvas.clientHeight / 2 - unit.at.y * view.k;
    move();
  }

  function on_screen({ at, width, height }) {
    const x = view.x + at.x * view.k, y = view.y + at.y * view.k, w = (width * view.k) / 2, h = (height * view.k) / 2;
    return view.k >= 0.4 && x > w && y > h && x + w < canvas.clientWidth && y + h < canvas.clientHeight;
  }

  let grip = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY] };
    moved = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!grip) return;
    if (Math.hypot(event.clientX - grip.from[0], event.clientY - grip.from[1]) > 4) moved = true;
    if (!moved) return;
    canvas.classList.add("moving");
    view.x = event.clientX - grip.x;
    view.y = event.clientY - grip.y;
    move();
  });
  window.addEventListener("pointerup", () => {
    grip = null;
    canvas.classList.remove("moving");
  });
  canvas.addEventListener("click", () => !moved && select(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top } = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - left, event.clientY - top);
  }, { passive: false });

  // ----------------------------------------------------------------------------------- keyboard

  function step(direction) {
    const item = selected && selected.item !== undefined ? selected.item : null;
    if (item === null) return go_to(direction === "ArrowUp" ? root : 0);
    const inputs = nodes[item].inputs.filter((i) => i !== null);
    if (direction === "ArrowUp" && inputs.length) return go_to(inputs[0]);
    if (direction === "ArrowDown" && users[item].length) return go_to(users[item][0]);
    if (direction === "ArrowLeft" || direction === "ArrowRight") {
      const others = users[item].length ? nodes[users[item][0]].inputs.filter((i) => i !== null) : [item];
      const at = others.indexOf(item) + (direction === "ArrowLeft" ? others.length - 1 : 1);
      go_to(others[at % others.length]);
    }
  }
  const KEYS = {
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: fit,
    u: () => fold_all(false), o: () => fold_all(true),
    "/": () => $("search").focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      document.activeElement.blur();
      select(null);
      $("search").value = "";
      return search();
    }
    if (event.target.tagName === "INPUT") return;
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      return step(event.key);
    }
    if (event.key === "Enter" || event.key === " ") {
      const box = [...drawn].find(([unit, made]) => unit.units && made === document.activeElement);
      if (box) {
        event.preventDefault();
        toggle(box[0]);
      }
      return;
    }
    const action = KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  // ------------------------------------------------------------------------------------- begin

  for (const note of graph.notes) $("notes").append(html("p", { class: "note" }, note));
  $("notes").append(html("p", { class: "note" }, dead
    ? `This graph cannot be changed here: ${dead}.`
    : "Change an input: everything is computed anew, forward and backward."));
  show_inputs();
  draw();
  fit();
  $("search").addEventListener("input", search);
  $("search").addEventListener("keydown", (event) => event.key === "Enter" && next_match());
  $("zoom-in").addEventListener("click", () => zoom(1.25));
  $("zoom-out").addEventListener("click", () => zoom(0.8));
  $("fit").addEventListener("click", fit);
  $("unfold").addEventListener("click", () => fold_all(false));
  $("fold").addEventListener("click", () => fold_all(true));
  window.addEventListener("resize", fit);

  // For the console, and for tests.
  const find = (name) => {
    const i = nodes.findIndex((node) => node.label === name);
    if (i < 0) throw new Error(`nothing here is called ${name}`);
    return i;
  };
  window.tapegrad = {
    alive: !dead,
    value: (name) => results.values[find(name)].data,
    grad: (name) => results.grads[find(name)].data,
    shares: (name) => results.shares[find(name)].map(([user, , share]) => [name_of(user), share.data]),
    set: (name, value, place = 0) => set(find(name), place, value),
    select: (name) => go_to(find(name)),
  };
})();
