// All ways out of this host that the targets need: each packet by the way of its target, answers from all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "probe/raw/link.h"
#include "probe/raw/way_table.h"

namespace weir::probe::raw {

struct Way {
  std::size_t link = 0;              ///< which of the links
  IpAddress source;                  ///< that we speak from
  std::optional<IpAddress> gateway;  ///< none: targets are on the link
  bool usable = true;                ///< false: its gateway does not answer
  friend bool operator==(const Way&, const Way&) = default;
};

/// Purpose: see above. Invariant: which way a target has stays the same for a run. Ownership: the links. One owner, one thread.
class Links {
 public:
  Links(std::vector<std::unique_ptr<Link>> links, std::vector<Way> ways, WayTable table)
      : links_(std::move(links)), ways_(std::move(ways)), table_(std::move(table)) {}

  /// None: there is no way to it.
  const Way* way_to(const IpAddress& target) const {
    const auto number = table_.at(target);
    return number && ways_[*number].usable ? &ways_[*number] : nullptr;
  }
  std::span<Way> ways() { return ways_; }
  Link& link(const Way& way) { return *links_[way.link]; }
  /// Ways' interfaces that have been down while packets went; each once.
  std::vector<std::string> failed() const;

  /// An IP packet from the way's source to the target.
  void send(std::span<const std::byte> packet, const Way& way, const IpAddress& to, TimeNs now) {
    links_[way.link]->send(packet, way.gateway ? *way.gateway : to, way.source, now);
  }
  void flush();
  /// What has come, at most Link::kBatch frames of each link. True: there may be more.
  bool receive(const Link::Take& take);
  /// Until something has come, or so long.
  void wait(TimeNs longest) const;
  /// Answers that the kernel had no room for. Grows only.
  std::uint64_t dropped() const;

 private:
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Way> ways_;
  WayTable table_;
};

}  // namespace weir::probe::raw
