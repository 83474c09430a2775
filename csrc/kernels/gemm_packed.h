// Large products: blocks that read copies of A and B.
//
// The threads make one copy of A together. Tasks are panels of C, as many columns as a block has and
// the rows of a tile; each thread makes its own copy of the columns of B that its task needs.
#pragma once

#include <atomic>

#include "core/allocator.h"
#include "core/parallel.h"
#include "kernels/gemm_block.h"
#include "kernels/gemm_pack.h"
#include "kernels/gemm_product.h"

namespace tapegrad::TAPEGRAD_ISA {

// Bytes of A that are copied at a time.
inline constexpr int64_t kCopyBytes = int64_t{4} << 20;
// Rows of A that stay in the second-level cache while the panels of B pass: 512 x 256.
inline constexpr int64_t kTileRows = 512;
inline constexpr int kMaxTiles = 64;

// Whether a product is large enough. That is where B does not fit into the second-level cache
// (measured, against A in place: 64 x 1024 x 1024 gains 6 to 38 %, 32 x 2048 x 2048 13 to 50 %), or
// where there is much to do (512^3 gains 3 to 9 %, 384^3 0 to 10 %; 256^3 would lose 6 %,
// 256 x 512 x 256 3 %).
inline constexpr int64_t kLargeBBytes = int64_t{1} << 21, kMuch = int64_t{384} * 384 * 384;
inline constexpr int64_t kPackedRows = 32;
template <class T> TAPEGRAD_INLINE bool packs_both(const Product<T>& p) {
    constexpr int64_t kLargeB = kLargeBBytes / sizeof(T);
    return p.m >= kPackedRows && p.n >= 256 && p.k >= 128 &&
           (p.n >= kLargeB / p.k || p.m * p.n >= kMuch / p.k);
}

// A copy of A in blocks of rows, with one element of each row in turn. k is cut into depths; the
// blocks of one follow those of another.
template <class T> class CopyOfA {
public:
    // The memory for m rows.
    static int64_t elements(int64_t m, int64_t k, int64_t depth) {
        const Cut cut(m, kBlockRows);
        return (k + depth - 1) / depth * cut.blocks * stride(cut, depth);
    }

    CopyOfA(const Product<T>& p, int64_t depth, T* memory)
        : p_(p),
          memory_(memory),
          depth_(depth),
          cut_(p.m, kBlockRows),
          depths_((p.k + depth - 1) / depth),
          tiles_((p.m + kTileRows - 1) / kTileRows) {}

    // The threads that need a tile first copy it together. Returns when that is done.
    void need(int64_t tile) {
        Progress& progress = progress_[tile];
        const int64_t begin = first_block(tile), count = first_block(tile + 1) - begin;
        if (progress.done.load(std::memory_order_acquire) == count) return;
        for (int64_t i; (i = progress.taken.fetch_add(1, std::memory_order_relaxed)) < count;) {
            for (int64_t d = 0; d < depths_; ++d) copy(begin + i, d);
            progress.done.fetch_add(1, std::memory_order_release);
        }
        while (progress.done.load(std::memory_order_acquire) < count) yield_thread();
    }
    T* at(int64_t block, int64_t d) const {
        return memory_ + (d * cut_.blocks + block) * stride(cut_, depth_);
    }

    int64_t depths() const { return depths_; }
    int64_t length(int64_t d) const {
        const int64_t rest = p_.k - d * depth_;
        return rest < depth_ ? rest : depth_;
    }
    int64_t tiles() const { return tiles_; }
    int64_t first_block(int64_t tile) const { return cut_.blocks * tile / tiles_; }
    const Cut& cut() const { return cut_; }

private:
    struct alignas(64) Progress {
        std::atomic<int64_t> taken{0}, done{0};
    };

    // From block to block: pack_panel writes past the last row.
    static int64_t stride(const Cut& cut, int64_t depth) {
        return cut.count(0) * depth + Pack<T>::size;
    }
    void copy(int64_t block, int64_t d) const {
        const T* a = p_.a + cut_.begin(block) * p_.a_row + d * depth_ * p_.a_col;
        const int64_t count = cut_.count(block);
        pack_panel(a, p_.a_col, p_.a_row, length(d), count, at(block, d), count);
    }

    const Product<T>& p_;
    T* const memory_;
    const int64_t depth_;
    const Cut cut_;
    const int64_t depths_, tiles_;
    Progress progress_[kMaxTiles];
};

// What one thread does of a product, panel by panel. While a panel of B is used, the next one is
// fetched into the second-level cache, and then copied piece by piece.
template <class T> class PackedWorker {
public:
    PackedWorker(const Product<T>& p, int64_t depth, CopyOfA<T>& a, TaskQueue& queue)
        : p_(p),
          depth_(depth),
          a_(a),
          queue_(queue) {}

    void run() {
        Step step = step_of(queue_.take(), 0);
        pack(step, 0, step.k, copies_[0]);
        for (int turn = 0; step.task >= 0; turn ^= 1) {
            const Step next = step.d + 1 < a_.depths() ? step_of(step.task, step.d + 1)
                                                       : step_of(queue_.take(), 0);
            compute(step, copies_[turn], next, copies_[turn ^ 1]);
            step = next;
        }
    }

    static int64_t panels(const Product<T>& p) { return (p.n + kColumns - 1) / kColumns; }
    static constexpr int64_t kColumns = 2 * Pack<T>::size;

private:
    static constexpr int W = Pack<T>::size;
    static constexpr int64_t kLine = 64 / sizeof(T);

    struct Step {
        int64_t task = -1, d = 0;
        int64_t j = 0;
        const T* b = nullptr;
        int64_t k = 0, width = 0;
        int64_t stride() const { return width > W ? 2 * W : W; }
    };

    Step step_of(int64_t task, int64_t d) const {
        if (task < 0) return {};
        const int64_t j = task % panels(p_) * kColumns, rest = p_.n - j;
        const T* b = p_.b + d * depth_ * p_.b_row + j * p_.b_col;
        return {task, d, j, b, a_.length(d), rest < kColumns ? rest : kColumns};
    }

    void pack(const Step& s, int64_t begin, int64_t end, T* out) const {
        if (begin < end)
            pack_panel(s.b + begin * p_.b_row, p_.b_row, p_.b_col, end - begin, s.width,
                       out + begin * s.stride(), s.stride());
    }

    void compute(const Step& s, const T* b, const Step& next, T* next_copy) {
        const int64_t tile = s.task / panels(p_);
        a_.need(tile);
        const Cut& cut = a_.cut();
        const int64_t first = a_.first_block(tile), blocks = a_.first_block(tile + 1) - first;
        const Panel<T> panel{s.k,
                             0,
                             0,
                             b,
                             0,
                             p_.c_row,
                             p_.bias && s.d == 0 ? p_.bias + s.j : nullptr,
                             p_.accumulate || s.d > 0,
                             s.width};
        const BlockFn<T>* table = s.width > W ? packed_table<T, 2>() : packed_table<T, 1>();
        // A line of each row (contiguous along j) or of each column (along l), then the next line.
        const bool rows = p_.b_col == 1;
        const int64_t run = rows ? next.k : next.width, step = rows ? p_.b_row : p_.b_col;
        const int64_t lines = ((rows ? next.width : next.k) + kLine - 1) / kLine;
        const int64_t fetched = s.k / kUnroll * kPrefetches;
        int64_t fetching = fetched ? (run * lines + fetched - 1) / fetched : 0;
        if (fetching > blocks / 2) fetching = blocks / 2;
        int64_t line = 0, skip = 0, done = 0;
        for (int64_t i = 0; i < blocks; ++i) {
            T* c = p_.c + cut.begin(first + i) * p_.c_row + s.j;
            Prefetch<T> prefetch{c, 0, 0, s.k};
            if (i < fetching) {
                prefetch = {next.b + line * kLine + skip * step, step, kLine - run * step,
                            run - skip};
                for (skip += fetched; skip >= run; skip -= run) ++line;
            }
            table[cut.count(first + i) - 1](panel, a_.at(first + i, s.d), c, &prefetch);
            if (i < fetching) continue;
            // Whole lines of a transposed B.
            int64_t until = next.k * (i + 1 - fetching) / (blocks - fetching);
            if (i + 1 < blocks) until = until / kLine * kLine;
            pack(next, done, until, next_copy);
            done = until;
        }
    }

    const Product<T>& p_;
    const int64_t depth_;
    CopyOfA<T>& a_;
    TaskQueue& queue_;
    alignas(64) T copies_[2][kDepth * kColumns];
};

// A product whose A is copied as a whole; memory has CopyOfA::elements.
template <class T> void packed_part(const Product<T>& p, int64_t depth, T* memory) {
    CopyOfA<T> a(p, depth, memory);
    constexpr int64_t kColumns = PackedWorker<T>::kColumns;
    const int64_t task_cost = p.m / a.tiles() * kColumns * p.k;
    parallel_tasks(a.tiles() * PackedWorker<T>::panels(p), kGrainCost / task_cost + 1,
                   [&](TaskQueue& queue) { PackedWorker<T>(p, depth, a, queue).run(); });
}

// The same chains of multiply-adds as blocks that read A in place. Not from within a parallel region:
// memory is allocated.
template <class T> void packed_product(const Product<T>& p) {
    constexpr int64_t kElements = kCopyBytes / int64_t{sizeof(T)};
    const int64_t depth = block_depth(p.k);
    int64_t rows = kElements / depth;
    if (rows > kTileRows * kMaxTiles) rows = kTileRows * kMaxTiles;
    if (rows > p.m) rows = p.m;
    int64_t k = kElements / (rows * depth) * depth;
    if (k > p.k) k = p.k;
    struct Memory {
        size_t bytes;
        T* values;
        explicit Memory(size_t size) : bytes(size), values(static_cast<T*>(allocate(size))) {}
        ~Memory() { deallocate(values, bytes); }
    };
    const Memory memory(static_cast<size_t>(CopyOfA<T>::elements(rows, k, depth)) * sizeof(T));
    for (int64_t i = 0; i < p.m; i += rows)
        for (int64_t l = 0; l < p.k; l += k) {
            Product<T> part = rows_of(p, i, i + rows < p.m ? i + rows : p.m);
            part.k = p.k - l < k ? p.k - l : k;
            part.a += l * p.a_col;
            part.b += l * p.b_row;
            part.accumulate = p.accumulate || l > 0;
            if (l > 0) part.bias = nullptr;
            packed_part(part, depth, memory.values);
        }
}

}  // namespace tapegrad::TAPEGRAD_ISA
