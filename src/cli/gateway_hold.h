// What becomes of MPTCP while a gateway cannot begin: gateway.fail, and the kernel's rules.
#pragma once

#include "gateway/kernel_rules.h"
#include "gateway/rules_keeper.h"

namespace weir::cli {

/// Closed: rules by which the kernel holds up what no one decides on. Open, or where those that are there lead to a queue that some process reads: the kernel's
/// rules are left alone. Either is said. This process has no queue then.
void hold_up(gateway::RulesKeeper& keeper, const gateway::KernelRuleSettings& kernel);
/// For who has not begun to be anything else yet.
void hold_up(const gateway::KernelRuleSettings& kernel);

/// It is not known what is to be held up, or it is not this program's to say: whether rules are there that go on holding, is said.
void leave_rules(gateway::RulesKeeper& keeper);
void leave_rules();

/// Nothing passes until the next start.
void tell_held();

/// True: rules lead to a queue that another process reads, or it is not known, and these are not to be put in their place; it is said.
bool are_anothers(gateway::RulesKeeper& keeper, const gateway::KernelRuleSettings& kernel);

}  // namespace weir::cli
