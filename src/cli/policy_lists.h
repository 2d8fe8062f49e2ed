// The files that policy looks names up in: categories and feeds, read and made ready.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "decide/policy.h"
#include "report/problem.h"

namespace weir::cli {

struct PolicyLists {
  decide::Lookups lookups;
  std::vector<report::Problem> problems;  ///< not fatal: a feed that is stale, damaged or not there; lines of lists that are no names
  std::size_t feeds_refused = 0;
};

/// A category that cannot be read is an error: a rule with it would let pass what it should stop. A feed that cannot be taken leaves the one of `before`,
/// or an empty one. `now_s`: since 1970; a feed is stale by it.
std::expected<PolicyLists, report::Problem> load_policy_lists(const PolicyConfig& config, std::int64_t now_s, const decide::Lookups& before = {});

/// What a policy is made of, kept so that it can be made again when a feed was replaced.
struct PolicySource {
  decide::PolicySettings settings;
  PolicyConfig lists;
  decide::Lookups lookups;  ///< that were read last
};
PolicySource policy_source(const Config& config);
/// Reads the lists anew and says what is wrong with them; null: the old policy is to stay, as a category cannot be read.
std::shared_ptr<const decide::Policy> load_policy(PolicySource& source);

/// Local time, as rules with times mean it.
decide::LocalTime local_time(std::time_t now);

/// Purpose: tells whether a feed's file was replaced since it was last asked. Looks at times and sizes only; meant to be asked every few seconds.
class FeedFiles {
 public:
  explicit FeedFiles(const PolicyConfig& config);
  bool changed();

 private:
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0, bytes = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Stamp stamp_of(const std::string& path);
  std::map<std::string, Stamp> stamps_;
};

}  // namespace weir::cli
