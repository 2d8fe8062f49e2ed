// A rule's options, one after the other, into a Rule.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

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
  Parsed<bool> without_value(std::string_view keyword, int column);
  Parsed<bool> position(std::string_view keyword, std::string_view value);
  Parsed<bool> on_the_bytes(std::string_view keyword, std::string_view value, int column, bool& known);
  Parsed<bool> on_a_file(std::string_view keyword, std::string_view value, int column, bool& known);
  Parsed<bool> about_the_rule(std::string_view keyword, std::string_view value);
  Parsed<bool> about_the_connection(std::string_view keyword, std::string_view value);
  Parsed<bool> stick(Buffer buffer);
  Parsed<bool> transform(Transform::Kind kind, std::string argument);
  Parsed<bool> push(Condition condition);
  template <typename What>
  Parsed<bool> push(Parsed<What> what, Subject subject, int column);
  /// Where conditions go: the rule's, or those of what base64_decode decodes.
  std::vector<Condition>& conditions();
  Content* last_content();
  /// What a relative condition without a sticky buffer is about: what the condition before it is about.
  Subject subject_before() const;
  /// A sticky buffer that nothing follows would be passed over in silence.
  Parsed<bool> last_buffer_used();
  Parsed<bool> check_absences() const;
  void settle_direction();
  Parsed<bool> settle_positions(std::vector<Condition>& conditions);

  Rule& rule_;
  Subject subject_;
  std::optional<std::size_t> content_;          ///< the condition that modifiers are about
  std::size_t sticky_at_ = 0;                   ///< how many conditions there were before subject_
  std::optional<std::size_t> base64_;           ///< the last base64_decode
  bool decoded_ = false;                        ///< base64_data is the sticky buffer
  std::map<Buffer, std::uint8_t> occurrences_;  ///< of buffers that a transaction has several of
  std::vector<Subject> variable_subjects_;      ///< by Variable: what it was read from
  unsigned given_ = 0;                          ///< which of the keywords were given that a rule has once
  bool has_priority_ = false;
};

}  // namespace weir::inspect::rules
