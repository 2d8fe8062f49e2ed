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
#include "cli/file_stamp.h"
#include "decide/policy.h"
#include "report/problem.h"

namespace weir::cli {

/// What was read, and of which files it is: what did not change is not read again.
struct ReadLists {
  struct ReadFeed {
    std::string path;
    FileStamp stamp;
    std::int64_t valid_until_s = 0;
  };
  decide::Lookups lookups;
  std::vector<NamedPath> categories;                ///< those that the lookups have
  std::map<std::string, FileStamp> category_files;  ///< all that were looked for, those that are not there too
  bool settled = false;                             ///< a change of them since would show
  std::map<std::string, ReadFeed> feeds;            ///< by name: those that are good, and a change of which would show
};

struct PolicyLists {
  ReadLists read;
  std::vector<report::Problem> problems;  ///< not fatal: a feed that is stale, damaged or not there; lines of lists that are no names
  std::size_t feeds_refused = 0;
};

/// A category that cannot be read is an error: a rule with it would let pass what it should stop. A feed that cannot be taken leaves the one of `before`,
/// or an empty one. Files of `before` that are as they were are not read again: those of all categories together, each feed by itself.
/// `now_ns`: since 1970; a feed is stale by it.
std::expected<PolicyLists, report::Problem> load_policy_lists(const PolicyConfig& config, std::int64_t now_ns, const ReadLists& before = {});

/// Purpose: tells whether a feed's file was replaced since it was last asked. Looks at times and sizes only; meant to be asked every few seconds.
class FeedFiles {
 public:
  FeedFiles() = default;
  explicit FeedFiles(const PolicyConfig& config);
  bool changed();

 private:
  std::map<std::string, FileStamp> stamps_;
};

/// What a policy is made of, kept so that it can be made again when a feed was replaced.
struct PolicySource {
  decide::PolicySettings settings;
  PolicyConfig lists;
  ReadLists read;        ///< last
  FeedFiles feed_files;  ///< as they were just before
};
PolicySource policy_source(const Config& config);
/// Reads what changed of the lists and says what is wrong with them; null: the old policy is to stay, as a category cannot be read.
std::shared_ptr<const decide::Policy> load_policy(PolicySource& source);

/// Local time, as rules with times mean it.
decide::LocalTime local_time(std::time_t now);

}  // namespace weir::cli
