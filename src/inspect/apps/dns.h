// DNS over TCP (RFC 1035 §4.2.2, RFC 7766).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/apps/application.h"

namespace weir::inspect::apps {

/// One message without its length prefix, or nothing if it is none.
std::optional<DnsRecord> parse_dns(std::span<const std::byte> message);

/// Purpose: the messages in both directions. Memory: one message a direction, at most 64 KiB.
class Dns {
 public:
  void data(const ApplicationSettings&, Direction, std::uint64_t offset, std::span<const std::byte>, TimeNs, Sink&);
  void stop(Direction d) { sides_[index(d)].done = true; }
  bool done() const { return sides_[0].done && sides_[1].done; }

 private:
  struct Side {
    std::vector<std::byte> rest;
    bool done = false;
  };
  Side sides_[2];
  std::uint64_t messages_ = 0;
};

}  // namespace weir::inspect::apps
