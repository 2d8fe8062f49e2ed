// Puts rules into the kernel, and takes them out again: in a process of its own, which keeps the right to run programs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "gateway/kernel_rules.h"

namespace weir::gateway {

/// Purpose: the program drops its rights before it looks at packets; a child that it has forked before then runs iptables-restore when asked. It reads
/// nothing but what its parent wrote. Invariant: each change is one transaction a family and table. When the parent ends without remove(), however that comes,
/// rules stay, and the kernel does what they say (fail). Ownership: the child, which ends with it. Threads: one.
class RulesKeeper {
 public:
  /// Before rights are dropped and threads begun.
  static std::expected<std::unique_ptr<RulesKeeper>, std::string> start();
  RulesKeeper(const RulesKeeper&) = delete;
  RulesKeeper& operator=(const RulesKeeper&) = delete;
  ~RulesKeeper();

  /// In place of any that are there. The error is for people.
  std::expected<void, std::string> install(const KernelRuleSettings& settings);
  std::expected<void, std::string> remove(const Marks& marks);
  /// Whether what was installed last is still led to: who empties the kernel's tables takes it away unasked.
  std::expected<bool, std::string> stand();
  /// Whether there are any, of this run or of an earlier one.
  std::expected<bool, std::string> are_there();

 private:
  RulesKeeper(int channel, pid_t child) : channel_(channel), child_(child) {}
  /// What it answers to that it has done.
  std::expected<std::string, std::string> ask(char what, const std::string& payload);
  std::expected<bool, std::string> question(char what);

  int channel_;
  pid_t child_;
};

}  // namespace weir::gateway
