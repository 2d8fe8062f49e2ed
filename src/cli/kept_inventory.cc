#include "cli/kept_inventory.h"

#include <cstddef>
#include <filesystem>
#include <utility>

#include "cli/say.h"
#include "inspect/rules/groups.h"
#include "report/inventory_file.h"

namespace weir::cli {
namespace {

/// Whether an address is local. The text was checked with the configuration; variables of the default always parse.
std::function<bool(const IpAddress&)> local_of(const InspectOptions& options) {
  auto group = inspect::rules::parse_addresses(options.local, options.variables);
  if (!group) {
    say("sensor.local", group.error().why, "no host is local: the inventory stays empty");
    return [](const IpAddress&) { return false; };
  }
  return [addresses = *std::move(group)](const IpAddress& address) { return addresses.contains(address); };
}

}  // namespace

KeptInventory::KeptInventory(const InspectOptions& options)
    : inventory_(static_cast<std::size_t>(options.limits.inventory_entries), local_of(options)),
      file_(options.inventory),
      by_default_(options.inventory_by_default) {
  if (file_) load();
}

void KeptInventory::load() {
  std::error_code error;
  const auto folder = std::filesystem::path(*file_).parent_path();
  if (by_default_ && !std::filesystem::is_directory(folder, error)) {
    say(*file_, "there is no such folder: the inventory ends with this run", "sensor.inventory in the configuration names another file");
    file_.reset();
    return;
  }
  auto read = report::read_inventory(*file_);
  if (read) {
    if (*read) inventory_.restore(std::move(**read));
    return;
  }
  if (!read.error().damaged) {
    // Writing over what cannot be read would lose it.
    say(read.error().problem.what, read.error().problem.why, "the inventory ends with this run");
    file_.reset();
    return;
  }
  if (const auto problem = report::put_aside(*file_)) {
    say(read.error().problem.what, read.error().problem.why, "the inventory ends with this run");
    say(*problem);
    file_.reset();
    return;
  }
  say(read.error().problem.what, read.error().problem.why, "kept as " + *file_ + ".damaged; the inventory begins anew");
}

bool KeptInventory::keep() {
  if (inventory_.take_changed()) unwritten_ = true;
  if (!file_ || !unwritten_) return true;
  if (const auto problem = report::write_inventory(*file_, inventory_.entries())) {
    ++writes_failed_;
    if (!std::exchange(told_, true)) say(*problem);
    return false;
  }
  unwritten_ = told_ = false;
  return true;
}

std::vector<report::NamedCounter> KeptInventory::counters() const {
  auto all = inventory_.counters();
  all.emplace_back("inventory.writes_failed", writes_failed_);
  return all;
}

}  // namespace weir::cli
