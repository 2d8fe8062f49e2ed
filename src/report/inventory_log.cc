#include "report/inventory_log.h"

#include <utility>

namespace weir::report {

inspect::Inventory::News SharedInventory::take(const inspect::MptcpUse& use) {
  const std::lock_guard guard(lock_);
  if (!inventory_.concerns(use)) return {};
  changed_ = true;
  return inventory_.take(use);
}

void SharedInventory::restore(std::vector<inspect::InventoryEntry> entries) {
  const std::lock_guard guard(lock_);
  inventory_.restore(std::move(entries));
}

std::vector<inspect::InventoryEntry> SharedInventory::entries() const {
  const std::lock_guard guard(lock_);
  return inventory_.entries();
}

std::optional<bool> SharedInventory::speaks(const inspect::InventoryKey& key) const {
  const std::lock_guard guard(lock_);
  return inventory_.speaks(key);
}

bool SharedInventory::take_changed() {
  const std::lock_guard guard(lock_);
  return std::exchange(changed_, false);
}

std::vector<NamedCounter> SharedInventory::counters() const {
  const std::lock_guard guard(lock_);
  return {{"inventory.entries", inventory_.size()},
          {"inventory.roles_unknown", inventory_.roles_unknown()},
          {"inventory.addresses_left_out", inventory_.addresses_left_out()},
          {"evicted.inventory", inventory_.evicted()}};
}

}  // namespace weir::report
