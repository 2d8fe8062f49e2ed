// The inventory of a run: fed by every engine, told in the log, kept over restarts.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/observer.h"
#include "inspect/inventory.h"
#include "report/eve.h"

namespace weir::report {

/// Purpose: one inventory for all engines of a run. Threads: any; a lock, taken for an event of a connection and not for a packet.
class SharedInventory {
 public:
  SharedInventory(std::size_t most, std::function<bool(const IpAddress&)> local) : inventory_(most, std::move(local)) {}

  inspect::Inventory::News take(const inspect::MptcpUse& use);
  void restore(std::vector<inspect::InventoryEntry> entries);
  std::vector<inspect::InventoryEntry> entries() const;
  std::optional<bool> speaks(const inspect::InventoryKey& key) const;
  /// Whether anything was taken since the last call.
  bool take_changed();
  std::vector<NamedCounter> counters() const;

 private:
  mutable std::mutex lock_;
  inspect::Inventory inventory_;
  bool changed_ = false;
};

/// Purpose: feeds the inventory from one engine, and has what is new written to that engine's log. Ownership: both outlive it. Threads: its engine's.
class InventoryLog : public engine::Observer {
 public:
  InventoryLog(SharedInventory& inventory, EveWriter* log) : inventory_(inventory), log_(log) {}
  void on_mptcp_use(const engine::ConnectionInfo& info, const inspect::MptcpUse& use) override {
    for (const auto& news : inventory_.take(use)) {
      if (log_ != nullptr) log_->write_inventory(info, use.time_ns, news);
    }
  }

 private:
  SharedInventory& inventory_;
  EveWriter* log_;
};

}  // namespace weir::report
