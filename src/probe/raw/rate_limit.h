// How fast packets may go: all together, and to one network. Pure; time comes in.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/ip_address.h"
#include "base/raw_packet.h"

namespace weir::probe::raw {

/// Purpose: a token bucket, told as the time when the next packet is due (GCRA). A value.
class RateLimit {
 public:
  /// `per_second` 0: no limit. `burst`: packets that may go at once.
  RateLimit(double per_second, double burst)
      : step_ns_(per_second > 0 ? static_cast<TimeNs>(1e9 / per_second) : 0), slack_ns_(static_cast<TimeNs>(burst * static_cast<double>(step_ns_))) {}

  bool allows(TimeNs now) const { return step_ns_ == 0 || due_ns_ - slack_ns_ <= now; }
  void spend(TimeNs now, unsigned packets = 1) {
    if (step_ns_ != 0) due_ns_ = std::max(due_ns_, now) + step_ns_ * packets;
  }
  /// When allows() is true again.
  TimeNs next_ns() const { return due_ns_ - slack_ns_; }

 private:
  TimeNs step_ns_, slack_ns_, due_ns_ = 0;
};

/// Purpose: the same for each target network, an IPv4 /24 or an IPv6 /48. Limits: kSlots networks are told apart; those that share
/// a slot share its rate, so that many networks make it slower and never faster. A value.
class NetworkRates {
 public:
  static constexpr std::size_t kSlots = 1 << 14;

  NetworkRates(double per_second, double burst)
      : step_ns_(per_second > 0 ? static_cast<TimeNs>(1e9 / per_second) : 0), slack_ns_(static_cast<TimeNs>(burst * static_cast<double>(step_ns_))) {}

  bool limited() const { return step_ns_ != 0; }
  /// When the next packets to that address may go; their time is taken by the call.
  TimeNs reserve(const IpAddress& address, TimeNs now, unsigned packets) {
    if (!limited()) return now;
    TimeNs& due = due_[slot(address)];
    const TimeNs begin = std::max(due, now);
    due = begin + step_ns_ * packets;
    return std::max(now, begin - slack_ns_);
  }

 private:
  static std::size_t slot(const IpAddress& address) {
    std::uint64_t net = 0;
    std::memcpy(&net, address.octets.data() + (address.is_v4() ? 8 : 0), 8);
    // The last octet of an IPv4 address, and what is behind an IPv6 /48, belong to hosts. Octets lie in network order.
    std::array<std::uint8_t, 8> octets{};
    std::memcpy(octets.data(), &net, 8);
    octets[7] = 0;
    if (!address.is_v4()) octets[6] = 0;
    std::memcpy(&net, octets.data(), 8);
    net *= 0x9e3779b97f4a7c15ULL;
    return net >> 50U;
  }
  static_assert(kSlots == std::size_t{1} << (64U - 50U));

  TimeNs step_ns_, slack_ns_;
  std::array<TimeNs, kSlots> due_{};
};

}  // namespace weir::probe::raw
