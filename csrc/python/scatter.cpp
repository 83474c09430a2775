#include "ops/scatter.h"
#include "python/bind.h"

namespace tapegrad::python {
namespace {

// The forms of scatter and of scatter_: with a source or a number, written or accumulated.
template <auto F, auto Accumulating, class R> struct Scatter {
    static R source(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source) {
        return F(x, dim, index, source);
    }
    static R value(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
        return F(x, dim, index, value);
    }
    static R reduced_source(const Tensor& x, int64_t dim, const Tensor& index, const Arg& source,
                            Accumulate reduce) {
        return Accumulating(x, dim, index, source, reduce_of(reduce));
    }
    static R reduced_value(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                           Accumulate reduce) {
        return Accumulating(x, dim, index, value, reduce_of(reduce));
    }
};

template <class R> using Write = R(const Tensor&, int64_t, const Tensor&, const Arg&);
template <class R> using Add = R(const Tensor&, int64_t, const Tensor&, const Arg&, Reduce);

}  // namespace

void bind_scatter(PyObject* m) {
    using Copied =
        Scatter<overload<Write<Tensor>>(scatter), overload<Add<Tensor>>(scatter), Tensor>;
    using InPlace = Scatter<overload<Write<const Tensor&>>(scatter_),
                            overload<Add<const Tensor&>>(scatter_), const Tensor&>;
    def<"scatter">(m, Copied::source, Copied::value, Copied::reduced_source, Copied::reduced_value)
        .out_has(kSameType | kApartFromOthers);
    def_method<"scatter_">(m, InPlace::source, InPlace::value, InPlace::reduced_source,
                           InPlace::reduced_value);
    def<"scatter_reduce">(m, scatter_reduce).out_has(kSameType | kApartFromOthers);
    def_method<"scatter_reduce_">(m, scatter_reduce_);
    def<"index_reduce">(m, index_reduce).out_has(kSameType | kApartFromOthers);
    def_method<"index_reduce_">(m, index_reduce_);
    def<"scatter_add">(m, scatter_add).out_has(kSameType | kApartFromOthers);
    def_method<"scatter_add_">(m, scatter_add_);
}

}  // namespace tapegrad::python
