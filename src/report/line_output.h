// Where lines go: a file, standard output, or a Unix socket that a collector listens on.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "report/problem.h"

namespace weir::report {

/// Purpose: text out in large writes. Ownership: the descriptor, unless it is standard output.
/// Invariant: after the first error nothing is written any more; what was not is counted. One owner, one thread.
class LineOutput {
 public:
  enum class Mode : std::uint8_t {
    kReplace,  ///< a result of this run
    kAppend,   ///< a log that others write, too
  };
  /// `place`: a path, "-", or "unix:PATH".
  static std::expected<LineOutput, Problem> open(const std::string& place, Mode mode);
  LineOutput(LineOutput&& other) noexcept;
  LineOutput& operator=(LineOutput&&) = delete;
  ~LineOutput();

  /// The text being gathered: append whole lines, then call line_done().
  std::string& text() { return text_; }
  void line_done() {
    ++lines_;
    if (text_.size() >= kFlushAt) flush();
  }
  void flush();
  /// Opens the place again, for a log that was moved away; what is left goes to the old one. An earlier problem is over if it works.
  std::optional<Problem> reopen(Mode mode);
  /// Writes what is left and closes; the first problem there was, if any.
  std::optional<Problem> close();
  std::uint64_t lines_lost() const { return lines_lost_; }

 private:
  static constexpr std::size_t kFlushAt = 256 << 10;  // bytes; larger writes gain nothing measurable

  LineOutput(std::string place, int descriptor, bool owned) : place_(std::move(place)), descriptor_(descriptor), owned_(owned) {}

  std::string place_, text_;
  int descriptor_ = -1;
  bool owned_ = false;
  std::uint64_t lines_ = 0;  // in text_
  std::uint64_t lines_lost_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace weir::report
