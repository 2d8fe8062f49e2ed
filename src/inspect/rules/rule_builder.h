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
  /// A sticky buffer that nothing follows would be passed over in silence.
  Parsed<bool> last_buffer_used() const;
  void settle_direction();
  Parsed<bool> settle_positions();

  Rule& rule_;
  Buffer buffer_ = Buffer::kStream;
  std::optional<std::size_t> content_;  ///< the condition that modifiers are about
  std::size_t sticky_at_ = 0;           ///< how many conditions there were before buffer_
  unsigned given_ = 0;                  ///< which of the keywords were given that a rule has once
  bool has_priority_ = false;
};

}  // namespace weir::inspect::rules
