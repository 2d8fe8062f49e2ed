// Core: what policy says of a first SYN, where it is forwarded and, for a proxy, before it is routed.
#include <fmt/format.h>

#include <utility>

#include "gateway/core.h"
#include "gateway/syn_option.h"
#include "track/flow_table.h"

namespace weir::gateway {
namespace {

using decide::Action;

bool may_agree(const decide::JoinLimits& limits, std::uint8_t version) { return limits.versions == 0 || version > 7 || (limits.versions >> version & 1U) != 0; }

}  // namespace

/// Of the SYN that is decoded.
Core::Decided Core::ask_policy(const Packet& packet, std::uint8_t version) const {
  const Endpoints ends = ends_of_syn();
  std::vector<std::string> names;
  if (surroundings_.names) names = surroundings_.names(ends, packet.raw.time_ns);
  decide::Facts facts;
  facts.connection = ends;
  facts.interface_in = packet.interface_in;
  facts.interface_out = packet.interface_out;
  facts.version = version;
  facts.names = names;
  if (surroundings_.local_time) facts.time = surroundings_.local_time(packet.raw.time_ns);
  if (surroundings_.hosts) surroundings_.hosts(facts, packet.raw.time_ns);
  return policy_->decide(facts);
}

void Core::count(Action action) {
  switch (action) {
    case Action::kAllow:
      ++counters_.allowed;
      break;
    case Action::kInspect:
      ++counters_.inspected;
      break;
    case Action::kStrip:
      ++counters_.stripped;
      break;
    case Action::kReset:
      ++counters_.reset;
      break;
    case Action::kProxy:
      ++counters_.proxied;
      break;
  }
}

Core::Remembered& Core::decide(const Packet& packet, const wire::mptcp::MpCapable& option) {
  const std::uint64_t key = key_of_syn();
  const std::uint32_t isn = decoded_.tcp.seq.value;
  if (Remembered* const known = remembered_.find(key); known != nullptr && known->isn == isn && known->decision) return *known;
  Remembered made{.isn = isn, .decision = ask_policy(packet, option.version), .strip = false, .newcomer = Newcomers::kTakenIn};
  const decide::Decision& decision = *made.decision;
  const bool follows = decision.action == Action::kAllow || decision.action == Action::kInspect;
  const bool version = may_agree(decision.limits, option.version);
  made.strip = decision.action == Action::kStrip || (!version && follows);
  if (follows && !made.strip) made.newcomer = newcomers_;
  report::PolicyRecord record{.time_ns = packet.raw.time_ns,
                              .endpoints = ends_of_syn(),
                              .id = {},
                              .action = name_of(decision.action),
                              .rule = decision.rule,
                              .reason = decision.reason};
  if (made.strip && decision.action != Action::kStrip) {
    record.action = name_of(Action::kStrip);
    record.reason = fmt::format("version {} is not one that may be agreed", option.version);
  }
  if (made.newcomer != Newcomers::kTakenIn) {
    ++counters_.drained;
    record.action = name_of(made.newcomer == Newcomers::kPass ? Action::kAllow : Action::kReset);
    record.reason = "the gateway drains";
  } else if (made.strip || !follows) {
    count(made.strip ? Action::kStrip : decision.action);  // of what would be followed a limit may still say otherwise
  }
  tell(record);
  return remembered_.put(key, std::move(made));
}

/// Only what is for a proxy is decided here. All else comes once more where it is forwarded, and more is known of it. JOINs go where their connection went:
/// to a proxy, unless it is known here; the proxy's kernel refuses those of no connection.
Outcome Core::take_before_routing(const Packet& packet) {
  const auto again = [&](MarkState state) { return Outcome{.what = Outcome::What::kRepeat, .mark = settings_.marks.with(packet.mark, state)}; };
  const Outcome later = again(MarkState::kTracked);
  if (!may_be_syn(packet.raw.bytes) || !peek(packet.raw)) return later;
  const auto option = syn_option(decoded_.tcp);
  if (const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&option)) {
    const bool known = engine_->connection_of(join->token) != 0 || (directory_ != nullptr && directory_->shard_of_token(join->token));
    return !known && ask_policy(packet, 1)->action == Action::kProxy ? again(MarkState::kProxy) : later;
  }
  const auto* capable = std::get_if<wire::mptcp::MpCapable>(&option);
  if (capable == nullptr || ask_policy(packet, capable->version)->action != Action::kProxy) return later;
  return decide(packet, *capable).decision->action == Action::kProxy ? again(MarkState::kProxy) : later;
}

/// Of a connection that is not taken in: nothing more of it comes here.
Outcome Core::let_by(const Packet& packet) const {
  return {.what = Outcome::What::kAccept, .mark = (packet.mark & ~settings_.marks.mask()) | settings_.marks.passed() | settings_.marks.steered_mask()};
}

/// It cannot be led to the proxy any more, and it may not pass.
Outcome Core::routed_already(const Packet& packet, const decide::Decision& decision) {
  tell({.time_ns = packet.raw.time_ns,
        .endpoints = ends_of_syn(),
        .id = {},
        .action = name_of(Action::kReset),
        .rule = decision.rule,
        .reason = "it is for a proxy, and was routed before it was decided"});
  return refuse_syn(packet);
}

}  // namespace weir::gateway
