// What `weir gateway` is asked to do: the command line over the configuration.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "cli/inspect_options.h"
#include "cli/policy_lists.h"
#include "cli/service.h"
#include "decide/policy.h"
#include "gateway/kernel_rules.h"
#include "rewrite/nat_settings.h"

namespace weir::cli {

struct GatewayOptions {
  InspectOptions inspect;
  GatewayConfig gateway;
  PolicySource source;
  std::shared_ptr<const decide::Policy> policy;
  bool proxies = false;  ///< some rule of the policy, or its default, has the action proxy
  bool names = false;    ///< some rule of the policy asks for the name of the server
  rewrite::NatSettings nat;
  ServiceSettings service;
  report::LogSettings log;               ///< where no place of the log is named: all else of it
  std::string config;                    ///< the file it came from; empty: none
  Config loaded;                         ///< what it said when it was taken over last
  std::vector<std::string> rules_given;  ///< on the command line
  bool dry_run = false;
  bool broken = false;     ///< its configuration has errors, which are said
  bool knows_hold = true;  ///< what it says of the kernel's rules has none

  gateway::KernelRuleSettings kernel_rules() const;
};

/// The options, or the exit status where there is nothing more to do (help, wrong usage): all is said already.
std::expected<GatewayOptions, int> parse_gateway(std::span<const char* const> arguments);
bool asks_for_names(const PolicyConfig& policy);
bool has_proxy(const PolicyConfig& policy);

}  // namespace weir::cli
