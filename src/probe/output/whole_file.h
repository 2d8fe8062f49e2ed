// A file that others read while it is written anew: whole, or as it was.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "report/problem.h"

namespace weir::probe::output {

/// Beside it first, on the disk, then in its place.
std::optional<report::Problem> write_whole(const std::string& path, std::string_view text);
/// Why write_whole() could not, as far as can be told without it: nothing that is there is touched.
std::optional<report::Problem> cannot_write_whole(const std::string& path);
/// None: there is no such file.
std::expected<std::optional<std::string>, report::Problem> read_whole(const std::string& path, std::size_t most_bytes);

}  // namespace weir::probe::output
