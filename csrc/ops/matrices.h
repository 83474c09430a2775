// Batches of matrices: what the functions of linear algebra check of them, and how they are worked on.
#pragma once

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "core/parallel.h"
#include "core/tensor.h"
#include "kernels/blas.h"
#include "ops/views.h"
#include "replay/recorder.h"

namespace tapegrad {

// The matrices of the last two dimensions.
struct Matrices {
    explicit Matrices(const Tensor& x);
    // Sizes of as many matrices, or vectors, of another size.
    Dims of(int64_t rows, int64_t columns) const;
    Dims of(int64_t length) const;
    Dims batch;
    int64_t count, rows, columns;
};

// Each raises unless x, which messages call by a name, is what it asks for.
void require_matrices(const char* function, const Tensor& x, const char* name = "A");
void require_square(const char* function, const Tensor& x, const char* name = "A");
void require_float(const char* function, const Tensor& x);
void require_precision(const char* function, const Tensor& x);  // float32 or float64
// Square and floats.
void require_square_float(const char* function, const Tensor& x);

[[noreturn]] void refuse_without_lapack();
template <class T> const kernels::Lapack<T>& require_lapack() {
    const kernels::Lapack<T>* found = kernels::lapack<T>();
    if (!found) refuse_without_lapack();
    return *found;
}
// Sizes as LAPACK takes them.
int lapack_int(int64_t size);
// What a routine says that it needs.
template <class T> int lapack_size(T optimum) {
    return lapack_int(static_cast<int64_t>(static_cast<double>(optimum) * (1 + 1e-6)) + 1);
}

// Memory of a thread, aligned for vectors; zeros at first.
template <class T> class Scratch {
public:
    explicit Scratch(int64_t count) {
        const size_t bytes = static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(T);
        data_ = static_cast<T*>(::operator new(bytes, kAlignment));
        std::memset(static_cast<void*>(data_), 0, bytes);
    }
    ~Scratch() { ::operator delete(data_, kAlignment); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return data_; }
    T& operator[](int64_t i) { return data_[i]; }

private:
    static constexpr std::align_val_t kAlignment{64};
    T* data_;
};

// f(begin, end) for ranges of matrices that cost `work` multiplications each.
template <class F> void for_matrices(int64_t count, double work, F&& f) {
    const double enough = 100'000 / std::max(work, 1.0);
    parallel_for(count, std::max<int64_t>(1, static_cast<int64_t>(enough)), std::forward<F>(f));
}
inline double cube(int64_t n) {
    return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
}

// Copies a matrix that lies row by row to rows of another length, and its transpose.
template <class T>
void copy_rows(T* to, int64_t to_row, const T* from, int64_t from_row, int64_t rows,
               int64_t columns) {
    if (to_row == columns && from_row == columns && rows > 0 && columns > 0) {
        std::memcpy(to, from, static_cast<size_t>(rows * columns) * sizeof(T));
        return;
    }
    constexpr int64_t kPiece =
        16 / sizeof(T);  // short rows are copied before a call of memcpy returns
    for (int64_t i = 0; i < rows; ++i, to += to_row, from += from_row) {
        int64_t j = 0;
        for (; j + kPiece <= columns; j += kPiece) std::memcpy(to + j, from + j, 16);
        for (; j < columns; ++j) to[j] = from[j];
    }
}
template <class T>
void copy_transposed(T* to, int64_t to_row, const T* from, int64_t from_row, int64_t rows,
                     int64_t columns) {
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
}

// The last two dimensions swapped: recorded, and the window alone.
inline Tensor mT(const Tensor& x) { return transpose(x, -2, -1); }
inline Tensor mT_window(const Tensor& x) { return swap_dims(x, x.dim() - 2, x.dim() - 1); }

// "(Batch element 3): " of the first matrix whose flag is not zero, and the flag; 0 if there is none.
struct Failure {
    std::string element;
    int64_t flag = 0;
};
Failure first_failure(const Tensor& flags);
// Calls refuse(failure), which raises and captures no tensors, if there is one.
template <class F> void check_flags(const Tensor& flags, F refuse) {
    launch(checking([refuse](const Tensor& given) {
               if (const Failure failure = first_failure(given); failure.flag != 0) refuse(failure);
           }),
           reads(flags));
}

// a and b with the same leading dimensions, as they broadcast; recorded.
std::pair<Tensor, Tensor> with_same_batch(const Tensor& a, const Tensor& b);

}  // namespace tapegrad
