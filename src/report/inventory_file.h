// The inventory's file: what is known of a host outlives the program.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/inventory.h"
#include "report/problem.h"

namespace weir::report {

struct InventoryFileError {
  Problem problem;
  bool damaged = false;  ///< it was read, and is no inventory
};

/// None: there is no such file.
std::expected<std::optional<std::vector<inspect::InventoryEntry>>, InventoryFileError> read_inventory(const std::string& path);

/// Puts a damaged file aside as PATH.damaged, so that nothing of it is lost and the next one can be written.
std::optional<Problem> put_aside(const std::string& path);

/// Replaces the file as a whole: whoever reads it, or a power cut, sees the old one or the new one.
std::optional<Problem> write_inventory(const std::string& path, std::span<const inspect::InventoryEntry> entries);

}  // namespace weir::report
