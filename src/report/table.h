// Text in aligned columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/terminal.h"

namespace weir::report {

/// Purpose: rows of cells, each column as wide as its widest cell. The last column holds remarks: where a row is wider than
/// the terminal, they go on lines of their own below it.
class Table {
 public:
  struct Column {
    std::string_view title;
    bool right = false;  ///< numbers
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void row(std::vector<std::string> cells, bool minor = false) { rows_.push_back({std::move(cells), minor}); }
  std::string text(const TextStyle& style) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    bool minor;
  };
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

/// `text` in lines that start with `indent` spaces (but the first, which starts where it is) and fit `width`; 0: one line.
std::string wrap(std::string_view text, std::size_t indent, std::size_t width);

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

}  // namespace weir::report
