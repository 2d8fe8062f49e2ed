// What raw mode needs of this host before the first packet: interface, gateways, addresses to speak from, and the kernel kept quiet.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probe/raw/link.h"
#include "probe/raw/packets.h"
#include "probe/raw/reset_guard.h"
#include "report/problem.h"

namespace weir::probe::raw {

struct OutfitSettings {
  std::optional<std::string> interface;
  std::vector<IpAddress> sources;   ///< one of a family at most; those that are not the host's are answered for
  std::vector<IpAddress> gateways;  ///< the same; else the routes' own
  std::string data;                 ///< Identity::data
  std::vector<IpAddress> examples;  ///< a target of each family that there is: what the routes are asked for
};

struct Outfit {
  std::unique_ptr<Link> link;
  std::optional<ResetGuard> guard;  ///< where we speak from an address of the host's own
  Identity identity;                ///< its data lies in the settings
};

std::expected<Outfit, report::Problem> make_outfit(const OutfitSettings& settings);

}  // namespace weir::probe::raw
