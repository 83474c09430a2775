// What softmax, log_softmax and cross-entropy need of rows, for several rows at a time: their maxima, their
// exponentials, and the logarithms of the sums of these.
#pragma once

#include "kernels/reduce_blocks.h"

namespace tapegrad::TAPEGRAD_ISA {

// Rows of few elements, as many as a pack has lanes: a lane each, so that nothing is added up across lanes.
template <class T> class FewColumns {
public:
    using P = Pack<T>;
    static constexpr int64_t kMost = 16, kRows = P::size;
    // Depends on the whole array alone, as the order of additions must. One row is better off by itself.
    static bool suits(int64_t rows, int64_t n) { return n >= 1 && n <= kMost && rows >= 4; }

    // Lanes from `rows` >= 1 on repeat the last row.
    FewColumns(const T* x, int64_t rows, int64_t n) : n_(n) {
        for (int64_t r = 0; r < kRows; ++r) {
            const T* row = x + min_of(r, rows - 1) * n;
            for (int64_t j = 0; j < n; ++j) elements_[j * kRows + r] = row[j];
        }
    }
    TAPEGRAD_INLINE P operator[](int64_t j) const { return P::load(elements_ + j * kRows); }
    TAPEGRAD_INLINE void set(int64_t j, P column) { column.store(elements_ + j * kRows); }
    void store(T* out, int64_t rows) const {
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t j = 0; j < n_; ++j) out[r * n_ + j] = elements_[j * kRows + r];
    }
    P largest() const {
        P m = (*this)[0];
        for (int64_t j = 1; j < n_; ++j) m = max((*this)[j], m);
        return m;
    }
    // Replaces x by exp(x - shift), and adds up.
    P exponentials(P shift) {
        P total = 0;
        for (int64_t j = 0; j < n_; ++j) {
            const P e = exp_fast<false>((*this)[j] - shift);
            set(j, e);
            total += e;
        }
        return total;
    }

private:
    const int64_t n_;
    alignas(64) T elements_[kMost * kRows] = {};
};

// Of rows that follow one another, the maximum and log(sum(exp(x - maximum))). Several at a time: the logarithm
// of one takes as long as those of a pack.
template <class T> class RowNormalizers {
public:
    struct Of {
        T maximum, log_total;
    };
    // Rows [begin, end) of `rows`, which are asked for in order, n >= 1 elements each.
    RowNormalizers(const T* x, int64_t rows, int64_t n, int64_t begin, int64_t end)
        : x_(x),
          n_(n),
          next_(begin),
          end_(end),
          few_(FewColumns<T>::suits(rows, n)) {}
    TAPEGRAD_INLINE Of operator[](int64_t row) {
        if (row >= next_) advance(row);
        const int64_t at = kRows - (next_ - row);
        return {maximum_[at], log_total_[at]};
    }

private:
    using P = Pack<T>;
    static constexpr int64_t kRows = P::size;
    void advance(int64_t first) {
        next_ = first + kRows;
        const int64_t rows = min_of(kRows, end_ - first);
        const T* x = x_ + first * n_;
        if (few_) {
            FewColumns<T> columns(x, rows, n_);
            const P m = columns.largest();
            m.store(maximum_);
            log(columns.exponentials(m)).store(log_total_);
            return;
        }
        for (int64_t k = 0; k < rows; ++k) {
            maximum_[k] = row_max(x + k * n_, n_);
            log_total_[k] = static_cast<T>(row_sum_exp<false>(x + k * n_, n_, maximum_[k]));
        }
        log(P::load(log_total_)).store(log_total_);
    }

    const T* x_;
    int64_t n_, next_, end_;
    bool few_;
    alignas(64) T maximum_[kRows], log_total_[kRows] = {};
};

}  // namespace tapegrad::TAPEGRAD_ISA
