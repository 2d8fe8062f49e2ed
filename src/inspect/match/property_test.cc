// Random rules on random streams: what matches does not depend on where the stream is cut, nor over how many subflows; and it is what a
// naive search over the whole stream finds. WEIR_SEEDS=1-10000 chooses the seeds; a failure prints its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "inspect/match/connection_matcher.h"
#include "inspect/rules/parse.h"

namespace weir::inspect::match {
namespace {

using namespace std::string_literals;
using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t n) { return random() % n; }

/// Few letters, so that contents are found often, and often only in part.
std::string letters(Random& random, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += static_cast<char>('a' + below(random, 3));
  return out;
}

std::string random_rule(Random& random, int sid) {
  std::string options;
  const std::size_t contents = 1 + below(random, 4);
  bool any_positive = false;
  bool variable = below(random, 8) == 0;  // `v`, a number from 2 to 4, out of the stream
  const bool from_start = variable;
  if (variable) options += "byte_math:bytes 1, offset " + std::to_string(below(random, 20)) + ", oper -, rvalue 95, result v; ";
  for (std::size_t i = 0; i < contents; ++i) {
    const std::string text = letters(random, 1 + below(random, 4));
    const bool relative = i > 0 && any_positive && ((variable && !from_start) || below(random, 3) != 0);
    const bool negated = below(random, 5) == 0;
    options += "content:" + std::string(negated ? "!" : "") + "\"" + text + "\"; ";
    if (below(random, 6) == 0) options += "nocase; ";
    if (relative) {
      // A negation without an end would ask for the whole stream behind it.
      const bool within = negated || below(random, 2) == 0;
      if (within) options += "within:" + std::to_string(text.size() + below(random, 12)) + "; ";
      if (variable && !within && below(random, 2) == 0)
        options += "distance:v; ";
      else if (!within || below(random, 2) == 0)
        options += "distance:" + std::to_string(within ? static_cast<int>(below(random, 8)) - 3 : static_cast<int>(below(random, 6))) + "; ";
    } else {
      if (below(random, 4) == 0) options += "offset:" + (variable && below(random, 2) == 0 ? "v"s : std::to_string(below(random, 40))) + "; ";
      if (below(random, 4) == 0) options += "depth:" + std::to_string(text.size() + below(random, 60)) + "; ";
    }
    if (!negated) {
      any_positive = true;
      if (below(random, 6) == 0) options += "isdataat:" + std::string(below(random, 3) == 0 ? "!" : "") + std::to_string(below(random, 9)) + ",relative; ";
      if (below(random, 8) == 0)
        options += "byte_test:1," + std::string(below(random, 2) == 0 ? "<" : ">") + ",98," + std::to_string(below(random, 3)) + ",relative; ";
      if (below(random, 10) == 0) options += "pcre:\"/^[ab]+c/R\"; ";
      if (below(random, 12) == 0) options += "base64_decode:relative, bytes 4; base64_data; content:\"|69|\"; pkt_data; ";
      if (!variable && below(random, 8) == 0) {
        options += "byte_math:bytes 1, offset 0, oper -, rvalue 95, result v, relative; ";
        variable = true;
      }
      if (variable && below(random, 6) == 0) options += "isdataat:v,relative; ";
      if (variable && below(random, 6) == 0) options += "byte_jump:1,v,relative; ";
    }
  }
  return "alert tcp any any -> any any (" + options + "sid:" + std::to_string(sid) + ";)\n";
}

class Collected : public FoundSink {
 public:
  void on_found(const Found& found) override {
    EXPECT_TRUE(sids.insert(found.rule->sid).second) << "sid " << found.rule->sid << " twice";
    EXPECT_LE(found.first, found.last);
  }
  std::set<std::uint32_t> sids;
};

/// The rules that match `stream` when it comes in pieces that end at `cuts`.
std::set<std::uint32_t> matched(const std::shared_ptr<const RuleSet>& rules, std::string_view stream, const std::vector<std::size_t>& cuts,
                                std::uint32_t subflows, bool packed) {
  auto matcher = std::make_unique<ConnectionMatcher>(rules);
  Shared shared;
  Collected out;
  Facts facts;
  facts.version = 1;
  facts.subflows = subflows;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t to = i < cuts.size() ? cuts[i] : stream.size();
    const auto piece = stream.substr(from, to - from);
    if (!piece.empty())
      matcher->data(facts, Direction::kToServer, from, std::as_bytes(std::span(piece)), static_cast<std::uint32_t>(i % subflows), 0, shared, out);
    if (packed) {
      matcher->pack();
      CompactWriter state;
      if (matcher->pack_into(state)) {
        matcher = std::make_unique<ConnectionMatcher>(rules);
        CompactReader in(state.written());
        matcher->unpack(in);
        EXPECT_TRUE(in.ok());
      }
    }
    from = to;
  }
  matcher->fin(facts, Direction::kToServer, 0, shared, out);
  if (matcher->limited()) ADD_FAILURE() << shared.limited_evaluations << " " << shared.limited_pending << " " << shared.limited_rules;
  return out.sids;
}

/// The same by trying every way on the whole stream.
std::set<std::uint32_t> naive(const RuleSet& rules, std::string_view stream) {
  std::set<std::uint32_t> out;
  EvaluationLimits limits = rules.limits();
  limits.steps = 10'000'000;
  for (const Plan& plan : rules.plans()) {
    std::vector<Step> steps;
    for (const auto& condition : plan.rule.conditions) {
      steps.push_back(std::move(*make_step(condition, 1'000'000)));
    }
    const Window whole{std::as_bytes(std::span(stream)), 0, true};
    const auto result = evaluate(steps, whole, {}, limits, [](const Match&) { return true; });
    if (result.outcome == Outcome::kYes) out.insert(plan.rule.sid);
  }
  return out;
}

void run(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::string text;
  const int count = 1 + static_cast<int>(below(random, 12));
  for (int i = 1; i <= count; ++i) text += random_rule(random, i);
  auto parsed = rules::parse(text, "random", {});
  ASSERT_TRUE(parsed.refusals.empty()) << parsed.refusals[0].keyword << ": " << parsed.refusals[0].why << "\n" << text;
  Limits limits;
  limits.rule_steps = 100'000'000;  // what is given up at a limit is another matter
  std::vector<Refused> refused;
  const auto set = RuleSet::make(std::move(parsed.rules), limits, nullptr, refused);
  ASSERT_TRUE(refused.empty()) << refused[0].why << "\n" << text;

  const std::string stream = letters(random, 1 + below(random, 200));
  const auto expected = naive(*set, stream);
  EXPECT_EQ(matched(set, stream, {}, 1, false), expected) << "uncut\n" << text << stream;
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < stream.size(); ++i) every.push_back(i);
  EXPECT_EQ(matched(set, stream, every, 16, false), expected) << "octet by octet\n" << text << stream;
  std::vector<std::size_t> some;
  for (std::size_t i = 1; i < stream.size(); ++i) {
    if (below(random, 6) == 0) some.push_back(i);
  }
  EXPECT_EQ(matched(set, stream, some, 3, below(random, 2) == 0), expected) << "at random\n" << text << stream;
}

TEST(MatchProperty, WithinCountsFromBeforeTheStream) {
  for (const auto& [within, expected] : {std::pair("3", 0U), std::pair("4", 1U)}) {
    auto parsed =
        rules::parse("alert tcp any any -> any any (content:\"b\"; content:\"a\"; distance:-5; within:" + std::string(within) + "; sid:1;)", "one", {});
    ASSERT_EQ(parsed.rules.size(), 1U);
    std::vector<Refused> refused;
    const auto set = RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused);
    EXPECT_EQ(matched(set, "ab", {}, 1, false).size(), expected) << "3 octets behind -3 end before the stream begins";
  }
}

TEST(MatchProperty, WhereTheCutsLieMakesNoDifference) {
  std::uint64_t first = 1, last = 300;
  if (const char* const seeds = std::getenv("WEIR_SEEDS")) {
    char* end = nullptr;
    first = std::strtoull(seeds, &end, 10);
    last = *end == '-' ? std::strtoull(end + 1, nullptr, 10) : first;
  }
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) run(seed);
}

}  // namespace
}  // namespace weir::inspect::match
