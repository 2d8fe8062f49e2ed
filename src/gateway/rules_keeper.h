// Puts rules into the kernel, and takes them out again: in a process of its own, which keeps the right to run programs.
#pragma once

#include <sys/types.h>

#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "base/raw_packet.h"
#include "gateway/kernel_rules.h"
#include "gateway/kernel_tables.h"

namespace weir::gateway {

/// Purpose: the program drops its rights before it looks at packets; a child that it has forked before then changes and reads the kernel's tables when asked.
/// It reads nothing but what its parent wrote. Invariant: what was asked is done in order, also when no one waits for the answer any more. When the parent ends
/// without remove(), however that comes, rules stay, and the kernel does what they say (fail). Limits: who asks waits 20 s for an answer; an error then, and at
/// once from then on, until it has come. Ownership: the child, which ends with it. Threads: one.
class RulesKeeper {
 public:
  /// Before rights are dropped and threads begun. `programs`: the folder that iptables, ip6tables, their restore programs and ip are in.
  static std::expected<std::unique_ptr<RulesKeeper>, std::string> start(const std::string& programs = "/usr/sbin/");
  RulesKeeper(const RulesKeeper&) = delete;
  RulesKeeper& operator=(const RulesKeeper&) = delete;
  ~RulesKeeper();

  /// Errors are for people. In place of any that are there.
  std::expected<void, std::string> install(const KernelRuleSettings& settings);
  /// The same, by queues that no process reads, whichever those are: nothing that is led there passes.
  std::expected<void, std::string> hold(const KernelRuleSettings& settings);
  std::expected<void, std::string> remove();
  /// Whether these were installed last, and are as they were: who empties the kernel's tables takes them away unasked.
  std::expected<bool, std::string> stand(const KernelRuleSettings& settings);
  /// Whether there are any; who reads the queues of `own` is left out of account.
  std::expected<RulesThere, std::string> look(const KernelRuleSettings& own);
  std::expected<RulesThere, std::string> look();

  /// The same without waiting; an error: the last answer has not come yet.
  std::expected<void, std::string> begin_stand(const KernelRuleSettings& settings);
  std::expected<void, std::string> begin_install(const KernelRuleSettings& settings);
  /// The answer to it, where it has come; none to what was overtaken by a question that was waited for. Of an install: true.
  std::optional<std::expected<bool, std::string>> answered();
  bool is_asked() const { return awaited_; }

  /// All that is asked from now on is waited for until then, and no longer.
  void end_within(TimeNs time);

 private:
  using Answer = std::expected<std::string, std::string>;
  RulesKeeper(int channel, pid_t child) : channel_(channel), child_(child) {}
  bool send(char what, const KernelRuleSettings& settings);
  std::optional<Answer> receive(TimeNs until);
  std::optional<Answer> last_answer(TimeNs until);
  Answer ask(char what, const KernelRuleSettings& settings);
  std::expected<void, std::string> begin(char what, const KernelRuleSettings& settings);

  int channel_;
  pid_t child_;
  unsigned owed_ = 0;     ///< answers
  bool awaited_ = false;  ///< the last of these, by answered()
  bool silent_ = false;   ///< an answer did not come in time
  TimeNs latest_ = std::numeric_limits<TimeNs>::max();
};

}  // namespace weir::gateway
