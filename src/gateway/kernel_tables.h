// Weir's rules in the kernel's tables: put there, looked at, taken away by the programs that do so.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/kernel_rules.h"

namespace weir::gateway {

enum class RulesThere : std::uint8_t {
  kNone,
  kUnread,  ///< of this run or of an earlier one
  kRead,    ///< they lead to a queue that some process reads: mostly a gateway
};

/// Purpose: runs iptables, ip and nft, and notes what it has installed. What these do not tell, since they fail, is an error, never "not there".
/// Invariant: each change is one transaction a family and table. Ownership: none. Threads: one.
class KernelTables {
 public:
  /// `folder`: where the programs are, with a slash at its end.
  explicit KernelTables(std::string folder) : folder_(std::move(folder)) {}

  /// In place of any that are there. What went wrong, if anything.
  std::optional<std::string> install(const KernelRuleSettings& settings);
  /// The same, but none of their queues is one that some process reads: nothing that is led there passes.
  std::optional<std::string> hold(KernelRuleSettings settings);
  std::optional<std::string> remove();
  /// Whether these were installed last, and all of Weir's chains are still as they were then, and led to.
  std::expected<bool, std::string> stand(const KernelRuleSettings& settings) const;
  /// The queues of `own` do not count as read.
  std::expected<RulesThere, std::string> look(const KernelRuleSettings& own) const;

 private:
  using Texts = std::array<std::string, 2>;  ///< for each family
  struct Listed {
    Jumps jumps;
    std::string text;
    std::vector<std::pair<std::uint16_t, std::uint16_t>> queues;
    bool forward = false;  ///< led to from FORWARD
  };
  std::expected<Listed, std::string> list(std::size_t family) const;
  std::optional<std::string> restore(std::size_t family, const std::string& text) const;
  std::optional<std::string> deliver(const KernelRuleSettings& settings, std::size_t family, bool install) const;
  void take_back(const KernelRuleSettings& one, const KernelRuleSettings* other) const;
  std::optional<std::string> install_all(const KernelRuleSettings& settings, Texts& texts) const;

  std::string folder_;
  std::optional<KernelRuleSettings> installed_;  ///< last, as a whole
  Texts texts_;                                  ///< what was there right after it
};

}  // namespace weir::gateway
