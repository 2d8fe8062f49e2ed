// Packets that the gateway sends of its own, in the name of one host to another.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace weir::gateway {

/// Purpose: whole IP packets out by the machine's own routes. They pass OUTPUT and POSTROUTING, so that conntrack and NAT see them as the flow's they are.
/// Ownership: two sockets. One owner, one thread. Needs CAP_NET_RAW, for the mark CAP_NET_ADMIN.
class RawSender {
 public:
  static std::expected<std::unique_ptr<RawSender>, std::string> open(std::uint32_t mark);
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;
  ~RawSender();

  void send(std::span<const std::byte> packet);
  std::uint64_t sent() const { return sent_; }
  std::uint64_t failed() const { return failed_; }

 private:
  RawSender(int v4, int v6) : v4_(v4), v6_(v6) {}

  int v4_, v6_;
  std::uint64_t sent_ = 0, failed_ = 0;
};

}  // namespace weir::gateway
