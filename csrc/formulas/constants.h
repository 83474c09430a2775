#pragma once

namespace tapegrad::formulas {

inline constexpr double kLn2 = 0.693147180559945309417232121458;
inline constexpr double kLn10 = 2.302585092994045684017991454684;
inline constexpr double kTwoOverSqrtPi = 1.128379167095512573896158903122;
inline constexpr double kSqrtHalf = 0.707106781186547524400844362105;
inline constexpr double kInvSqrtTwoPi = 0.398942280401432677939946059934;
inline constexpr double kSqrtTwoOverPi = 0.797884560802865355879892119869;
inline constexpr double kGeluCubic = 0.044715;

}  // namespace tapegrad::formulas
