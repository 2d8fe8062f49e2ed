#include "probe/connect/kernel_counters.h"

#include <charconv>

#include "probe/output/whole_file.h"

namespace weir::probe::connect {
namespace {

constexpr std::size_t kLongest = 1 << 20;
constexpr std::string_view kPrefix = "MPTcpExt:";

/// The next word off the front of a line.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

std::optional<std::uint64_t> mptcp_counter(std::string_view netstat, std::string_view name) {
  while (!netstat.empty()) {
    std::string_view names = take_line(netstat);
    if (!names.starts_with(kPrefix)) continue;
    std::string_view values = take_line(netstat);
    if (!values.starts_with(kPrefix)) return std::nullopt;
    for (std::string_view one = take_word(names), value = take_word(values); !one.empty(); one = take_word(names), value = take_word(values)) {
      if (one != name) continue;
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      return error == std::errc() && end == value.data() + value.size() ? std::optional(number) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> disabled_syns() {
  const auto text = output::read_whole("/proc/self/net/netstat", kLongest);
  return text && *text ? mptcp_counter(**text, "MPCapableSYNTXDisabled") : std::nullopt;
}

}  // namespace weir::probe::connect
