// A rule's options, one after the other, into a Rule.
#pragma once

#include <optional>
#include <string_view>

#include "inspect/rules/fault.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

/// Purpose: takes the options of one rule in their order; finish() settles what only the whole rule tells.
class RuleBuilder {
 public:
  explicit RuleBuilder(Rule& rule) : rule_(rule) {}

  /// One option. `value`: what stands behind the colon; none without one. `column` is where it stands.
  Parsed<bool> option(std::string_view keyword, std::optional<std::string_view> value, int column);
  Parsed<bool> finish();

 private:
  Parsed<bool> with_value(std::string_view keyword, std::string_view value, int column);
  Parsed<bool> without_value(std::string_view keyword);
  Parsed<bool> position(std::string_view keyword, std::string_view value);
  Parsed<bool> about_the_rule(std::string_view keyword, std::string_view value);
  Content* last_content();
  void settle_direction();
  Parsed<bool> settle_positions();

  Rule& rule_;
  Buffer buffer_ = Buffer::kStream;
  std::optional<std::size_t> content_;  ///< the condition that modifiers are about
  bool has_sid_ = false, has_priority_ = false;
};

}  // namespace weir::inspect::rules
