#include "cli/gateway_hold.h"

#include <functional>

#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr const char* kRules = "the kernel's rules";

void with_keeper(const std::function<void(gateway::RulesKeeper&)>& what) {
  const auto keeper = gateway::RulesKeeper::start();
  keeper ? what(**keeper) : say(kRules, keeper.error());
}

void tell_left(gateway::RulesThere there) {
  if (there == gateway::RulesThere::kNone) return say(kRules, "none of Weir's are installed: MPTCP passes");
  say(kRules, "those that are there stay as they are", there == gateway::RulesThere::kRead ? "another process reads the queue that they lead to" : "");
}

}  // namespace

void tell_held() { say("gateway.fail", "closed: MPTCP is held up until the gateway runs"); }

void leave_rules(gateway::RulesKeeper& keeper) {
  const auto there = keeper.look();
  if (!there) return say(kRules, "whatever is there stays as it is", there.error());
  tell_left(*there);
}

void hold_up(gateway::RulesKeeper& keeper, const gateway::KernelRuleSettings& kernel) {
  if (kernel.fail_open) return leave_rules(keeper);
  const auto there = keeper.look();
  if (!there) return say(kRules, "whatever is there stays as it is", there.error());
  if (*there == gateway::RulesThere::kRead) return tell_left(*there);
  const auto installed = keeper.hold(kernel);
  if (installed) return tell_held();
  say(kRules, installed.error());
  leave_rules(keeper);
}

bool are_anothers(gateway::RulesKeeper& keeper, const gateway::KernelRuleSettings& kernel) {
  const auto there = keeper.look(kernel);
  if (!there) return say(kRules, "whatever is there stays as it is", there.error()), true;
  if (*there == gateway::RulesThere::kRead) return tell_left(*there), true;
  return false;
}

void hold_up(const gateway::KernelRuleSettings& kernel) {
  with_keeper([&](gateway::RulesKeeper& keeper) { hold_up(keeper, kernel); });
}

void leave_rules() {
  with_keeper([](gateway::RulesKeeper& keeper) { leave_rules(keeper); });
}

}  // namespace weir::cli
