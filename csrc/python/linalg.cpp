#include "ops/linalg.h"
#include "ops/einsum.h"
#include "ops/least_squares.h"
#include "ops/matrix_functions.h"
#include "ops/scaled_products.h"
#include "ops/views.h"

#include "python/bind.h"

namespace tapegrad::python {

// The module that tapegrad.linalg takes its functions from, with their exception.
PyObject* linalg_module(PyObject* m) {
    static PyObject* const module = [m] {
        PyObject* made = PyModule_New("tapegrad._C._linalg");
        linalg_error = PyErr_NewExceptionWithDoc(
            "tapegrad.linalg.LinAlgError",
            "Raised where a matrix is singular, not positive definite, or has no such factors.",
            PyExc_RuntimeError, nullptr);
        if (!made || !linalg_error || PyModule_AddObjectRef(m, "_linalg", made) < 0 ||
            PyModule_AddObjectRef(m, "_LinAlgError", linalg_error) < 0)
            Py_FatalError("tapegrad: no memory for the module of linear algebra");
        return made;
    }();
    return module;
}

namespace {

// What einsum("...", ...) has got beside tensors.
[[noreturn]] void refuse_operands(const ObjectList& objects) {
    PyObject* const only = objects[1];
    const bool list = objects.size() == 2 && (PyList_Check(only) || PyTuple_Check(only));
    const Py_ssize_t count =
        list ? PySequence_Fast_GET_SIZE(only) : static_cast<Py_ssize_t>(objects.size()) - 1;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* operand =
            list ? PySequence_Fast_GET_ITEM(only, i) : objects[static_cast<size_t>(i) + 1];
        if (!is_tensor(operand))
            fail<TypeError>("einsum(): expected Tensor as element ", i,
                            " of the operands, but got ", Py_TYPE(operand)->tp_name);
    }
    fail<TypeError>("einsum(): expected an equation and Tensors");
}

// einsum(tensor, [0, 1], tensor, [1, 2], [0, 2]): numbers, and an Ellipsis, in place of an equation.
Tensor einsum_by_lists(const ObjectList& objects) {
    constexpr auto nothing =
        "einsum(): must specify the equation string and at least one operand, or at least one "
        "operand and its subscripts list";
    if (objects.size() < 2) {
        if (!objects.empty() && !is_tensor(objects[0]) && !PyUnicode_Check(objects[0]))
            fail<TypeError>("einsum(): argument 'equation' (position 1) must be str, not ",
                            Py_TYPE(objects[0])->tp_name);
        fail<ValueError>(nothing);
    }
    if (PyUnicode_Check(objects[0])) refuse_operands(objects);
    std::string equation;
    const auto add = [&](PyObject* list) {
        if (!PyTuple_Check(list) && !PyList_Check(list))
            fail<TypeError>("einsum(): subscripts must be a list or a tuple, not ",
                            Py_TYPE(list)->tp_name);
        ObjectList subscripts;  // owned, because the __index__ of one may change the list
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); ++i)
            subscripts.push_back(Py_NewRef(PySequence_Fast_GET_ITEM(list, i)));
        for (PyObject* item : subscripts) {
            int64_t number = 0;
            if (item == Py_Ellipsis) {
                equation += "...";
                continue;
            }
            if (!read_integer(item, number) || number < 0 || number >= 52)
                fail<ValueError>(
                    "einsum(): subscript in subscript list is not within the valid range [0, 52)");
            equation += static_cast<char>(number < 26 ? 'A' + number : 'a' + number - 26);
        }
    };
    std::vector<Tensor> operands;
    for (size_t i = 0; i + 1 < objects.size(); i += 2) {
        if (!is_tensor(objects[i]))
            fail<TypeError>("einsum(): argument 'equation' (position 1) must be str, not ",
                            Py_TYPE(objects[i])->tp_name);
        operands.push_back(unwrap(objects[i]));
        if (i > 0) equation += ',';
        add(objects[i + 1]);
    }
    if (objects.size() % 2 == 1) {
        equation += "->";
        add(objects.back());
    }
    return einsum(equation, operands);
}

// The numbers of the last dimensions of one tensor and of the first ones of the other.
Tensor tensordot_by_count(const Tensor& a, const Tensor& b, int64_t count) {
    if (count < 0) fail("tensordot expects dims >= 0, but got dims=", count);
    if (count > std::min(a.dim(), b.dim()))
        fail("tensordot expects dims < ndim_a or ndim_b, but got dims=", count);
    Dims last, first;
    for (int64_t d = 0; d < count; ++d) {
        last.push_back(d - count);
        first.push_back(d);
    }
    return tensordot(a, b, last, first);
}
Tensor tensordot_by_lists(const Tensor& a, const Tensor& b, const std::vector<Dims>& dims) {
    if (dims.size() != 2) fail("tensordot expects two lists of dimensions, but got ", dims.size());
    return tensordot(a, b, dims[0], dims[1]);
}
Tensor tensordot_by_tensor(const Tensor& a, const Tensor& b, const Tensor& dims) {
    if (dims.numel() == 1) return tensordot_by_count(a, b, to_number(dims).to_int());
    if (dims.dim() != 2 || dims.sizes()[0] != 2 || dims.is_floating())
        fail("tensordot expects a tensor of two rows of dimensions, but got shape ",
             to_string(dims.sizes()));
    Dims lists[2];
    for (int64_t row : {0, 1})
        for (int64_t i = 0; i < dims.sizes()[1]; ++i)
            lists[row].push_back(to_number(select(select(dims, 0, row), 0, i)).to_int());
    return tensordot(a, b, lists[0], lists[1]);
}

// The forms of old programs, with the factors in front of what they belong to.
template <auto F, auto InPlace>
void scaled_product(Operator& function, Operator& in_place, const std::string& factors) {
    const std::string one = "(input, beta, " + factors, two = "(input, beta, alpha, " + factors;
    function
        .deprecated(one.c_str(), [](const Tensor& x, const Scalar& beta, const Tensor& a,
                                    const Tensor& b) { return F(x, a, b, beta, 1); })
        .deprecated(two.c_str(),
                    [](const Tensor& x, const Scalar& beta, const Scalar& alpha, const Tensor& a,
                       const Tensor& b) { return F(x, a, b, beta, alpha); })
        .deprecated(("(beta, input, " + factors).c_str(),
                    [](const Scalar& beta, const Tensor& x, const Tensor& a, const Tensor& b) {
                        return F(x, a, b, beta, 1);
                    })
        .deprecated(("(beta, input, alpha, " + factors).c_str(),
                    [](const Scalar& beta, const Tensor& x, const Scalar& alpha, const Tensor& a,
                       const Tensor& b) { return F(x, a, b, beta, alpha); });
    in_place
        .deprecated(one.c_str(),
                    [](const Tensor& x, const Scalar& beta, const Tensor& a,
                       const Tensor& b) -> const Tensor& { return InPlace(x, a, b, beta, 1); })
        .deprecated(two.c_str(),
                    [](const Tensor& x, const Scalar& beta, const Scalar& alpha, const Tensor& a,
                       const Tensor& b) -> const Tensor& { return InPlace(x, a, b, beta, alpha); });
}

}  // namespace

void bind_linalg(PyObject* m) {
    def<"matmul">(m, matmul).out_has(kSameType);
    def<"mm">(m, mm).out_has(kSameType);
    def<"bmm">(m, bmm).out_has(kSameType);
    def<"mv">(m, mv).out_has(kSameType);
    def<"dot">(m, dot).out_has(kSameType);
    def<"inner">(m, inner).out_has(kSameType);
    def<"outer">(m, outer);
    scaled_product<addmm, addmm_>(def<"addmm">(m, addmm).out_has(kSameType),
                                  def_method<"addmm_">(m, addmm_), "mat1, mat2)");
    scaled_product<addmv, addmv_>(def<"addmv">(m, addmv).out_has(kSameType),
                                  def_method<"addmv_">(m, addmv_), "mat, vec)");
    scaled_product<addr, addr_>(def<"addr">(m, addr), def_method<"addr_">(m, addr_), "vec1, vec2)");
    scaled_product<baddbmm, baddbmm_>(def<"baddbmm">(m, baddbmm).out_has(kSameType),
                                      def_method<"baddbmm_">(m, baddbmm_), "batch1, batch2)");
    scaled_product<addbmm, addbmm_>(def<"addbmm">(m, addbmm).out_has(kSameType),
                                    def_method<"addbmm_">(m, addbmm_), "batch1, batch2)");
    def<"vdot">(m, vdot).out_has(kSameType);
    def<"ger">(m, outer);
    def<"kron">(m, kron);
    def<"trace">(m, trace).without_out();
    def<"cross">(m, cross_old);
    def<"matrix_power">(m, matrix_power);
    def<"matrix_exp">(m, matrix_exp).without_out();
    def_function<"chain_matmul">(m, chain_matmul);
    def_function<"tensordot">(m, tensordot_by_count, tensordot_by_lists, tensordot_by_tensor);
    def_function<"block_diag">(m, block_diag).without_out();
    def_function<"vander">(m, vander).without_out();
    def_function<"einsum">(m, einsum, einsum_by_lists).without_out();
    PyObject* linalg = linalg_module(m);
    def_function<"linalg_matmul">(linalg, matmul).out_has(kSameType);
    def_function<"linalg_vecdot">(linalg, vecdot).out_has(kSameType);
    def_function<"linalg_cross">(linalg, cross).out_has(kSameType);
    def_function<"linalg_multi_dot">(linalg, multi_dot).out_has(kSameType);
    def_function<"linalg_matrix_power">(linalg, matrix_power).out_has(kSameType);
    def_function<"linalg_matrix_exp">(linalg, matrix_exp).without_out();
    def_function<"linalg_diagonal">(linalg, diagonal).without_out();
    def_function<"linalg_vander">(linalg, linalg_vander).without_out();
    def_function<"linalg_tensorinv">(linalg, tensorinv);
    def_function<"linalg_tensorsolve">(linalg, tensorsolve);
    def_function<"linalg_cond">(linalg, cond);
    def_function<"linalg_lstsq">(linalg, lstsq).without_out();
    def_function<"linear">(m, linear);
}

}  // namespace tapegrad::python
