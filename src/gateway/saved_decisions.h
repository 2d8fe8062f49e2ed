// What was decided of running connections, as octets for a later process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ip_address.h"
#include "decide/decision.h"

namespace weir::gateway {

struct SavedDecision {
  std::uint64_t connection = 0;  ///< ConnectionInfo::number
  std::shared_ptr<const decide::Decision> decision;
  IpAddress client{};
  std::uint16_t client_port = 0, server_port = 0;
  std::uint32_t counted = 0;  ///< subflows that count against limits
  bool blocked = false, unseen_told = false, offloaded = false, has_offers = false;
  bool kept_mark = false;  ///< conntrack follows it
};

/// The form that is written, and the oldest one that is read: that one has no kept_mark.
inline constexpr unsigned kDecisionsForm = 2, kOldestDecisionsForm = 1;
/// One decision that many connections share is written once. `form`: an older one, as the processes of its time have written it.
std::vector<std::byte> write_decisions(std::span<const SavedDecision> all, unsigned form = kDecisionsForm);
/// None: the octets are no such list. At most `most` connections.
std::optional<std::vector<SavedDecision>> read_decisions(Bytes octets, std::size_t most);

}  // namespace weir::gateway
