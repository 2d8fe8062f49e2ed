// A whole file as text.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "report/problem.h"

namespace weir::cli {

/// `what`: what a file of more than `most_bytes` cannot be, as in "a rules file".
std::expected<std::string, report::Problem> read_text_file(const std::string& path, std::size_t most_bytes, std::string_view what);

}  // namespace weir::cli
