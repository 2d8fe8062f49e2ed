// Lists of names, as others make them, into categories: one name a line, UT1's files, CSV.
#pragma once

#include <cstddef>
#include <string_view>

#include "decide/categories.h"

namespace weir::decide {

/// What became of a list's lines. At a SYN no path of an address is known: such lines are counted, and decide nothing.
struct ListCounts {
  std::size_t taken = 0;
  std::size_t with_path = 0;
  std::size_t odd = 0;        ///< no host name or address
  std::size_t other = 0;      ///< of a CSV: of other categories
  std::size_t first_odd = 0;  ///< its line, from 1; 0: none
  bool full = false;          ///< Categories holds no more
  ListCounts& operator+=(const ListCounts& more);
};

/// One name or address a line; '#' begins a comment; of a line as in a hosts file ("0.0.0.0 name") the name counts; of a URL its host, if there is no path.
/// UT1's files `domains` and `urls` are such lists.
ListCounts read_name_list(std::string_view text, std::size_t category, Categories& into);

/// Columns parted by ',', quoted as in RFC 4180, on one line each. If the first line names columns, the name is in the one called name, domain, host,
/// hostname or url, and a column called category keeps only lines of this category's name. Else the name is in the first column that is no number.
ListCounts read_csv_list(std::string_view text, std::size_t category, Categories& into);

}  // namespace weir::decide
