// A trace's answers compared: what a router quotes with what was sent, and one series with the other (the method of tracebox). Pure.
#pragma once

#include <cstddef>
#include <span>

#include "probe/trace/report.h"

namespace weir::probe::trace {

/// `tcp`: what a router quotes of a SYN that carried MP_CAPABLE v1 as raw::write_syn() makes it.
Quoted compare_quote(std::span<const std::byte> tcp);

/// Fills in `loss`, `before` and `behind`. A router quotes a packet as it came in, before it strips: so the loss lies between the last hop that
/// quotes the option and the first that does not, and who of the two does it cannot be told.
void locate(Report& report);

}  // namespace weir::probe::trace
