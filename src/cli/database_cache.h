// Compiled rule sets on disk, so that a second start with the same rules is quick.
#pragma once

#include <string>

#include "inspect/match/database.h"

namespace weir::cli {

/// Purpose: a folder of files named after what they were compiled from: $WEIR_CACHE, else $XDG_CACHE_HOME/weir, ~/.cache/weir, as root
/// /var/cache/weir. WEIR_CACHE set to nothing: no cache. A file that is not whole, or not the user's own, is not used.
class DiskCache : public inspect::match::DatabaseCache {
 public:
  static constexpr std::size_t kWorthwhileRules = 500;  ///< fewer are compiled faster than read
  DiskCache();
  bool usable() const { return !folder_.empty(); }
  std::vector<char> load(const std::string& key) override;
  void store(const std::string& key, std::span<const char> bytes) override;

 private:
  std::string folder_;
};

}  // namespace weir::cli
