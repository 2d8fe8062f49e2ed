// Where lines go: a file, standard output, or a Unix socket that a collector listens on.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "report/lines.h"
#include "report/problem.h"

namespace weir::report {

/// Purpose: lines out as they are handed over. Ownership: the descriptor, unless it is standard output.
/// Invariant: after the first error nothing is written any more; what was not is counted. One owner, one thread.
class LineOutput : public LineSink {
 public:
  enum class Mode : std::uint8_t {
    kReplace,  ///< a result of this run
    kAppend,   ///< a log that others write, too
  };
  /// `place`: a path, "-", or "unix:PATH".
  static std::expected<LineOutput, Problem> open(const std::string& place, Mode mode);
  LineOutput(LineOutput&& other) noexcept;
  LineOutput& operator=(LineOutput&&) = delete;
  ~LineOutput() override;

  void submit(std::string&& lines, std::uint64_t count) override;
  /// The first problem there was, if any.
  std::optional<Problem> close();
  std::uint64_t lines_lost() const { return lines_lost_; }

 private:
  LineOutput(std::string place, int descriptor, bool owned) : place_(std::move(place)), descriptor_(descriptor), owned_(owned) {}

  std::string place_;
  int descriptor_ = -1;
  bool owned_ = false;
  std::uint64_t lines_lost_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace weir::report
