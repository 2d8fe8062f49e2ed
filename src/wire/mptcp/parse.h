// The table of subtypes: bytes of one option 30 -> value; and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "wire/mptcp/options.h"

namespace weir::wire::mptcp {

/// Parses one option 30. `bytes` starts at the kind octet and holds what the option's own length octet claims (or less,
/// where the option space ends earlier: kTruncated). Legal in either version is legal here. Unknown subtypes are values.
std::expected<Option, OptionError> parse_option(std::span<const std::byte> bytes);

/// Whether a parsed option is one that `version` (0, 1, or nullopt: either) allows in that carrier. nullopt: legal.
/// RFC 8684 §3.1 for MP_CAPABLE's lengths per carrier, §3.4.1 for ADD_ADDR's forms.
std::optional<OptionError> check_legal(const Option& option, std::span<const std::byte> bytes, std::optional<std::uint8_t> version, Carrier carrier);

/// Appends the option to `out` (at most 40 octets fit). Returns octets written, 0 if it does not fit.
std::size_t emit_option(const Option& option, std::span<std::byte> out);

}  // namespace weir::wire::mptcp
