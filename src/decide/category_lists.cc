#include "decide/category_lists.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::decide {
namespace {

constexpr std::size_t kMostLineBytes = 8'192;  // of a CSV; a longer line is odd

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `take(line, number)` for each.
template <typename Take>
void for_each_line(std::string_view text, Take take) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    take(text.substr(0, end), number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void add(std::string_view entry, std::size_t line, std::size_t category, Categories& into, ListCounts& counts) {
  if (const auto scheme = entry.find("://"); scheme != std::string_view::npos) entry.remove_prefix(scheme + 3);
  if (const auto path = entry.find_first_of("/?"); path != std::string_view::npos) {
    if (entry.find_first_not_of('/', path) != std::string_view::npos) {
      ++counts.with_path;
      return;
    }
    entry = entry.substr(0, path);
  }
  // "host:port" is no IPv6 address.
  if (std::ranges::count(entry, ':') == 1) entry = entry.substr(0, entry.find(':'));
  switch (into.add(category, entry)) {
    case Categories::Added::kAdded:
      ++counts.taken;
      break;
    case Categories::Added::kOdd:
      if (counts.odd++ == 0) counts.first_odd = line;
      break;
    case Categories::Added::kFull:
      counts.full = true;
      break;
  }
}

/// False: a quote has no end, or there are octets behind one.
bool split_csv(std::string_view line, std::vector<std::string>& columns) {
  columns.clear();
  for (;;) {
    std::string& column = columns.emplace_back();
    if (!line.empty() && line.front() == '"') {
      line.remove_prefix(1);
      for (;;) {
        const auto quote = line.find('"');
        if (quote == std::string_view::npos) return false;
        column += line.substr(0, quote);
        line.remove_prefix(quote + 1);
        if (line.empty() || line.front() != '"') break;
        column += '"';
        line.remove_prefix(1);
      }
      if (!line.empty() && line.front() != ',') return false;
    } else {
      const auto comma = line.find(',');
      column = trimmed(line.substr(0, comma));
      line.remove_prefix(std::min(comma, line.size()));
    }
    if (line.empty()) return true;
    line.remove_prefix(1);
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

std::optional<std::size_t> column_called(const std::vector<std::string>& columns, std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (std::ranges::find(names, lower(columns[i])) != names.end()) return i;
  }
  return std::nullopt;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Which columns count; found out on the first line.
struct CsvColumns {
  std::optional<std::size_t> name, category;
  bool titles = false;
};

CsvColumns columns_of(const std::vector<std::string>& first) {
  static constexpr auto kNames = std::to_array<std::string_view>({"name", "domain", "host", "hostname", "url"});
  static constexpr auto kCategories = std::to_array<std::string_view>({"category"});
  CsvColumns columns;
  columns.name = column_called(first, kNames);
  if (columns.name) {
    columns.titles = true;
    columns.category = column_called(first, kCategories);
    return columns;
  }
  const auto name = std::ranges::find_if_not(first, is_number);
  if (name != first.end()) columns.name = static_cast<std::size_t>(name - first.begin());
  return columns;
}

}  // namespace

ListCounts& ListCounts::operator+=(const ListCounts& more) {
  if (first_odd == 0) first_odd = more.first_odd;
  taken += more.taken;
  with_path += more.with_path;
  odd += more.odd;
  other += more.other;
  full = full || more.full;
  return *this;
}

ListCounts read_name_list(std::string_view text, std::size_t category, Categories& into) {
  ListCounts counts;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) return;
    const auto space = std::ranges::find_if(line, is_space);
    if (space == line.end()) return add(line, number, category, into, counts);
    const std::string_view first(line.begin(), space);
    std::string_view rest = trimmed(std::string_view(space, line.end()));
    if (!parse_ip_address(first)) rest = line;  // two words: no name
    add(rest, number, category, into, counts);
  });
  return counts;
}

ListCounts read_csv_list(std::string_view text, std::size_t category, Categories& into) {
  ListCounts counts;
  std::optional<CsvColumns> columns;
  std::vector<std::string> row;
  const std::string own = lower(into.name(category));
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') return;
    const auto odd = [&] {
      if (counts.odd++ == 0) counts.first_odd = number;
    };
    if (line.size() > kMostLineBytes || !split_csv(line, row)) return odd();
    if (!columns) {
      columns = columns_of(row);
      if (columns->titles) return;
    }
    if (!columns->name || *columns->name >= row.size()) return odd();
    if (columns->category && (*columns->category >= row.size() || lower(row[*columns->category]) != own)) {
      ++counts.other;
      return;
    }
    add(row[*columns->name], number, category, into, counts);
  });
  return counts;
}

}  // namespace weir::decide
