#include "cli/kept_inventory.h"

#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <thread>
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

/// What the thread that writes and the one that asks for it share. Only the newest state waits.
class KeptInventory::Writer {
 public:
  /// The thread has its share of it for as long as it runs.
  static std::shared_ptr<Writer> start(const std::string& file) {
    auto writer = std::make_shared<Writer>(file);
    std::thread([writer] { writer->run(); }).detach();
    return writer;
  }
  explicit Writer(std::string file) : file_(std::move(file)) {}

  void submit(std::vector<inspect::InventoryEntry> entries) {
    {
      const std::scoped_lock lock(mutex_);
      next_ = std::move(entries);
      failed_ = false;
    }
    changed_.notify_all();
  }
  void end() {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }
  /// What failed is to be tried again.
  bool failed() const {
    const std::scoped_lock lock(mutex_);
    return failed_;
  }
  /// false: not all is written.
  bool wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    const bool idle = changed_.wait_for(lock, most, [this] { return !next_ && !writing_; });
    if (!idle) say(file_, "could not be written in time");
    return idle && !failed_;
  }
  std::uint64_t failures() const {
    const std::scoped_lock lock(mutex_);
    return failures_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return next_ || ended_; });
      if (!next_) return;
      const auto entries = *std::exchange(next_, std::nullopt);
      writing_ = true;
      lock.unlock();
      const auto problem = report::write_inventory(file_, entries);
      lock.lock();
      writing_ = false;
      if (problem) {
        ++failures_;
        failed_ = true;
        if (!std::exchange(told_, true)) say(*problem);
      } else {
        told_ = false;
      }
      changed_.notify_all();
    }
  }

  const std::string file_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::vector<inspect::InventoryEntry>> next_;
  bool writing_ = false, ended_ = false, failed_ = false, told_ = false;
  std::uint64_t failures_ = 0;
};

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

KeptInventory::~KeptInventory() {
  if (writer_) writer_->end();
}

void KeptInventory::keep() {
  const bool again = writer_ && writer_->failed();
  if (!inventory_.take_changed() && !again) return;
  if (!file_) return;
  // Not before there is something to write: threads begun before privileges were dropped would keep them.
  if (!writer_) writer_ = Writer::start(*file_);
  writer_->submit(inventory_.entries());
}

bool KeptInventory::finish(std::chrono::milliseconds most) {
  keep();
  return !writer_ || writer_->wait(most);
}

std::vector<report::NamedCounter> KeptInventory::counters() const {
  auto all = inventory_.counters();
  all.emplace_back("inventory.writes_failed", writer_ ? writer_->failures() : 0);
  return all;
}

}  // namespace weir::cli
