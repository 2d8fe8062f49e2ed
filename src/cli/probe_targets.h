// The targets of a run: what the command line and its lists name, names resolved, what is excluded left out.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "cli/probe_options.h"
#include "probe/output/record.h"
#include "probe/targets/categories.h"
#include "probe/targets/target_space.h"

namespace weir::cli {

struct ProbeTargets {
  probe::targets::TargetSpace space;
  std::map<IpAddress, std::vector<probe::output::Name>> names;
  probe::targets::Categories categories;
  std::size_t named = 0;       ///< lines and words that named a target
  std::size_t unresolved = 0;  ///< names without an address: they were told

  std::span<const probe::output::Name> names_of(const IpAddress& address) const {
    const auto found = names.find(address);
    return found == names.end() ? std::span<const probe::output::Name>() : std::span(found->second);
  }
  /// Of its names and of the address itself, each once.
  std::vector<std::string> categories_of(const IpAddress& address) const;
};

/// `learnt`: further names. The exit status where it cannot be done: all is said.
std::expected<ProbeTargets, int> collect_targets(const ProbeOptions& options, std::span<const std::string> learnt, const std::function<bool()>& stop);

}  // namespace weir::cli
