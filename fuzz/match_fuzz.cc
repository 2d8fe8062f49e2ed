// The matcher against a search of the whole stream: the same rules are found, wherever the stream is cut. The first octet says how long pieces are.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>

#include "inspect/match/connection_matcher.h"
#include "inspect/rules/parse.h"

namespace {

using namespace weir;
using namespace weir::inspect;

constexpr std::string_view kRules = R"(
alert tcp any any -> any any (content:"abc"; sid:1;)
alert tcp any any -> any any (content:"ab"; content:"ca"; distance:2; sid:2;)
alert tcp any any -> any any (content:"aa"; content:"b"; within:4; content:"cc"; distance:1; within:9; sid:3;)
alert tcp any any -> any any (content:"a"; offset:3; depth:9; content:!"bb"; within:6; sid:4;)
alert tcp any any -> any any (content:"bab"; content:!"ccc"; offset:5; depth:40; sid:5;)
alert tcp any any -> any any (content:!"cab"; sid:6;)
alert tcp any any -> any any (content:"BC"; nocase; isdataat:!6,relative; sid:7;)
alert tcp any any -> any any (content:"c"; byte_test:1,>,98,1,relative; content:"ab"; distance:0; sid:8;)
alert tcp any any -> any any (content:"b"; byte_jump:1,0,relative; content:"a"; within:5; sid:9;)
alert tcp any any -> any any (content:"ac"; content:"b"; distance:-3; within:4; content:"cb"; distance:3; sid:10;)
alert tcp any any -> any any (pcre:"/a[bc]{2,4}a/"; sid:11;)
alert tcp any any -> any any (content:"ba"; pcre:"/^[ab]+c/R"; content:"c"; distance:1; sid:12;)
)";

std::shared_ptr<const match::RuleSet> make_rules() {
  Limits limits;
  limits.rule_steps = 1'000'000'000;
  std::vector<match::Refused> refused;
  auto parsed = rules::parse(kRules, "fuzz.rules", {});
  auto set = match::RuleSet::make(std::move(parsed.rules), limits, nullptr, refused);
  if (!parsed.refusals.empty() || !refused.empty()) std::abort();
  return set;
}

class Collected : public match::FoundSink {
 public:
  void on_found(const match::Found& found) override {
    if (!sids.insert(found.rule->sid).second) std::abort();
  }
  std::set<std::uint32_t> sids;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto set = make_rules();
  if (size < 2 || size > 300) return 0;
  const auto stream = std::as_bytes(std::span(data + 1, size - 1));
  std::set<std::uint32_t> expected;
  for (const match::Plan& plan : set->plans()) {
    std::vector<match::Step> steps;
    for (const auto& condition : plan.rule.conditions) {
      match::Step step{condition, std::nullopt};
      if (const auto* p = std::get_if<rules::Pcre>(&condition.what)) step.regex = std::move(*match::Regex::compile(*p, 1'000'000));
      steps.push_back(std::move(step));
    }
    const auto result = match::evaluate(steps, {stream, 0, true}, {}, set->limits(), [](const match::Match&) { return true; });
    if (result.outcome == match::Outcome::kYes) expected.insert(plan.rule.sid);
  }
  for (const std::size_t piece : {stream.size(), std::size_t{1}, std::size_t{1} + data[0] % 17U}) {
    match::ConnectionMatcher matcher(set);
    match::Shared shared;
    match::Facts facts;
    Collected found;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      matcher.data(facts, Direction::kToServer, at, stream.subspan(at, std::min(piece, stream.size() - at)), static_cast<std::uint32_t>(at % 3), 0, shared,
                   found);
      if (data[0] >= 128) matcher.pack();
    }
    matcher.fin(facts, Direction::kToServer, 0, shared, found);
    if (!matcher.limited() && found.sids != expected) std::abort();
  }
  return 0;
}
