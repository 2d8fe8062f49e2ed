// What the program tells people on standard error, and shows on standard output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/problem.h"

namespace weir::cli {

inline constexpr int kDone = 0;      ///< alerts or not
inline constexpr int kNotDone = 1;   ///< the work could not be done, or not wholly
inline constexpr int kBadUsage = 2;  ///< wrong usage or configuration

/// "weir: WHAT: WHY" or, with a hint, "weir: WHAT: WHY (HINT)". Control characters are shown as '?': names of files are foreign.
void say(std::string_view what, std::string_view why, std::string_view hint = {});
/// The same, unless the problem is one that no one wants to hear of.
void say(const report::Problem& problem);
/// "weir: LINE": what goes on, and is no fault. A standard error that has gone hinders nothing.
void tell(std::string_view line);

/// All of it to standard output. The exit status: where it cannot be written, that is said; a reader that has gone wants to hear nothing.
int show(std::string_view text);

/// Purpose: keeps what say() says on this thread while it lives, for whoever asked for the work from elsewhere. Limits: kMostLines of kMostLineBytes;
/// beyond that the first ones stay, and the last one, which is mostly the one that ended it. One at a time.
class Heard {
 public:
  static constexpr std::size_t kMostLines = 20;
  static constexpr std::size_t kMostLineBytes = 400;

  Heard();
  ~Heard();
  Heard(const Heard&) = delete;
  Heard& operator=(const Heard&) = delete;

  void take(std::string_view line);
  const std::vector<std::string>& lines() const { return lines_; }
  std::uint64_t left_out() const { return left_out_; }

 private:
  std::vector<std::string> lines_;
  std::uint64_t left_out_ = 0;
};

}  // namespace weir::cli
