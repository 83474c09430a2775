#pragma once

namespace tapegrad::formulas {

inline constexpr double kLn2 = 0.693147180559945309417232121458;
inline constexpr double kLn10 = 2.302585092994045684017991454684;
inline constexpr double kTwoOverSqrtPi = 1.128379167095512573896158903122;
inline constexpr double kSqrtHalf = 0.707106781186547524400844362105;
inline constexpr double kInvSqrtTwoPi = 0.398942280401432677939946059934;
inline constexpr double kSqrtTwoOverPi = 0.797884560802865355879892119869;
inline constexpr double kSqrtTwoPi = 2.506628274631000502415765284811;
inline constexpr double kHalfSqrtPi = 0.886226925452758013649083741671;
inline constexpr double kPi = 3.141592653589793238462643383280;
inline constexpr double kRadian = kPi / 180, kDegree = 180 / kPi;
inline constexpr double kGeluCubic = 0.044715;
inline constexpr double kSeluScale = 1.0507009873554804934193349852946;
inline constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
inline constexpr double kInfinity = __builtin_inf(), kNan = __builtin_nan("");

}  // namespace tapegrad::formulas
