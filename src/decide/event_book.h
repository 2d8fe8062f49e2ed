// Which events hosts have raised lately, for rules that ask for them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "decide/facts.h"

namespace weir::decide {

/// The bit of the event of that name; 0: it is none of the catalogue.
EventSet bit_of_name(std::string_view event);

/// Purpose: remembers which events each host has raised. Invariant: at most `most` hosts; at the limit the one whose last event is the oldest goes, and
/// is counted. What is older than kStay holds no longer. One owner at a time; no I/O; time is that of packets.
class EventBook {
 public:
  static constexpr TimeNs kStay = 3'600'000'000'000;  ///< since a host's last event

  explicit EventBook(std::size_t most) : most_(most) {}

  void raised(const IpAddress& host, EventSet events, TimeNs now);
  EventSet of(const IpAddress& host, TimeNs now) const;
  std::size_t size() const { return hosts_.size(); }
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Host {
    IpAddress address;
    EventSet events = 0;
    TimeNs last_ns = 0;
  };
  struct Hash {
    std::size_t operator()(const IpAddress& address) const;
  };

  std::size_t most_;
  std::list<Host> order_;  ///< last event: first
  boost::unordered_flat_map<IpAddress, std::list<Host>::iterator, Hash> hosts_;
  std::uint64_t evicted_ = 0;
};

}  // namespace weir::decide
