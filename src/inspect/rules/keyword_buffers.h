// Which buffer, or which transformation of one, a keyword means.
#pragma once

#include <optional>
#include <string_view>

#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

/// A sticky buffer, by its keyword: what follows in the rule is about it. Of those that requests and responses both have, the request's.
std::optional<Buffer> sticky_buffer(std::string_view keyword);
/// The older form: a keyword behind a content, which says where that content is to be.
std::optional<Buffer> modifier_buffer(std::string_view keyword);
/// The letter of a pcre.
std::optional<Buffer> pcre_buffer(char letter);
/// The same part of a response, of a buffer that both have.
std::optional<Buffer> response_form(Buffer buffer);
std::optional<Transform::Kind> transform_kind(std::string_view keyword);

}  // namespace weir::inspect::rules
