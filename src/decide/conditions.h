// A rule's conditions made ready to be asked, and which of them a connection does not meet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decide/categories.h"
#include "decide/facts.h"
#include "decide/feed_index.h"
#include "decide/name_patterns.h"
#include "decide/range_set.h"
#include "decide/rule.h"

namespace weir::decide {

/// What rules look names up in; shared, as a reload may leave one as it is.
struct Lookups {
  std::shared_ptr<const Categories> categories;
  std::map<std::string, std::shared_ptr<const FeedIndex>, std::less<>> feeds;
};

using AddressSet = GroupSet<IpAddress, inspect::rules::AddressGroup, inspect::rules::AddressRange>;
using PortSet = GroupSet<std::uint16_t, inspect::rules::PortGroup, inspect::rules::PortRange>;

enum class Condition : std::uint8_t {
  kClient,
  kServer,
  kPort,
  kInterfaceIn,
  kInterfaceOut,
  kDirection,
  kTime,
  kName,
  kCategory,
  kFeed,
  kVersion,
  kAnomaly,
  kInventory
};
/// As in the configuration.
std::string_view name_of(Condition condition);

/// Purpose: a connection's facts, and what is looked up of them, once, by the first rule that asks.
class Question {
 public:
  Question(const Facts& given, FlowDirection way, const Lookups& in) : facts(given), direction(way), lookups(in) {}
  const Categories::Set& categories();

  const Facts& facts;
  const FlowDirection direction;
  const Lookups& lookups;

 private:
  std::optional<Categories::Set> categories_;
};

/// Purpose: what a rule matches on. Invariant: nothing of it changes; feeds are those of the Lookups that it was made with.
class Conditions {
 public:
  Conditions(const Match& match, const Lookups& lookups);

  /// The first one that does not hold; nothing: the rule matches.
  std::optional<Condition> first_missed(Question& question) const;
  /// What the rule has conditions on, as "server, category finance, direction outbound"; empty: on nothing.
  std::string text() const;

 private:
  struct FeedUse {
    std::shared_ptr<const FeedIndex> feed;
    std::uint8_t verdicts = 0;  ///< a bit for each
    bool holds(const Facts& facts) const;
  };
  static std::vector<FeedUse> uses(const std::vector<std::string>& words, const Lookups& lookups);

  bool time_holds(const Facts& facts) const;
  bool category_holds(Question& question) const;
  bool feed_holds(const Facts& facts) const;
  bool inventory_holds(const Facts& facts) const;

  Match match_;
  AddressSet client_, server_;
  PortSet port_;
  NamePatterns names_in_, names_out_;
  Categories::Set categories_in_, categories_out_;
  std::vector<FeedUse> feeds_in_, feeds_out_;
};

}  // namespace weir::decide
