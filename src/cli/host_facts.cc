#include "cli/host_facts.h"

namespace weir::cli {
namespace {

decide::Known known(const report::SharedInventory& inventory, const inspect::InventoryKey& key) {
  const auto has = inventory.speaks(key);
  return !has ? decide::Known::kUnasked : *has ? decide::Known::kKnown : decide::Known::kNew;
}

}  // namespace

/// Of a connection it counts against its client, else against whoever sent the packet.
void HostFacts::take(const engine::AnomalyRecord& record) {
  const decide::EventSet event = decide::bit_of_name(record.event);
  if (event == 0 || (!record.connection && !record.endpoints)) return;
  const std::lock_guard guard(lock_);
  events_.raised(record.connection ? record.connection->endpoints.src : record.endpoints->src, event, record.time_ns);
}

void HostFacts::fill(decide::Facts& facts, TimeNs now) const {
  if (inventory_ != nullptr) {
    facts.client = known(*inventory_, {.address = facts.connection.src, .role = inspect::InventoryRole::kClient, .port = 0});
    facts.service = known(*inventory_, {.address = facts.connection.dst, .role = inspect::InventoryRole::kServer, .port = facts.connection.dst_port});
  }
  const std::lock_guard guard(lock_);
  facts.anomalies = events_.of(facts.connection.src, now);
}

std::uint64_t HostFacts::evicted() const {
  const std::lock_guard guard(lock_);
  return events_.evicted();
}

}  // namespace weir::cli
