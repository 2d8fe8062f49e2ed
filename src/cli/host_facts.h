// What policy may ask of hosts beside the packet: events they have raised, and whether the inventory has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "decide/event_book.h"
#include "decide/facts.h"
#include "engine/records.h"
#include "report/inventory_log.h"

namespace weir::cli {

/// Purpose: fed with anomalies by every engine, asked at first SYNs. Ownership: the inventory, if there is one, outlives it.
/// Threads: any; a lock, taken for an event or a connection and not for a packet.
class HostFacts {
 public:
  /// `most_hosts`: of which events are remembered.
  explicit HostFacts(std::size_t most_hosts) : events_(most_hosts) {}
  void use(const report::SharedInventory* inventory) { inventory_ = inventory; }

  void take(const engine::AnomalyRecord& record);
  /// Into the fields of `facts` that are its own.
  void fill(decide::Facts& facts, TimeNs now) const;
  std::uint64_t evicted() const;

 private:
  mutable std::mutex lock_;
  decide::EventBook events_;
  const report::SharedInventory* inventory_ = nullptr;
};

}  // namespace weir::cli
