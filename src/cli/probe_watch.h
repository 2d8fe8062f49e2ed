// `weir probe --watch`: the names that logs tell, and the time until the next round.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "probe/targets/learnt_names.h"

namespace weir::cli {

/// Purpose: follows EVE logs: each call reads what was written since the last; a log that was rotated is read from its beginning.
/// Limits: kMostBytes of a log at a time; the rest comes with the next call. Ownership: nothing open between calls. One owner, one thread.
class LearningLogs {
 public:
  static constexpr std::size_t kMostBytes = 256U << 20;

  explicit LearningLogs(const std::vector<std::string>& paths);
  std::vector<std::string> names();

 private:
  struct Log {
    std::string path;
    std::uint64_t inode = 0, offset = 0;
  };
  void read(Log& log);

  std::vector<Log> logs_;
  probe::targets::LearntNames learnt_;
};

/// Waits; earlier if `stop` says so.
void wait_until(std::int64_t steady_ns, const std::function<bool()>& stop);

}  // namespace weir::cli
