#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::report {

std::string Table::text(const TextStyle& style) const {
  static constexpr std::size_t kGap = 2;  // spaces between columns, and before the first
  const std::size_t last = columns_.size() - 1;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(column.title.size());
  for (const Row& row : rows_)
    for (std::size_t i = 0; i < last && i < row.cells.size(); ++i) widths[i] = std::max(widths[i], row.cells[i].size());

  std::string out;
  const auto line = [&](const auto& cell, bool title, bool minor) {
    std::string text;
    for (std::size_t i = 0; i < last; ++i) text += fmt::format(fmt::runtime(columns_[i].right ? "{:{}}{:>{}}" : "{:{}}{:<{}}"), "", kGap, cell(i), widths[i]);
    const std::string_view remark = cell(last);
    std::string below;
    if (!remark.empty()) {
      if (style.width == 0 || text.size() + kGap + remark.size() <= style.width) {
        text += fmt::format("{:{}}{}", "", kGap, remark);
      } else if (!title) {
        below = fmt::format("{:{}}{}\n", "", 4 * kGap, wrap(remark, 4 * kGap, style.width));
      }
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += title ? style.bold(text) : minor ? style.dim(text) : text;
    out += '\n';
    out += below;
  };
  line([&](std::size_t i) { return columns_[i].title; }, true, false);
  for (const Row& row : rows_)
    line([&](std::size_t i) { return i < row.cells.size() ? std::string_view(row.cells[i]) : std::string_view(); }, false, row.minor);
  return out;
}

std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  static constexpr std::size_t kNarrowest = 20;
  const std::size_t room = width == 0 ? text.size() : std::max(kNarrowest, width - std::min(width, indent));
  std::string out;
  while (text.size() > room) {
    std::size_t cut = text.rfind(' ', room);
    if (cut == std::string_view::npos || cut == 0) cut = room;
    out += text.substr(0, cut);
    out += '\n';
    out.append(indent, ' ');
    text.remove_prefix(cut);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  out += text;
  return out;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

}  // namespace weir::report
