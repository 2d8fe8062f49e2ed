// Names out of what the sensor or the gateway has logged (EVE JSON lines): what clients here resolve and ask for. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace weir::probe::targets {

/// Purpose: the names of records `dns` (rrname of A, AAAA and HTTPS), `tls` (sni), `http` (hostname) and `mptcp` (mptcp.names), each once.
/// Limits: kMost; those beyond are counted. A line that is none is passed over. A value.
class LearntNames {
 public:
  static constexpr std::size_t kMost = 100'000;

  /// Whole lines; what is behind the last line's end is left for the next time: how many octets were taken.
  std::size_t take(std::string_view lines);
  const std::set<std::string>& names() const { return names_; }
  std::uint64_t left_out() const { return left_out_; }

 private:
  void take_line(std::string_view line);
  void add(std::string_view name);

  std::set<std::string> names_;
  std::uint64_t left_out_ = 0;
};

}  // namespace weir::probe::targets
