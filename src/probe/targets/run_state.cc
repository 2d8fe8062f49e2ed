#include "probe/targets/run_state.h"

#include <charconv>

namespace weir::probe::targets {
namespace {

constexpr std::string_view kFirstLine = "weir-probe-state 1\n";

/// "NAME NUMBER..." off the front, its numbers told one by one; false: it is not there, or not like that.
template <typename Take>
bool take_line(std::string_view& text, std::string_view name, const Take& take) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.starts_with(name)) return false;
  line.remove_prefix(name.size());
  while (!line.empty()) {
    if (line.front() != ' ') return false;
    line.remove_prefix(1);
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc()) return false;
    line.remove_prefix(static_cast<std::size_t>(rest - line.data()));
    take(number);
  }
  return true;
}

}  // namespace

std::string to_text(const RunState& state) {
  std::string text(kFirstLine);
  text += "fingerprint " + std::to_string(state.fingerprint) + "\nseed " + std::to_string(state.seed) + "\nposition " + std::to_string(state.position);
  text += "\nunfinished";
  for (const std::uint64_t number : state.unfinished) text += ' ' + std::to_string(number);
  const auto line = [&](std::string_view name, const std::optional<std::uint64_t>& bytes) {
    text.append("\n").append(name);
    if (bytes) text.append(" ").append(std::to_string(*bytes));
  };
  line("output", state.output_bytes);
  line("csv", state.csv_bytes);
  return text + "\nend\n";
}

std::expected<RunState, std::string> parse_run_state(std::string_view text) {
  if (!text.starts_with(kFirstLine)) return std::unexpected("is no state of weir probe");
  text.remove_prefix(kFirstLine.size());
  RunState state;
  const auto into = [](std::uint64_t& value) { return [&value](std::uint64_t number) { value = number; }; };
  const bool whole = take_line(text, "fingerprint", into(state.fingerprint)) && take_line(text, "seed", into(state.seed)) &&
                     take_line(text, "position", into(state.position)) &&
                     take_line(text, "unfinished", [&](std::uint64_t number) { state.unfinished.push_back(number); }) &&
                     take_line(text, "output", [&](std::uint64_t bytes) { state.output_bytes = bytes; }) &&
                     take_line(text, "csv", [&](std::uint64_t bytes) { state.csv_bytes = bytes; }) && text == "end\n";
  if (!whole) return std::unexpected("is damaged");
  return state;
}

}  // namespace weir::probe::targets
