// What an event means, in one sentence for people.
#pragma once

#include <string_view>

namespace weir::report {

/// Empty if the name is none of the catalogue.
std::string_view explain_event(std::string_view event);

}  // namespace weir::report
