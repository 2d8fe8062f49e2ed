// Packets that the gateway sends of its own, in the name of one host to another.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace weir::gateway {

/// Purpose: whole IP packets out by the machine's own routes. They pass OUTPUT and POSTROUTING, so that conntrack and NAT see them as the flow's they are.
/// Ownership: a socket for each family and mark. One owner, one thread. Needs CAP_NET_RAW, for the mark CAP_NET_ADMIN.
class RawSender {
 public:
  /// `untracked_mark`: by it the kernel's rules lead a packet past conntrack.
  static std::expected<std::unique_ptr<RawSender>, std::string> open(std::uint32_t mark, std::uint32_t untracked_mark);
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;
  ~RawSender();

  void send(std::span<const std::byte> packet, bool untracked = false);
  std::uint64_t sent() const { return sent_; }
  std::uint64_t failed() const { return failed_; }

 private:
  struct Sockets {
    int v4 = -1, v6 = -1;
  };
  RawSender(Sockets tracked, Sockets untracked) : tracked_(tracked), untracked_(untracked) {}

  Sockets tracked_, untracked_;
  std::uint64_t sent_ = 0, failed_ = 0;
};

}  // namespace weir::gateway
