// What the kernel says of routes and rules (rtnetlink(7)), message by message. Pure.
#pragma once

#include <linux/rtnetlink.h>

#include <optional>

#include "probe/raw/host_network.h"
#include "probe/targets/target_text.h"

namespace weir::probe::raw {

struct AnsweredRoute {
  Route route;
  unsigned type = RTN_UNSPEC;
};
/// The answer to RTM_GETROUTE; none: another message.
std::optional<AnsweredRoute> answered_route(const nlmsghdr& message);

/// Where a route, or a rule, is for: all of its family, if it names none. A rule may have been given with octets behind its length ("to 10.128.0.0/8"):
/// the kernel keeps them, and looks at the net alone. None: a message without one, or of another family.
std::optional<targets::Prefix> destination_of(const nlmsghdr& message);

}  // namespace weir::probe::raw
