// The readings Text and Uses of rules over whole tensors; prints failures, exits with 1 if there are any.
#include <cstdio>

#include "core/dims.h"
#include "formulas/words.h"

namespace {

using tapegrad::Dims;
using tapegrad::formulas::Text;
using tapegrad::formulas::Uses;

struct Softmax {
    static constexpr auto backward(auto g, auto, auto y, auto dim) {
        return y * (g - sum(g * y, dim, true));
    }
};
struct Expand {
    static constexpr auto backward(auto g, auto x) { return sum_to(g, x.sizes()); }
};
struct Product {
    static constexpr auto lhs(auto g, auto, auto b) { return mm(g, mT(b)); }
    static constexpr auto rhs(auto g, auto a, auto) { return mm(mT(a), g); }
};

constexpr Uses g = Uses::gradient(), a = Uses::argument(0), b = Uses::argument(1),
               y = Uses::result(), y1 = Uses::result(1), p;

constexpr Uses softmax = Softmax::backward(g, a, y, p);
static_assert(softmax.uses_result() && !softmax.uses_value(0) && !softmax.uses_sizes(0));
constexpr Uses expand = Expand::backward(g, a);
static_assert(expand.uses_sizes(0) && !expand.uses_value(0) && expand.values() == 0);
static_assert(!expand.uses_sizes(1) && !expand.uses_result_sizes(0));
static_assert(Product::lhs(g, a, b).uses_value(1) && !Product::lhs(g, a, b).uses_value(0));

static_assert(g.is_gradient() && !g.is_gradient(1) && Uses::gradient(1).is_gradient(1));
static_assert(!(-g).is_gradient() && !(g + p).is_gradient() && !sum(g, 0).is_gradient());
static_assert(!zero_like(a).uses_value(0) && !p.is_gradient());
static_assert((y1.size(0) * (a + b)).uses_result_sizes(1) && !y1.size(0).uses_result(1));
static_assert((a | b).values() == 3 && (a.dim() | b).values() == 2 && y.values() == 1u << 8);
static_assert(Uses::argument(7).numel().uses_sizes(7) && Uses::result(7).dtype().values() == 0);

int failures = 0;

void expect(const Text& found, const char* wanted) {
    if (found.s == wanted) return;
    std::printf("%s, but expected %s\n", found.s.c_str(), wanted);
    ++failures;
}

}  // namespace

int main() {
    const Text grad("grad"), self("self"), other("other"), result("result");
    expect(Softmax::backward(grad, self, result, 1),
           "result * (grad - sum(grad * result, 1, True))");
    expect(Expand::backward(grad, self), "sum_to(grad, self.sizes())");
    expect(Product::lhs(grad, self, other), "grad @ other.mT");
    expect(Product::rhs(grad - 1, self, other), "self.mT @ (grad - 1)");
    expect(sum(grad, Dims{0, 1}), "sum(grad, (0, 1))");
    expect(sum(grad, Dims{2}, false), "sum(grad, 2, False)");
    expect(reshape(grad, Dims{}), "reshape(grad, ())");
    expect(scatter(grad, int64_t{1} << 40, 0.5), "scatter(grad, 1099511627776, 0.5)");
    expect((grad == 1) | (self == 2), "(grad == 1) | (self == 2)");
    expect((grad * self).numel() / 2, "(grad * self).numel() / 2");
    expect(self.dim() - 1, "self.dim() - 1");
    expect(grad * -0.5, "grad * -0.5");
    expect(pow(self - 1, 2) * tanh(other), "(self - 1) ** 2 * tanh(other)");
    expect(zero_like(grad), "0");
    return failures ? 1 : 0;
}
