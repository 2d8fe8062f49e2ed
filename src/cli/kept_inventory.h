// The inventory of a run and the file that keeps it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/inspect_options.h"
#include "report/inventory_log.h"

namespace weir::cli {

/// Purpose: reads the file, if there is one, and has it written when it has changed. What is wrong with it is said; the run goes on.
/// Ownership: owns the inventory, and shares with a thread of its own what that one writes: a disk that hangs holds up nobody, and outlives this.
/// Threads: one; inventory() is for all.
class KeptInventory {
 public:
  explicit KeptInventory(const InspectOptions& options);
  ~KeptInventory();
  KeptInventory(const KeptInventory&) = delete;
  KeptInventory& operator=(const KeptInventory&) = delete;

  report::SharedInventory& inventory() { return inventory_; }
  /// Has the file written if there is anything new, and does not wait for it. What could not be written is said once, and tried again.
  void keep();
  /// The same for the last time; false: it could not be written within `most`, which is said.
  bool finish(std::chrono::milliseconds most);
  std::vector<report::NamedCounter> counters() const;

 private:
  class Writer;
  void load();

  report::SharedInventory inventory_;
  std::optional<std::string> file_;  ///< none: it is not kept
  bool by_default_ = false;
  std::shared_ptr<Writer> writer_;  ///< once there was something to write
};

}  // namespace weir::cli
