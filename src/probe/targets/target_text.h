// Targets as people write them: a name, an address, a prefix, each with a port or without. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace weir::probe::targets {

/// A net. Invariant: the octets behind the length are 0.
struct Prefix {
  IpAddress address;
  unsigned bits = 128;  ///< of the 128 of an IpAddress: an IPv4 /16 has 112
  friend bool operator==(const Prefix&, const Prefix&) = default;
};

/// "192.0.2.0/24", "2001:db8::/32", or an address alone. What is wrong, otherwise.
std::expected<Prefix, std::string> parse_prefix(std::string_view text);
std::string to_string(const Prefix& prefix);
/// The first address of the net of that length (of the 128 bits of an IpAddress) that the address is in.
IpAddress first_of(IpAddress address, unsigned bits);

struct TargetText {
  std::optional<Prefix> prefix;
  std::string name;  ///< where it is no prefix: in lower case, without a last dot
  std::optional<std::uint16_t> port;
  friend bool operator==(const TargetText&, const TargetText&) = default;
};

/// "NAME", "ADDRESS", "PREFIX", each with ":PORT"; an IPv6 address with a port stands in brackets.
std::expected<TargetText, std::string> parse_target(std::string_view text);

/// The lines of a list, without comments (#) and what is empty. Of several words in a line the first counts, as in lists that have a rank or a remark.
struct ListLine {
  std::size_t number = 0;
  std::string_view text;
};
std::vector<ListLine> list_lines(std::string_view text);

}  // namespace weir::probe::targets
