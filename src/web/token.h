// The token that control over HTTP is asked with. It is a secret: neither logged nor told.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "report/problem.h"

namespace weir::web {

inline constexpr std::size_t kLeastToken = 16, kMostToken = 512;  ///< octets

/// Of a file that only its owner, root or the program's user, may write to, and that others may not read: one line of printable octets without blanks.
std::expected<std::string, report::Problem> read_token_file(const std::string& path);

/// Whether the value of the field Authorization has it ("Bearer TOKEN", RFC 6750, 2.1). How long it takes says nothing of the token.
bool has_token(std::string_view authorization, std::string_view token);

}  // namespace weir::web
