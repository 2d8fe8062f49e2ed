// The inventory of a run and the file that keeps it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/inspect_options.h"
#include "report/inventory_log.h"

namespace weir::cli {

/// Purpose: reads the file, if there is one, and writes it when it has changed. What is wrong with it is said; the run goes on.
/// Ownership: owns the inventory. Threads: one; inventory() is for all.
class KeptInventory {
 public:
  explicit KeptInventory(const InspectOptions& options);

  report::SharedInventory& inventory() { return inventory_; }
  /// Writes the file if there is anything new; false: it could not be written, which is said once.
  bool keep();
  std::vector<report::NamedCounter> counters() const;

 private:
  void load();

  report::SharedInventory inventory_;
  std::optional<std::string> file_;  ///< none: it is not kept
  bool by_default_ = false;
  bool unwritten_ = false, told_ = false;
  std::uint64_t writes_failed_ = 0;
};

}  // namespace weir::cli
