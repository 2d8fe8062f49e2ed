// Values of a configuration's keys, read and checked; what is wrong is gathered with its line.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inspect/rules/parse.h"
#include "inspect/rules/rule.h"

namespace weir::cli {

struct ConfigError {
  int line = 0;  ///< from 1; 0: the file as a whole
  std::string why, hint;
};

int line_of(const YAML::Node& node);

/// Purpose: reads values, and keeps all errors of one document. A value that is not given (an undefined node) leaves the default, silently; so does a
/// wrong one, with an error.
class ConfigValues {
 public:
  void error(const YAML::Node& node, std::string why, std::string hint = {});
  /// An error that makes all further ones of this node idle: they are not kept.
  void misplaced(const YAML::Node& node, std::string why);
  bool empty() const { return errors_.empty(); }
  std::size_t errors() const { return errors_.size(); }
  /// In the order of the file.
  std::vector<ConfigError> take_errors();

  void number(const YAML::Node& node, std::string_view name, std::pair<std::int64_t, std::int64_t> range, std::string_view unit, std::int64_t& into,
              std::string hint = {});
  void number(const YAML::Node& node, std::string_view name, std::pair<std::int64_t, std::int64_t> range, std::string_view unit, std::uint32_t& into);
  void flag(const YAML::Node& node, std::string_view name, bool& into);
  /// A text that is not empty.
  void text(const YAML::Node& node, std::string_view name, std::string_view what, std::string& into);
  /// The place of the word in the list; nothing: not given, or another word.
  std::optional<std::size_t> word(const YAML::Node& node, std::string_view name, std::initializer_list<std::string_view> words);
  /// Names of network interfaces.
  void interfaces(const YAML::Node& node, std::string_view name, std::string_view example, std::vector<std::string>& into);
  /// Addresses, prefixes, ranges and variables, or ports; with '!' in front: exceptions.
  void addresses(const YAML::Node& node, std::string_view name, const inspect::rules::Variables& variables, inspect::rules::AddressGroup& into);
  void ports(const YAML::Node& node, std::string_view name, const inspect::rules::Variables& variables, inspect::rules::PortGroup& into);

  /// The texts of a list, or of one value; where one is none there is an error, and it is left out.
  std::vector<std::pair<YAML::Node, std::string>> members(const YAML::Node& node, std::string_view name);

 private:
  std::vector<ConfigError> errors_;
  std::vector<int> misplaced_;  ///< offsets in the document
};

}  // namespace weir::cli
