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
alert tcp any any -> any any (content:"a"; byte_extract:1,0,n,relative; content:"b"; distance:n; within:4; sid:13;)
alert tcp any any -> any any (content:"b"; byte_extract:1,1,n,relative,multiplier 2,align 4; content:!"c"; within:n; content:"a"; distance:n; sid:14;)
alert tcp any any -> any any (byte_extract:2,1,n,string,hex; content:"a"; offset:n; content:"b"; depth:n; isdataat:!n,relative; sid:15;)
alert tcp any any -> any any (byte_math:bytes 1, offset 3, oper -, rvalue 95, result n; byte_math:bytes 1, offset 0, oper <<, rvalue n, result m, relative, bitmask 0xff; content:"a"; offset:m; sid:16;)
alert tcp any any -> any any (content:"c"; byte_math:bytes 1, offset -1, oper /, rvalue 9, result n, relative; byte_test:1,>,n,n,relative; byte_jump:1,n,relative; content:"b"; within:n; sid:17;)
alert tcp any any -> any any (content:"b"; base64_decode:bytes 8, offset 1, relative; base64_data; content:"|69|"; byte_extract:1,0,n,relative; isdataat:!n,relative; pkt_data; content:"c"; distance:0; sid:18;)
alert tcp any any -> any any (base64_decode:offset 2; base64_data; content:!"|6d|"; pcre:"/[i-m]/"; sid:19;)
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
      steps.push_back(std::move(*match::make_step(condition, 1'000'000)));
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
