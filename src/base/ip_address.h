// An IP address as a value: 16 octets in network order, IPv4 in the mapped form ::ffff:a.b.c.d.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace weir {

struct IpAddress {
  std::array<std::uint8_t, 16> octets{};

  static IpAddress v4(std::span<const std::byte, 4> in) {
    IpAddress a;
    a.octets[10] = a.octets[11] = 0xff;
    std::memcpy(a.octets.data() + 12, in.data(), 4);
    return a;
  }
  static IpAddress v6(std::span<const std::byte, 16> in) {
    IpAddress a;
    std::memcpy(a.octets.data(), in.data(), 16);
    return a;
  }

  bool is_v4() const {
    static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(octets.data(), kMapped.data(), kMapped.size()) == 0;
  }
  /// The octets as they stand in a header: 4 or 16.
  std::span<const std::uint8_t> wire() const { return is_v4() ? std::span(octets).subspan(12) : std::span(octets); }

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// Text as RFC 5952 has it; IPv4 in dotted form.
std::string to_string(const IpAddress& address);

}  // namespace weir
