// What a reader of text has in front of him.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::report {

struct TextStyle {
  std::size_t width = 0;  ///< columns; 0: no terminal, lines are as long as they are
  bool colour = false;

  /// For a descriptor: a terminal's width, and colour unless NO_COLOR is set (https://no-color.org) or TERM is "dumb".
  static TextStyle of(int descriptor);

  std::string bold(std::string_view text) const;
  std::string dim(std::string_view text) const;
  std::string alarm(std::string_view text) const;
};

}  // namespace weir::report
