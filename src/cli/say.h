// What the program tells people on standard error.
#pragma once

#include <string_view>

#include "report/problem.h"

namespace weir::cli {

inline constexpr int kDone = 0;      ///< alerts or not
inline constexpr int kNotDone = 1;   ///< the work could not be done, or not wholly
inline constexpr int kBadUsage = 2;  ///< wrong usage or configuration

/// "weir: WHAT: WHY" or, with a hint, "weir: WHAT: WHY (HINT)". Control characters are shown as '?': names of files are foreign.
void say(std::string_view what, std::string_view why, std::string_view hint = {});
/// The same, unless the problem is one that no one wants to hear of.
void say(const report::Problem& problem);

}  // namespace weir::cli
