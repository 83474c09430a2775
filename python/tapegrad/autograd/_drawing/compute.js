// Runs a graph forward and backward. Element-wise operators are the engine's formulas; the others, few and
// short, are written here once more. An array is {shape, data}, with data in C order.
//
// A graph's nodes stand in the order in which they ran. Inputs are pairs [node, number of its result] or null.

// ---------------------------------------------------------------------------------------- arrays

const count = (shape) => shape.reduce((n, size) => n * size, 1);
const array = (shape, data) => ({ shape, data });
const filled = (shape, value) => array(shape, new Array(count(shape)).fill(value));
const map = (f, x) => array(x.shape, x.data.map(f));

function strides(shape) {
  const steps = new Array(shape.length);
  for (let i = shape.length - 1, step = 1; i >= 0; step *= shape[i--]) steps[i] = step;
  return steps;
}
// Calls visit(place in the array of this shape, coordinates).
function each(shape, visit) {
  const at = new Array(shape.length).fill(0), n = count(shape);
  for (let i = 0; i < n; i++) {
    visit(i, at);
    for (let d = shape.length - 1; d >= 0 && ++at[d] === shape[d]; d--) at[d] = 0;
  }
}
const place = (steps, at) => at.reduce((sum, index, d) => sum + index * (steps[d] ?? 0), 0);

function broadcast(...shapes) {
  const dims = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: dims }, (_, d) => {
    const sizes = shapes.map((s) => s[d - dims + s.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}
// For each element of the larger shape the one of x that it comes from.
function sources(x, shape) {
  const lead = shape.length - x.shape.length, steps = strides(x.shape), from = [];
  each(shape, (i, at) => {
    let sum = 0;
    for (let d = 0; d < x.shape.length; d++) if (x.shape[d] !== 1) sum += at[d + lead] * steps[d];
    from.push(sum);
  });
  return from;
}
const expand = (x, shape) => array(shape, sources(x, shape).map((i) => x.data[i]));
// The other way round: elements that come from the same one are added.
function sum_to(x, shape) {
  const out = filled(shape, 0);
  sources(out, x.shape).forEach((to, i) => (out.data[to] += x.data[i]));
  return out;
}
// f of the elements of arrays that broadcast.
function zip(f, ...arrays) {
  const shape = broadcast(...arrays.map((x) => x.shape));
  const full = arrays.map((x) => (count(x.shape) === count(shape) ? x : expand(x, shape)));
  return array(shape, Array.from({ length: count(shape) }, (_, i) => f(...full.map((x) => x.data[i]))));
}
const scaled = (x, factor) => map((v) => v * factor, x);

// ------------------------------------------------------------------------------------ reductions

const wrapped = (dim, dims) => (dim < 0 ? dim + dims : dim);
const all_dims = (dim, shape) =>
  dim === undefined || dim === null || (Array.isArray(dim) && !dim.length)
    ? shape.map((_, d) => d)
    : [dim].flat().map((d) => wrapped(d, shape.length));
// The shape of a reduction's result with the dimensions kept, and without.
const kept = (shape, dims) => shape.map((size, d) => (dims.includes(d) ? 1 : size));
const reshape = (x, shape) => array(shape, x.data);

function sum_over(x, dims) {
  return sum_to(x, kept(x.shape, dims));
}
// The elements of each group that is reduced: their places in x, in order.
function groups(shape, dims) {
  const to = kept(shape, dims), steps = strides(to);
  const found = Array.from({ length: count(to) }, () => []);
  each(shape, (i, at) => {
    found[at.reduce((sum, index, d) => sum + (dims.includes(d) ? 0 : index * steps[d]), 0)].push(i);
  });
  return found;
}
// A reduction: value(elements) and slopes(elements, value), the derivative by each of them.
function reduction(value, slopes) {
  const parts = (node, x) => {
    const dims = all_dims(node.saved.dim, x.shape);
    return groups(x.shape, dims).map((places) => places.map((i) => x.data[i]));
  };
  return {
    forward: (node, x) => array(node.shape, parts(node, x).map((part) => value(part, node))),
    backward(node, g, y, x) {
      const out = filled(x.shape, 0);
      groups(x.shape, all_dims(node.saved.dim, x.shape)).forEach((places, k) => {
        const part = places.map((i) => x.data[i]);
        const by = slopes(part, y.data[k], node);
        places.forEach((i, j) => (out.data[i] = g.data[k] * by[j]));
      });
      return [out];
    },
  };
}
const total = (part) => part.reduce((sum, v) => sum + v, 0);
const average = (part) => total(part) / part.length;
const shared_by = (part, y) => {
  const equal = part.map((v) => v === y || (isnan(v) && isnan(y)));
  const n = equal.filter(Boolean).length;
  return equal.map((is) => (is ? 1 / n : 0));
};
function variance(part, node) {
  const mean = average(part);
  return total(part.map((v) => (v - mean) ** 2)) / Math.max(0, part.length - node.saved.correction);
}
function variance_slopes(part, node) {
  const mean = average(part), n = part.length - node.saved.correction;
  return part.map((v) => (2 / n) * (v - mean));
}
const largest = (part) => part.reduce(maximum, -Infinity);
function exp_sum_log(part) {
  const top = largest(part);
  return isinf(top) ? top : top + log(total(part.map((v) => exp(v - top))));
}
const norm = {
  1: [(part) => total(part.map(abs)), (part) => part.map(sign)],
  2: [(part) => hypot(...part), (part, y) => part.map((v) => (y === 0 ? 0 : v / y))],
  Infinity: [
    (part) => part.map(abs).reduce(maximum, 0),
    (part, y) => shared_by(part.map(abs), y).map((s, i) => s * sign(part[i])),
  ],
};

// --------------------------------------------------------------------------------------- products

const mT = (x) => permute(x, [...x.shape.keys()].map((d, i, all) =>
  i < all.length - 2 ? d : i === all.length - 1 ? d - 1 : d + 1));
function permute(x, dims) {
  const shape = dims.map((d) => x.shape[d]), steps = strides(x.shape);
  const data = [];
  each(shape, (i, at) => data.push(x.data[dims.reduce((sum, d, k) => sum + at[k] * steps[d], 0)]));
  return array(shape, data);
}
// Of matrices, or of as many as the leading dimension has.
function matmul(a, b) {
  const inner = a.shape.at(-1), n = a.shape.at(-2) ?? 1, m = b.shape.at(-1);
  const out = filled([...a.shape.slice(0, -1), m], 0);
  for (let row = 0; row < count(a.shape) / inner; row++) {
    const batch = b.shape.length > 2 ? Math.floor(row / n) * inner * m : 0;
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += a.data[row * inner + k] * b.data[batch + k * m + j];
      out.data[row * m + j] = sum;
    }
  }
  return out;
}
const product = {
  forward: (node, a, b) => matmul(a, b),
  backward: (node, g, y, a, b) => [matmul(g, mT(b)), matmul(mT(a), g)],
};
// Of a linear layer: rows of any number of dimensions times a matrix that is transposed.
const linear = {
  forward: (node, a, b) => matmul(a, mT(b)),
  backward: (node, g, y, a, b) => [matmul(g, b), matmul(mT(as_rows(g)), as_rows(a))],
};
const as_rows = (x) => reshape(x, [count(x.shape.slice(0, -1)), x.shape.at(-1)]);
const product_of = (node) => (node.saved.transposed ? linear : product);
const column = (x) => reshape(x, [x.shape[0], 1]);
const row = (x) => reshape(x, [1, x.shape[0]]);

// ------------------------------------------------------------------------------------------ places

// An operation that hands elements on: from(node, shape of x) has for each element of the result the place
// in x. Elements that are handed on several times get the sum of the gradients.
function gathering(from) {
  return {
    forward: (node, x) => array(node.shape, from(node, x.shape).map((i) => x.data[i])),
    backward(node, g, y, x) {
      const out = filled(x.shape, 0);
      from(node, x.shape).forEach((i, j) => (out.data[i] += g.data[j]));
      return [out];
    },
  };
}
const same = gathering((node, shape) => [...Array(count(shape)).keys()]);
// coordinates(node, at, shape) in x of the element at `at` of the result.
const moving = (coordinates) =>
  gathering((node, shape) => {
    const steps = strides(shape), from = [];
    each(node.shape, (i, at) => from.push(place(steps, coordinates(node, at, shape))));
    return from;
  });
const with_dim = (at, dim, index) => at.map((k, d) => (d === dim ? index : k));
const inserted = (at, dim, index) => [...at.slice(0, dim), index, ...at.slice(dim)];

const permuted = (dims_of) =>
  moving((node, at, shape) => {
    const from = [];
    dims_of(node, shape).forEach((d, k) => (from[wrapped(d, shape.length)] = at[k]));
    return from;
  });
const swapped = (node, shape) => {
  const dims = [...shape.keys()];
  if (dims.length < 2) return dims;
  const a = wrapped(node.saved.dim0 ?? 0, shape.length), b = wrapped(node.saved.dim1 ?? 1, shape.length);
  [dims[a], dims[b]] = [dims[b], dims[a]];
  return dims;
};

// Several arrays in one: where each begins along the dimension.
function joining(node, arrays, visit) {
  const stacks = node.op === "StackBackward0";
  const dim = wrapped(node.saved.dim, node.shape.length), steps = strides(node.shape);
  let start = 0;
  arrays.forEach((x, k) => {
    each(x.shape, (i, at) => {
      const to = stacks ? inserted(at, dim, k) : with_dim(at, dim, at[dim] + start);
      visit(k, i, place(steps, to));
    });
    start += stacks ? 1 : x.shape[dim];
  });
}
const joined = {
  forward(node, ...arrays) {
    const out = filled(node.shape, 0);
    joining(node, arrays, (k, i, to) => (out.data[to] = arrays[k].data[i]));
    return out;
  },
  backward(node, g, y, ...arrays) {
    const out = arrays.map((x) => filled(x.shape, 0));
    joining(node, arrays, (k, i, to) => (out[k].data[i] = g.data[to]));
    return out;
  },
};

// ------------------------------------------------------------------------------- softmax and losses

const along = (f) => (node, x, ...more) => {
  const out = filled(x.shape, 0);
  groups(x.shape, [wrapped(node.saved.dim, x.shape.length)]).forEach((places) => {
    const parts = [x, ...more].map((v) => places.map((i) => v.data[i]));
    f(...parts).forEach((v, j) => (out.data[places[j]] = v));
  });
  return out;
};
const log_softmax_of = (part) => {
  const z = exp_sum_log(part);
  return part.map((v) => v - z);
};
const softmax_of = (part) => log_softmax_of(part).map(exp);
const softmax_slopes = (g, y) => {
  const mean = total(g.map((v, i) => v * y[i]));
  return g.map((v, i) => y[i] * (v - mean));
};
const log_softmax_slopes = (g, y) => {
  const sum = total(g);
  return g.map((v, i) => v - exp(y[i]) * sum);
};
// A loss of squares, and what its mean divides by.
const divisor = (node, x) => (node.saved.reduction === "mean" ? count(x.shape) : 1);
function reduced(node, losses, n) {
  return node.saved.reduction === "none" ? losses : array([], [total(losses.data) / n]);
}

const rows_of = (x) =>
  Array.from({ length: x.shape[0] }, (_, i) => x.data.slice(i * x.shape[1], (i + 1) * x.shape[1]));
const total_weight = (node) =>
  node.saved.total_weight ? node.saved.total_weight.data[0] : 1;

// The dimensions of layer_norm, and its numbers.
const normalized = (node, x) =>
  [...x.shape.keys()].slice(x.shape.length - node.saved.normalized_shape.length);
const deviation = (node, part) => {
  const mean = average(part);
  return sqrt(average(part.map((v) => (v - mean) ** 2)) + node.saved.eps);
};
const standardized = (node, part) => {
  const mean = average(part), size = deviation(node, part);
  return part.map((v) => (v - mean) / size);
};
function triangle(keeps) {
  const masked = (node, x) => {
    const out = filled(x.shape, 0);
    each(x.shape, (i, at) => {
      if (keeps(...at.slice(-2), node.saved.diagonal)) out.data[i] = x.data[i];
    });
    return out;
  };
  return { forward: masked, backward: (node, g) => [masked(node, g)] };
}

// ------------------------------------------------------------------------------------- operations

// forward(node, inputs...) and backward(node, g, result, inputs...): a gradient for each input.
const operations = {
  SumBackward0: {
    forward: (node, x) => reshape(sum_over(x, all_dims(node.saved.dim, x.shape)), node.shape),
    backward: (node, g, y, x) => [expand(reshape(g, kept(x.shape, all_dims(node.saved.dim, x.shape))), x.shape)],
  },
  MeanBackward0: reduction(average, (part) => part.map(() => 1 / part.length)),
  ProdBackward0: reduction(
    (part) => part.reduce((p, v) => p * v, 1),
    (part) => part.map((_, i) => part.reduce((p, v, j) => (i === j ? p : p * v), 1)),
  ),
  AmaxBackward0: reduction(largest, shared_by),
  AminBackward0: reduction((part) => part.reduce(minimum), shared_by),
  VarBackward0: reduction(variance, (part, y, node) => variance_slopes(part, node)),
  StdBackward0: reduction(
    (part, node) => sqrt(variance(part, node)),
    (part, y, node) => variance_slopes(part, node).map((s) => (y === 0 ? 0 : s / (2 * y))),
  ),
  LogsumexpBackward0: reduction(exp_sum_log, softmax_of),
  LinalgVectorNormBackward0: reduction(
    (part, node) => norm[node.saved.ord][0](part),
    (part, y, node) => norm[node.saved.ord][1](part, y),
  ),
  MaxBackward0: reduction(largest, (part, y) => part.map((v, i) => (i === part.indexOf(y) ? 1 : 0))),
  MinBackward0: reduction(
    (part) => part.reduce(minimum),
    (part, y) => part.map((v, i) => (i === part.indexOf(y) ? 1 : 0)),
  ),
  CumsumBackward0: {
    forward: along((part) => part.map(((sum) => (v) => (sum += v))(0))),
    backward: (node, g) => [along((part) => part.map((_, i) => total(part.slice(i))))(node, g)],
  },

  MmBackward0: {
    forward: (node, a, b) => product_of(node).forward(node, a, b),
    backward: (node, ...values) => product_of(node).backward(node, ...values),
  },
  BmmBackward0: product,
  MvBackward0: {
    forward: (node, a, v) => reshape(matmul(a, column(v)), node.shape),
    backward: (node, g, y, a, v) => [
      matmul(column(g), row(v)),
      reshape(matmul(mT(a), column(g)), v.shape),
    ],
  },
  DotBackward0: {
    forward: (node, a, b) => array([], [total(a.data.map((v, i) => v * b.data[i]))]),
    backward: (node, g, y, a, b) => [scaled(b, g.data[0]), scaled(a, g.data[0])],
  },
  AddmmBackward0: {
    forward(node, bias, a, b) {
      const { alpha = 1, beta = 1 } = node.saved;
      return zip((x, y) => alpha * x + (beta && beta * y), product_of(node).forward(node, a, b), bias);
    },
    backward(node, g, y, bias, a, b) {
      const { alpha = 1, beta = 1 } = node.saved;
      return [
        scaled(sum_to(g, bias.shape), beta),
        ...product_of(node).backward(node, scaled(g, alpha), null, a, b),
      ];
    },
  },

  ViewBackward0: same,
  ExpandBackward0: {
    forward: (node, x) => expand(x, node.shape),
    backward: (node, g, y, x) => [sum_to(g, x.shape)],
  },
  PermuteBackward0: permuted((node) => node.saved.dims),
  TransposeBackward0: permuted(swapped),
  SelectBackward0: moving((node, at, shape) =>
    inserted(at, wrapped(node.saved.dim, shape.length),
             wrapped(node.saved.index, shape[wrapped(node.saved.dim, shape.length)]))),
  SliceBackward0: moving((node, at, shape) => {
    const dim = wrapped(node.saved.dim, shape.length);
    return with_dim(at, dim, node.saved.start + at[dim] * node.saved.step);
  }),
  ToCopyBackward0: {
    forward: (node, x) => (node.dtype === "float32" ? map(Math.fround, x) : x),
    backward: (node, g) => [g],
  },
  CatBackward0: joined,
  StackBackward0: joined,
  WhereBackward0: {
    forward: (node, a, b) => zip(where, node.saved.condition, a, b),
    backward: (node, g, y, a, b) => [
      sum_to(zip((c, v) => (c ? v : 0), node.saved.condition, g), a.shape),
      sum_to(zip((c, v) => (c ? 0 : v), node.saved.condition, g), b.shape),
    ],
  },

  SoftmaxBackward0: {
    forward: along(softmax_of),
    backward: (node, g, y) => [along(softmax_slopes)(node, g, y)],
  },
  LogSoftmaxBackward0: {
    forward: along(log_softmax_of),
    backward: (node, g, y) => [along(log_softmax_slopes)(node, g, y)],
  },
  MseLossBackward0: {
    forward: (node, a, b) => reduced(node, zip((x, y) => (x - y) ** 2, a, b), divisor(node, a)),
    backward(node, g, y, a, b) {
      const slope = zip((v, x, t) => (v * 2 * (x - t)) / divisor(node, a), g, a, b);
      return [slope, scaled(slope, -1)];
    },
  },
  BinaryCrossEntropyWithLogitsBackward0: {
    forward: (node, a, b) =>
      reduced(node, zip(formulas.logit_loss.forward, a, b), divisor(node, a)),
    backward: (node, g, y, a, b) => [formulas.logit_loss.lhs, formulas.logit_loss.rhs].map((side) =>
      scaled(zip(side, g, a, b, array([], [0])), 1 / divisor(node, a))),
  },
  // Of rows of logits (cross_entropy), or of logarithms, and the numbers of their classes. Rows of weight 0 are
  // ignored.
  NllLossBackward0: {
    forward(node, x) {
      const { target, of_logits, weights } = node.saved;
      const losses = rows_of(x).map((part, i) => {
        if (weights.data[i] === 0) return 0;
        return -weights.data[i] * (of_logits ? log_softmax_of(part) : part)[target.data[i]];
      });
      return reduced(node, array(target.shape, losses), total_weight(node));
    },
    backward(node, g, y, x) {
      const { target, of_logits, weights } = node.saved;
      const slopes = rows_of(x).map((part, i) => {
        const factor = (g.data[node.shape.length ? i : 0] * weights.data[i]) / total_weight(node);
        const shares = of_logits ? softmax_of(part) : part.map(() => 0);
        return weights.data[i] === 0 ? part.map(() => 0)
          : shares.map((p, c) => factor * (p - (c === target.data[i] ? 1 : 0)));
      });
      return [array(x.shape, slopes.flat())];
    },
  },
  NativeLayerNormBackward0: {
    forward: (node, x, weight, bias) => {
      const out = filled(x.shape, 0);
      groups(x.shape, normalized(node, x)).forEach((places) => {
        const z = standardized(node, places.map((i) => x.data[i]));
        places.forEach((i, j) => (out.data[i] = z[j]));
      });
      const times = weight ? zip((a, b) => a * b, out, weight) : out;
      return bias ? zip((a, b) => a + b, times, bias) : times;
    },
    backward(node, g, y, x, weight, bias) {
      const by = weight ? zip((a, b) => a * b, g, weight) : g;
      const out = filled(x.shape, 0), unit = filled(x.shape, 0);
      groups(x.shape, normalized(node, x)).forEach((places) => {
        const part = places.map((i) => x.data[i]), slopes = places.map((i) => by.data[i]);
        const z = standardized(node, part), mean = average(slopes);
        const along_z = average(slopes.map((v, j) => v * z[j]));
        places.forEach((i, j) => {
          unit.data[i] = z[j];
          out.data[i] = (slopes[j] - mean - z[j] * along_z) / deviation(node, part);
        });
      });
      return [
        out,
        weight && sum_to(zip((a, b) => a * b, g, unit), weight.shape),
        bias && sum_to(g, bias.shape),
      ];
    },
  },
  NativeDropoutBackward0: {
    forward: (node, x) => zip((kept, v) => (kept ? v / (1 - node.saved.p) : 0), node.saved.mask, x),
    backward: (node, g) => [zip((kept, v) => (kept ? v / (1 - node.saved.p) : 0), node.saved.mask, g)],
  },
  // Rows by their numbers.
  EmbeddingBackward0: gathering((node, shape) => {
    const size = count(shape.slice(1));
    return node.saved.indices.data.flatMap((k) =>
      Array.from({ length: size }, (_, i) => wrapped(k, shape[0]) * size + i));
  }),
  GatherBackward0: moving((node, at, shape) => {
    const dim = wrapped(node.saved.dim, shape.length);
    return with_dim(at, dim, node.saved.index.data[place(strides(node.shape), at)]);
  }),
  FlipBackward0: moving((node, at, shape) =>
    at.map((k, d) => (node.saved.dims.map((n) => wrapped(n, shape.length)).includes(d) ? shape[d] - 1 - k : k))),
  TrilBackward0: triangle((row, column, diagonal) => column - row <= diagonal),
  TriuBackward0: triangle((row, column, diagonal) => column - row >= diagonal),
  AddcmulBackward0: {
    forward: (node, x, a, b) => zip((v, p, q) => v + node.saved.value * p * q, x, a, b),
    backward: (node, g, y, x, a, b) => [
      sum_to(g, x.shape),
      sum_to(zip((v, q) => v * q * node.saved.value, g, b), a.shape),
      sum_to(zip((v, p) => v * p * node.saved.value, g, a), b.shape),
    ],
  },
};
const ALSO = {
  SumBackward1: "SumBackward0", MeanBackward1: "MeanBackward0", ProdBackward1: "ProdBackward0",
  MaxBackward1: "AmaxBackward0", MinBackward1: "AminBackward0", LogsumexpBackward1: "LogsumexpBackward0",
  UnsafeViewBackward0: "ViewBackward0", ReshapeAliasBackward0: "ViewBackward0",
  UnsqueezeBackward0: "ViewBackward0", SqueezeBackward0: "ViewBackward0", SqueezeBackward1: "ViewBackward0",
  SqueezeBackward2: "ViewBackward0", CloneBackward0: "ViewBackward0",
  AliasBackward0: "ViewBackward0", IndexBackward0: "EmbeddingBackward0", TBackward0: "TransposeBackward0",
};

// Element-wise operators, of the formula that the node names; numbers stand in the place of operands.
const elementwise = {
  forward(node, ...inputs) {
    const formula = formulas[node.formula];
    if (formula.backward) return map((x) => formula.forward(x, ...node.numbers), inputs[0]);
    return zip(formula.forward, ...operands(node, inputs));
  },
  backward(node, g, y, ...inputs) {
    const formula = formulas[node.formula];
    if (formula.backward)
      return [zip((dy, x, result) => formula.backward(dy, x, result, ...node.numbers), g, inputs[0], y)];
    const values = operands(node, inputs);
    return [formula.lhs, formula.rhs].map((side, i) =>
      inputs[i] ? sum_to(zip(side, g, ...values, y), inputs[i].shape) : null);
  },
};
const operands = (node, inputs) =>
  node.numbers.map((number, i) => (number === null ? inputs[i] : array([], [number])));

const operation_of = (node) =>
  node.formula ? formulas[node.formula] && elementwise : operations[ALSO[node.op] ?? node.op];

// ------------------------------------------------------------------------------------------- runs

// Whether it is a form of an operation that is not here, though the operation is.
function is_odd(node, { nodes }) {
  const given = (name) => node.saved?.[name];
  if (node.op === "LinalgVectorNormBackward0") return !norm[given("ord")];
  if (node.op === "NllLossBackward0")
    return nodes[node.inputs[0]].shape.length !== 2 || given("smooth");
  if (node.op === "BinaryCrossEntropyWithLogitsBackward0") return given("weighted");
  if (node.op === "IndexBackward0") {
    const rows = nodes[node.inputs[0]].shape, { indices } = node.saved;
    if (indices && indices.data.some((i) => typeof i === "boolean")) return true;
    return indices && count(node.shape) !== count(indices.shape) * count(rows.slice(1));
  }
  return false;
}
// The names of operations that cannot be computed here.
function missing(graph) {
  const names = graph.nodes.filter((node) => node.op && !operation_of(node)).map((node) => node.op);
  for (const node of graph.nodes) if (is_odd(node, graph)) names.push(node.op);
  return [...new Set(names)];
}

// Operands that the tape does not have, from the result that it has and the other operand: result -> operand.
const solvers = {
  add: [(y, a, b) => zip((v, other) => v - other, y, b), (y, a) => zip((v, other) => v - other, y, a)],
  sub: [(y, a, b) => zip((v, other) => v + other, y, b), (y, a) => zip((v, other) => other - v, y, a)],
  WhereBackward0: [(y) => y, (y) => y],
};
// What an operation needs beside its inputs.
const NEEDS = {
  WhereBackward0: ["condition"], NllLossBackward0: ["target", "weights"], NativeLayerNormBackward0: ["eps"],
  NativeDropoutBackward0: ["mask"], EmbeddingBackward0: ["indices"], IndexBackward0: ["indices"],
  GatherBackward0: ["index"],
};
// Fills in constants that can be found; gives the label of an operation whose operand cannot, or null.
function complete(graph) {
  const values = [];
  for (const [i, node] of graph.nodes.entries()) {
    if (!node.op) {
      values[i] = node.value; // none where values are cut off
      continue;
    }
    const has = (name) => node.saved[name] !== undefined && node.saved[name] !== null;
    if (!(NEEDS[node.op] ?? []).every(has)) return node.label;
    const inputs = node.inputs.map((input) => (input === null ? null : values[input]));
    for (const [k, input] of node.inputs.entries()) {
      if (input === null || values[input]) continue;
      const solve = node.value && solvers[node.formula || node.op]?.[k];
      if (!solve) return node.label;
      const constant = graph.nodes[input];
      constant.value = values[input] = inputs[k] = solve(node.value, ...operands_of(node, inputs));
      constant.shape = constant.value.shape;
    }
    values[i] = operation_of(node).forward(node, ...inputs);
  }
  return null;
}
const operands_of = (node, inputs) => (node.formula ? operands(node, inputs) : inputs);

// Values, gradients, and what each user gives to a gradient: shares[node] = [[user, input, array], ...].
// A node without an operation has its value.
function run(graph) {
  const values = [], grads = [], shares = graph.nodes.map(() => []);
  const inputs_of = (node) => node.inputs.map((input) => (input === null ? null : values[input]));
  graph.nodes.forEach((node, i) => {
    values[i] = node.op ? operation_of(node).forward(node, ...inputs_of(node)) : node.value;
  });
  const wanted = graph.nodes.map((node) => node.wanted);
  grads[graph.root] = filled(values[graph.root].shape, 1);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.op || !grads[i]) continue;
    const given = operation_of(node).backward(node, grads[i], values[i], ...inputs_of(node));
    node.inputs.forEach((input, k) => {
      if (input === null || !wanted[input] || !given[k]) return;
      shares[input].push([i, k, given[k]]);
      grads[input] = grads[input] ? zip((a, b) => a + b, grads[input], given[k]) : given[k];
    });
  }
  return { values, grads, shares };
}
