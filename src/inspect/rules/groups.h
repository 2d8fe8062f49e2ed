// Address and port groups of a rule's header: lists, negation, variables.
#pragma once

#include <string_view>

#include "inspect/rules/fault.h"
#include "inspect/rules/parse.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

Parsed<AddressGroup> parse_addresses(std::string_view text, const Variables& variables);
Parsed<PortGroup> parse_ports(std::string_view text, const Variables& variables);

}  // namespace weir::inspect::rules
