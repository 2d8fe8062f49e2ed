// The interface that probes leave by and answers come to, as octets (packet(7)).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "capture/error.h"
#include "capture/live_sender.h"
#include "probe/raw/neighbours.h"

namespace weir::probe::raw {

struct LinkSettings {
  std::string interface;
  std::vector<IpAddress> own;  ///< addresses that the kernel does not have: the link answers for them
};

/// Purpose: IP packets out, each to a next hop, and those in that may be answers: TCP to the prober's ports, ICMP, ICMPv6.
/// Limits: kSocketBytes of answers wait in the kernel; what does not fit is dropped, and counted. Ownership: its sockets. One owner, one thread.
class Link {
 public:
  /// `received_ns`: when the kernel had it, as capture::steady_ns() counts.
  using Take = std::function<void(std::span<const std::byte> packet, TimeNs received_ns)>;
  static constexpr int kSocketBytes = 32 << 20;
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kSnapBytes = 2'048;

  static std::expected<std::unique_ptr<Link>, capture::Error> open(const LinkSettings& settings);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  /// An IP packet. What does not know its next hop yet waits for it.
  void send(std::span<const std::byte> packet, const IpAddress& next_hop, const IpAddress& from, TimeNs now);
  void flush();
  /// Up to kBatch frames; each IP packet among them is handed over. How many frames there were.
  std::size_t receive(const Take& take);
  /// Whether the next hop has answered; it is asked for.
  bool knows(const IpAddress& next_hop, const IpAddress& from, TimeNs now) { return neighbours_->find(next_hop, from, {}, now) != nullptr; }

  const std::string& interface() const { return settings_.interface; }
  int descriptor() const { return receiver_; }
  /// Whether the interface was down, or away, at that time or later: what was sent then was not, and answers were not heard.
  bool failed_since(TimeNs steady_ns) const { return failed_ns_ && *failed_ns_ >= steady_ns; }
  bool has_failed() const { return failed_ns_.has_value(); }
  const capture::SendCounters& sent() const { return sender_->counters(); }
  /// Answers that the kernel had no room for. Grows only.
  std::uint64_t dropped();

 private:
  explicit Link(const LinkSettings& settings) : settings_(settings) {}
  std::expected<void, capture::Error> start();

  LinkSettings settings_;
  int receiver_ = -1;
  std::unique_ptr<capture::LiveSender> sender_;
  std::unique_ptr<Neighbours> neighbours_;
  Mac own_{};
  std::vector<std::byte> frame_;
  std::vector<std::byte> space_;
  std::uint64_t dropped_ = 0;
  std::uint64_t not_sent_ = 0;       ///< frames, as far as it was noticed
  std::optional<TimeNs> failed_ns_;  ///< when it was down last
};

}  // namespace weir::probe::raw
