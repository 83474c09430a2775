// Where in the user's program something happened. What runs the program (the bindings) numbers its lines, and
// knows what a number stands for; here it is only kept.
#pragma once

#include <cstdint>
#include <string>

namespace tapegrad {

using Site = uint32_t;  // 0: unknown

// A line, and which of the program's modules was running.
struct Origin {
    Site site = 0;
    uint16_t module = 0;  // 0: none
};

// Null where nobody keeps account.
inline Site (*find_site)() noexcept = nullptr;
inline Origin (*find_origin)() noexcept = nullptr;
// "train.py:12, in step (module layers.2): y = x.exp()"; empty for an unknown one.
inline std::string (*origin_text)(Origin origin) = nullptr;

inline Site current_site() noexcept { return find_site ? find_site() : Site{0}; }
inline Origin current_origin() noexcept { return find_origin ? find_origin() : Origin{}; }
inline std::string describe(Origin origin) {
    return origin.site && origin_text ? origin_text(origin) : std::string();
}

}  // namespace tapegrad
