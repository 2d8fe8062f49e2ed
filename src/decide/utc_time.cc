#include "decide/utc_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace weir::decide {
namespace {

using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kLast = 253'402'300'799;  // 9999-12-31T23:59:59Z
constexpr std::int64_t kDay = 86'400;

/// The number of so many digits; -1: these are none.
int digits(std::string_view text, std::size_t from, std::size_t count) {
  int value = 0;
  const char* const begin = text.data() + from;
  if (!std::ranges::all_of(text.substr(from, count), [](char c) { return c >= '0' && c <= '9'; })) return -1;
  std::from_chars(begin, begin + count, value);
  return value;
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
  seconds = std::clamp<std::int64_t>(seconds, 0, kLast);
  const year_month_day date{sys_days{std::chrono::days{seconds / kDay}}};
  const std::int64_t second = seconds % kDay;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), second / 3'600, second / 60 % 60, second % 60);
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != 'd' && text[i] != kForm[i]) return std::nullopt;
  }
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (year < 1970 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return std::nullopt;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * kDay + hour * std::int64_t{3'600} + minute * std::int64_t{60} + second;
}

}  // namespace weir::decide
