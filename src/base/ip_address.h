// An IP address as a value: 16 octets in network order, IPv4 in the mapped form ::ffff:a.b.c.d.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir {

struct IpAddress {
  std::array<std::uint8_t, 16> octets{};

  static IpAddress v4(std::span<const std::byte, 4> in) {
    IpAddress a;
    a.set_v4(in);
    return a;
  }
  static IpAddress v6(std::span<const std::byte, 16> in) {
    IpAddress a;
    a.set_v6(in);
    return a;
  }

  /// In place: a packet's addresses are told without a copy through the stack.
  void set_v4(std::span<const std::byte, 4> in) {
    const std::span<std::uint8_t, 16> to(octets);
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::memcpy(to.first<12>().data(), kMapped.data(), 12);
    std::memcpy(to.last<4>().data(), in.data(), 4);
  }
  void set_v6(std::span<const std::byte, 16> in) { std::memcpy(octets.data(), in.data(), 16); }

  bool is_v4() const {
    static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(octets.data(), kMapped.data(), kMapped.size()) == 0;
  }
  /// The octets as they stand in a header: 4 or 16.
  std::span<const std::uint8_t> wire() const { return is_v4() ? std::span(octets).subspan(12) : std::span(octets); }

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

/// An IPv4 or IPv6 address as people write it; nothing else around it.
std::optional<IpAddress> parse_ip_address(std::string_view text);

/// Text as RFC 5952 has it; IPv4 in dotted form.
std::string to_string(const IpAddress& address);

}  // namespace weir
