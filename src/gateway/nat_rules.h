// The NAT that ADD_ADDR's translation needs of the kernel, as text for nft.
#pragma once

#include <optional>
#include <string>

#include "rewrite/address_translation.h"
#include "rewrite/nat_settings.h"

namespace weir::gateway {

/// The table, Weir's alone: no one else's rules are named.
inline constexpr const char* kNatTable = "inet weir_nat";

/// The whole table in place of the one that is there. Fixed pairs both ways, for all traffic but what stays on the inside; mapped ports for SYNs with
/// MP_JOIN only, so that a mapping opens no way to a host for anything else. They come before others' NAT, which then leaves these connections alone.
std::string nat_rules(const rewrite::NatSettings& settings);
/// The table goes, if it is there.
std::string nat_removal();

/// A mapping made, or made to live on; or taken away. `source`: the outside address of the inside host's own JOINs, set or renewed or taken away with it.
std::string nat_change(const rewrite::MappingOrder& order, const std::optional<IpAddress>& source);

}  // namespace weir::gateway
