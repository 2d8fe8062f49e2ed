// The values of options: contents, expressions, tests on numbers, lists.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inspect/rules/fault.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

/// Items between commas (or another octet), without blanks around them.
std::vector<std::string_view> items(std::string_view text, char between = ',');
/// What stands in quotes, as it stands there; the text itself without any.
Parsed<std::string_view> quoted(std::string_view text);

Parsed<Content> parse_content(std::string_view value);
/// `buffer` is set where a letter of the expression names one.
Parsed<Pcre> parse_pcre(std::string_view value, Buffer& buffer);

/// A rule's variables so far, in the order in which it names them.
using VariableNames = std::vector<std::string>;
std::optional<Variable> find_variable(std::string_view text, const VariableNames& names);
Parsed<ByteTest> parse_byte_test(std::string_view value, const VariableNames& names);
Parsed<ByteJump> parse_byte_jump(std::string_view value, const VariableNames& names);
Parsed<IsDataAt> parse_isdataat(std::string_view value, const VariableNames& names);
/// These add a name.
Parsed<ByteExtract> parse_byte_extract(std::string_view value, VariableNames& names);
Parsed<ByteMath> parse_byte_math(std::string_view value, VariableNames& names);
Parsed<Base64> parse_base64_decode(std::string_view value);

Parsed<Flow> parse_flow(std::string_view value);
Parsed<FlowBits> parse_flowbits(std::string_view value);
Parsed<Threshold> parse_threshold(std::string_view value, bool detection_filter);

}  // namespace weir::inspect::rules
