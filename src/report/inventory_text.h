// An inventory as text: JSON and CSV for programs, a table for people.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/inventory.h"
#include "report/json.h"
#include "report/terminal.h"

namespace weir::report {

/// The fields of an entry, into an object that is open.
void inventory_fields(JsonWriter& json, const inspect::InventoryEntry& entry);
void inventory_address(JsonWriter& json, const inspect::InventoryAddress& address);

/// One JSON text, an entry a line; what inventory_from_json() takes.
std::string inventory_json(std::span<const inspect::InventoryEntry> entries);
/// RFC 4180, with a line of names first.
std::string inventory_csv(std::span<const inspect::InventoryEntry> entries);
std::string inventory_table(std::span<const inspect::InventoryEntry> entries, const TextStyle& style);

/// The entries, or why it is no inventory. Nothing is taken of a text that is wrong anywhere.
std::expected<std::vector<inspect::InventoryEntry>, std::string> inventory_from_json(std::string_view text);

}  // namespace weir::report
