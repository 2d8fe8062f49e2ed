// What a running program says of itself to the outside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::web {

/// A snapshot, made by the main loop: whoever shows it never touches the engine.
struct Status {
  struct Interface {
    std::string name;
    bool watched = true;  ///< false: it is away
    bool counted = true;  ///< false: what passes it is not counted for itself, and the numbers say nothing
    std::uint64_t packets = 0, dropped = 0, ring_full = 0;
  };
  std::int64_t uptime_s = 0;
  std::vector<std::pair<std::string, std::uint64_t>> counters;  ///< names as in the `stats` record
  std::vector<Interface> interfaces;
  std::vector<std::string> problems;  ///< what does not work just now, for people
  bool draining = false;              ///< it takes in nothing new, and ends when nothing is left
};

/// Prometheus text (exposition format 0.0.4).
std::string metrics_text(const Status& status, std::string_view version);
/// One JSON object with all of it.
std::string status_json(const Status& status, std::string_view version);
/// `{"status": "failing" or "draining", "problems": [...]}`
std::string problems_json(const Status& status);

}  // namespace weir::web
