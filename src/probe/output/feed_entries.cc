#include "probe/output/feed_entries.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

namespace weir::probe::output {
namespace {

constexpr TimeNs kNsPerSecond = 1'000'000'000;

std::string_view meaning(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNotAsked:
      return "not asked";
    case Outcome::kSilent:
      return "no answer";
    case Outcome::kReset:
      return "RST";
    case Outcome::kPlain:
      return "SYN/ACK without MPTCP";
    case Outcome::kCapable:
      return "a key";
    case Outcome::kEcho:
      return "our own option";
    case Outcome::kOther:
      return "an MPTCP option that answers nothing";
  }
  return "";
}

std::string_view meaning(DataOutcome outcome) {
  switch (outcome) {
    case DataOutcome::kNotSent:
      return "not sent";
    case DataOutcome::kSilent:
      return "not acknowledged";
    case DataOutcome::kExact:
      return "DATA_ACK exact";
    case DataOutcome::kWrong:
      return "DATA_ACK wrong";
    case DataOutcome::kNoDataAck:
      return "acknowledged without DATA_ACK";
    case DataOutcome::kReset:
      return "RST";
  }
  return "";
}

}  // namespace

decide::FeedVerdict feed_verdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::kV1:
      return decide::FeedVerdict::kV1;
    case Verdict::kV0:
      return decide::FeedVerdict::kV0;
    case Verdict::kMirror:
      return decide::FeedVerdict::kMirror;
    case Verdict::kTcpOnly:
      return decide::FeedVerdict::kTcpOnly;
    case Verdict::kClosed:
      return decide::FeedVerdict::kClosed;
    case Verdict::kTimeout:
      return decide::FeedVerdict::kTimeout;
    case Verdict::kInconclusive:
      return decide::FeedVerdict::kInconclusive;
    case Verdict::kStripped:
      return decide::FeedVerdict::kStripped;
  }
  return decide::FeedVerdict::kInconclusive;
}

std::string explain(const Record& record) {
  if (const connect::Details* c = record.connected) {
    if (c->connected) return fmt::format("kernel connection: {}, {} more subflows", c->fallback ? "plain TCP" : "MPTCP", c->subflows);
    return fmt::format("kernel connection: {}", c->why == "no_route" ? "no way leads to it" : c->why.empty() ? "not made" : c->why);
  }
  const Evidence& e = record.finding.evidence;
  std::string text;
  const auto say = [&](std::string_view what, std::string_view how) { text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", what, how); };
  if (e.syn_v1 != Outcome::kNotAsked) say("MP_CAPABLE v1", meaning(e.syn_v1));
  if (e.data_v1 != DataOutcome::kNotSent) say("data", meaning(e.data_v1));
  if (e.syn_v0 != Outcome::kNotAsked) say("MP_CAPABLE v0", meaning(e.syn_v0));
  if (e.data_v0 != DataOutcome::kNotSent) say("data", meaning(e.data_v0));
  if (e.join != Outcome::kNotAsked) say("MP_JOIN", meaning(e.join));
  if (e.syn_plain != Outcome::kNotAsked) say("plain SYN", meaning(e.syn_plain));
  if (e.no_route) say("routing", "no way leads to it");
  if (record.trace != nullptr) say("lost on the path", name_of(record.trace->loss));
  return text;
}

void append_feed_entries(std::vector<decide::FeedEntry>& entries, const Record& record) {
  decide::FeedEntry entry;
  entry.address = record.finding.target.address;
  entry.port = record.finding.target.port;
  entry.verdict = feed_verdict(record.finding.verdict);
  entry.first_seen_s = entry.last_seen_s = record.time_ns / kNsPerSecond;
  entry.evidence = explain(record);
  std::string_view last;
  for (const Name& name : record.names) {
    if (name.name == last) continue;  // in two categories
    entry.name = last = name.name;
    entries.push_back(entry);
  }
  if (record.names.empty()) entries.push_back(std::move(entry));
}

std::string nft_sets(std::span<const decide::FeedEntry> entries) {
  std::set<std::string> v4, v6;
  for (const decide::FeedEntry& entry : entries)
    if (decide::speaks(entry.verdict)) (entry.address.is_v4() ? v4 : v6).insert(fmt::format("{} . {}", to_string(entry.address), entry.port));
  std::string text =
      "# Addresses and ports that speak MPTCP, found by weir probe. nft -f puts them in the place of what the sets held.\nadd table inet weir_probe\n";
  for (const auto& [name, type, elements] : {std::tuple("mptcp4", "ipv4_addr", &v4), std::tuple("mptcp6", "ipv6_addr", &v6)}) {
    text += fmt::format("add set inet weir_probe {0} {{ type {1} . inet_service; }}\nflush set inet weir_probe {0}\n", name, type);
    if (elements->empty()) continue;
    text += fmt::format("add element inet weir_probe {} {{\n", name);
    for (const std::string& element : *elements) text += fmt::format("  {},\n", element);
    text += "}\n";
  }
  return text;
}

}  // namespace weir::probe::output
