// The address IDs of one connection: used by subflows, offered by ADD_ADDR, withdrawn by REMOVE_ADDR (RFC 8684 §3.4).
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"

namespace weir::track {

/// Purpose: what each host (0: client, 1: server) has said of its addresses. Bounds: 256 IDs a host; the list of offered addresses
/// stops growing once it exceeds what it is asked about.
class AddressBook {
 public:
  void use(std::size_t host, std::uint8_t id) { known_[host].set(id); }
  bool known(std::size_t host, std::uint8_t id) const { return known_[host].test(id); }

  /// Notes an ADD_ADDR; gives the number of distinct addresses offered in this connection within the window.
  std::size_t offer(std::size_t host, std::uint8_t id, const IpAddress& address, TimeNs now_ns, TimeNs window_ns, std::size_t enough) {
    known_[host].set(id);
    std::erase_if(offered_, [&](const auto& o) { return now_ns - o.second > window_ns; });
    const auto found = std::ranges::find(offered_, address, [](const auto& o) { return o.first; });
    if (found != offered_.end()) {
      found->second = now_ns;
    } else if (offered_.size() <= enough) {
      offered_.emplace_back(address, now_ns);
    }
    return offered_.size();
  }

 private:
  std::bitset<256> known_[2];
  std::vector<std::pair<IpAddress, TimeNs>> offered_;
};

}  // namespace weir::track
