// Stable sorting of numbers by keys: unsigned integers in the order of the values, taken digit by digit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/half.h"

namespace tapegrad {

template <class T>
using SortKey =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

// NaN is larger than everything, and both zeros are equal.
template <class T> SortKey<T> sort_key(T value) {
    using Key = SortKey<T>;
    constexpr Key sign = static_cast<Key>(Key{1} << (8 * sizeof(T) - 1));
    if constexpr (is_floating_type<T>) {
        if (value != value) return std::numeric_limits<Key>::max();
        const Key bits = value == T(0) ? Key{0} : std::bit_cast<Key>(value);
        return static_cast<Key>(bits & sign ? ~bits : bits | sign);
    } else if constexpr (std::is_signed_v<T>) {
        return static_cast<Key>(static_cast<Key>(value) ^ sign);
    } else {
        return static_cast<Key>(value);
    }
}

template <class Key> struct Keyed {
    Key key;
    uint32_t place;
};

// Sorts rows of one length, in memory that it keeps from row to row.
template <class T> class RowSorter {
public:
    using Key = SortKey<T>;
    using Item = Keyed<Key>;

    explicit RowSorter(int64_t length)
        : items_(checked(length)),
          spare_(length < kFew ? 0 : static_cast<size_t>(length)) {}

    // The keys of n values in order, ascending or descending, and where they were.
    const std::vector<Item>& sort(const T* values, bool descending) {
        for (size_t i = 0; i < items_.size(); ++i) {
            const Key key = sort_key(values[i]);
            items_[i] = {static_cast<Key>(descending ? ~key : key), static_cast<uint32_t>(i)};
        }
        if (spare_.empty())
            std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
                return a.key < b.key || (a.key == b.key && a.place < b.place);
            });
        else by_digits();
        return items_;
    }

private:
    static constexpr int64_t kFew = 128;  // for these a sort by comparisons is as quick
    static constexpr size_t kDigits = sizeof(Key);

    static size_t checked(int64_t length) {
        if (length > std::numeric_limits<uint32_t>::max())
            fail("cannot sort ", length, " elements along one dimension");
        return static_cast<size_t>(length);
    }
    static size_t digit(Key key, size_t d) { return static_cast<size_t>(key >> (8 * d)) & 0xff; }

    void by_digits() {
        std::array<std::array<uint32_t, 256>, kDigits> counts{};
        for (const Item& item : items_)
            for (size_t d = 0; d < kDigits; ++d) ++counts[d][digit(item.key, d)];
        for (size_t d = 0; d < kDigits; ++d) {
            // Of a digit that all have there is nothing to sort.
            if (counts[d][digit(items_[0].key, d)] == items_.size()) continue;
            uint32_t next = 0;
            for (uint32_t& count : counts[d]) next += std::exchange(count, next);
            for (const Item& item : items_) spare_[counts[d][digit(item.key, d)]++] = item;
            items_.swap(spare_);
        }
    }

    std::vector<Item> items_, spare_;
};

}  // namespace tapegrad
