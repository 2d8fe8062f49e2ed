#include "gateway/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/syn_option.h"
#include "rewrite/reply.h"
#include "rewrite/strip.h"
#include "track/flow_table.h"

namespace weir::gateway {
namespace {

using decide::Action;
using engine::Refusal;

bool forged(Refusal refusal) {
  switch (refusal) {
    case Refusal::kJoinUnknownToken:
    case Refusal::kJoinHmac:
    case Refusal::kForgedAddAddr:
    case Refusal::kForgedRemoveAddr:
    case Refusal::kForgedMpPrio:
    case Refusal::kForgedMpFail:
    case Refusal::kForgedFastclose:
      return true;
    default:
      return false;
  }
}

bool no_room(Refusal refusal) { return refusal == Refusal::kMemory || refusal == Refusal::kSubflows; }

constexpr TimeNs kHandshake = 2'000'000'000;
constexpr TimeNs kAskedAgain = 1'000'000'000;  ///< conntrack, for how the peer of a connection's JOINs is addressed
constexpr std::size_t kAtOnce = 1'024;
constexpr std::size_t kMostEnded = 4'096;  ///< connections that end with one packet, or between two

}  // namespace

Core::Core(const CoreSettings& settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, CoreSink& sink, engine::Observer& next)
    : settings_(settings),
      policy_(std::move(policy)),
      surroundings_(std::move(surroundings)),
      sink_(sink),
      next_(next),
      joins_(std::make_shared<SharedJoins>(settings.most_decisions, settings.most_decisions)),
      standard_(std::make_shared<decide::Decision>(
          decide::Decision{.action = Action::kInspect, .rule = "default", .reason = "it began before it could be decided on", .limits = {}})),
      remembered_(settings.most_decisions) {}

Outcome Core::accept(const Packet& packet, MarkState state) const {
  if (state == MarkState::kNone) return {};
  const std::uint32_t mark = settings_.marks.with(packet.mark, state, settings_.shard);
  if (mark == packet.mark) return {};
  return {.what = Outcome::What::kAccept, .mark = mark};
}

Outcome Core::drop() {
  ++counters_.dropped;
  return {.what = Outcome::What::kDrop, .mark = {}};
}

/// A first SYN is looked at here before the engine sees it. Whatever is not plainly none is taken for one.
bool Core::peek(const RawPacket& raw) {
  wire::decode(raw, decoded_);
  return decoded_.kind == wire::Kind::kTcp && decoded_.tcp.flags.syn() && !decoded_.tcp.flags.ack();
}

Outcome Core::take(const Packet& packet) {
  const std::uint64_t before = counters_.dropped;
  Outcome out = look_at(packet);
  if (!raised_.empty()) tell_raised(counters_.dropped != before ? engine::RecordAction::kBlocked : engine::RecordAction::kAllowed);
  forget_ended();
  return out;
}

/// `number`: of that connection only; 0: of all.
void Core::tell_raised(std::optional<engine::RecordAction> action, std::uint64_t number) {
  std::erase_if(raised_, [&](engine::AnomalyRecord& record) {
    if (number != 0 && (!record.connection || record.connection->number != number)) return false;
    record.action = action;
    next_.on_anomaly(record);
    return true;
  });
}

/// A packet can end its own connection; what was noted of it after that is no one's.
void Core::forget_ended() {
  for (const std::uint64_t number : ended_) connections_.erase(number);
  ended_.clear();
}

Outcome Core::look_at(const Packet& packet) {
  if (packet.before_routing) return take_before_routing(packet);
  const MarkState state = settings_.marks.state(packet.mark);
  if (state == MarkState::kBlocked) return take_blocked(packet);
  if (state == MarkState::kRefused) return answer_refused(packet);
  const bool syn = may_be_syn(packet.raw.bytes) && peek(packet.raw);
  if (syn && state == MarkState::kOwn) return answer_refused(packet);
  if (directory_ != nullptr) {
    if (const auto elsewhere = lead(packet, syn)) return *elsewhere;
  }
  if (syn && (packet.mark & settings_.marks.mask()) == settings_.marks.value(MarkState::kProxy)) return {};  // on its way to a proxy elsewhere
  if (syn) return take_syn(packet);
  switch (state) {
    case MarkState::kStripped:
      return stripped(packet, state);
    case MarkState::kProxy:
    case MarkState::kOwn:
      return {};
    case MarkState::kOffloaded:
      return take_offloaded(packet);
    default:
      return take_judged(packet);
  }
}

Outcome Core::take_syn(const Packet& packet) {
  const auto option = syn_option(decoded_.tcp);
  if (const auto* capable = std::get_if<wire::mptcp::MpCapable>(&option)) return take_capable(packet, *capable);
  if (const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&option)) return take_join(packet, *join);
  return take_judged(packet);
}

Outcome Core::take_capable(const Packet& packet, const wire::mptcp::MpCapable& option) {
  const Remembered& known = decide(packet, option);
  if (known.strip) return stripped(packet, MarkState::kStripped);
  switch (known.decision->action) {
    case Action::kReset:
      return refuse_syn(packet);
    case Action::kProxy:
      return routed_already(packet, *known.decision);
    default:
      break;
  }
  if (known.newcomer == Newcomers::kPass) return let_by(packet);
  if (known.newcomer == Newcomers::kRefused) return refuse_syn(packet);
  const Decided decision = known.decision;
  const engine::Judgement judgement = engine_->judge(packet.raw);
  const bool goes_by = decision->action == Action::kAllow;
  const auto counts = [&](Action action) {
    if (Remembered* const again = remembered_.find(key_of_syn()); again != nullptr && !std::exchange(again->counts, true)) count(action);
  };
  if (Connection* const opened = opened_by_syn(judgement); opened != nullptr) {
    Connection& c = *opened;
    if (c.counted == 0 && decision->limits.limits_joins()) {
      if (const auto reached = joins_->open(judgement.connection, decoded_.src, decision->limits); reached != decide::LimitReached::kNone) {
        if (Remembered* again = remembered_.find(key_of_syn())) again->strip = true;
        counts(Action::kStrip);
        tell({.time_ns = packet.raw.time_ns,
              .endpoints = ends_of_syn(),
              .id = {},
              .action = name_of(Action::kStrip),
              .rule = decision->rule,
              .reason = fmt::format("limits.{}", name_of(reached))});
        engine_->forget(judgement.connection);
        return stripped(packet, MarkState::kStripped);
      }
      c.counted = 1;
    }
    c.client = decoded_.src;
    c.decision = decision;
    c.offloaded = goes_by;
    c.client_port = decoded_.tcp.src_port;
    c.server_port = decoded_.tcp.dst_port;
    claim_flow();
    if (directory_ != nullptr) directory_->forget_answer(key_of_syn());  // to a JOIN that was here before
    claim_tokens(judgement.connection, c);
  }
  counts(decision->action);
  if (goes_by && settings_.offload && judgement.connection == 0 && (judgement.passes() || no_room(judgement.refusal)))
    return accept(packet, MarkState::kOffloaded);
  if (!judgement.passes()) return refuse(packet, judgement);
  return accept(packet, MarkState::kTracked);
}

/// The connection that the SYN at hand has opened, also when it comes again: a decision says nothing of any other.
Core::Connection* Core::opened_by_syn(const engine::Judgement& judgement) {
  if (judgement.connection == 0 || !judgement.opens_connection || judgement.opens_subflow) return nullptr;
  const std::uint64_t key = key_of_syn();
  const std::uint32_t isn = decoded_.tcp.seq.value;
  if (const auto known = connections_.find(judgement.connection); known != connections_.end())
    return known->second.opened_here && known->second.syn_key == key && known->second.isn == isn ? &known->second : nullptr;
  if (!engine_->endings(judgement.connection).empty()) return nullptr;  // taken over from the program before this one
  Connection& c = connection(judgement.connection);
  c.opened_here = true;
  c.syn_key = key;
  c.isn = isn;
  return &c;
}

/// A JOIN's SYN that comes again, as it does until it is answered, was counted already.
std::optional<std::string> Core::join_refused(const Packet& packet, const wire::mptcp::MpJoinSyn& option, std::uint64_t number,
                                              const decide::Decision& decision) {
  if (!decision.limits.limits_joins()) return std::nullopt;
  const std::uint64_t key = key_of_syn();
  const std::uint32_t isn = decoded_.tcp.seq.value;
  if (const Remembered* known = remembered_.find(key); known != nullptr && known->isn == isn && !known->decision) return std::nullopt;
  Connection& c = connection(number);
  // No one tells of a subflow's end: those that are live are counted once no handshake can be under way.
  if (packet.raw.time_ns - c.joined_ns > kHandshake) {
    const auto live = static_cast<std::uint32_t>(std::max<std::size_t>(engine_->endings(number).size() / 2, 1));
    for (; c.counted > live; --c.counted) joins_->subflow_ended(number);
  }
  const auto keys = engine_->keys(number);
  decide::JoinRequest request;
  request.connection = number;
  request.client = c.client;
  request.by_client = keys && keys->token[1] == option.token;  // a token names the receiver
  request.backup = option.backup;
  request.interface_in = packet.interface_in;
  request.interface_out = packet.interface_out;
  request.now = packet.raw.time_ns;
  const decide::LimitReached reached = joins_->join(request, decision.limits);
  if (reached != decide::LimitReached::kNone) return fmt::format("limits.{}", name_of(reached));
  ++c.counted;
  c.joined_ns = packet.raw.time_ns;
  remembered_.put(key, {.isn = isn, .decision = nullptr, .strip = false});
  return std::nullopt;
}

Endpoints Core::ends_of_syn() const { return {decoded_.src, decoded_.dst, decoded_.tcp.src_port, decoded_.tcp.dst_port}; }

std::uint64_t Core::key_of_syn() const {
  return track::hash_flow(decoded_.src, decoded_.tcp.src_port, decoded_.dst, decoded_.tcp.dst_port, 0, settings_.hash_seed);
}

Outcome Core::take_join(const Packet& packet, const wire::mptcp::MpJoinSyn& option) {
  const std::uint64_t number = engine_->connection_of(option.token);
  if (number == 0) {
    // Of a connection that was not taken in, for all that is known.
    if (newcomers_ == Newcomers::kPass) return let_by(packet);
    const engine::Judgement judgement = engine_->judge(packet.raw);
    return judgement.passes() ? accept(packet, MarkState::kTracked) : refuse(packet, judgement);
  }
  const Decided decision = connection(number).decision;
  if (const auto why = join_refused(packet, option, number, *decision)) {
    ++counters_.joins_refused;
    auto record = record_of(number, packet.raw.time_ns, "reset", *why);
    record.endpoints = ends_of_syn();
    tell(record);
    return refuse_syn(packet);
  }
  const engine::Judgement judgement = engine_->judge(packet.raw);
  // Anyone may send a SYN: it takes no flow from a shard that follows it.
  if (directory_ != nullptr && judgement.passes()) {
    directory_->claim_flow(key_of_syn(), settings_.shard);
    directory_->expect_answer(key_of_syn(), {.shard = settings_.shard, .isn = decoded_.tcp.seq.value, .time_ns = packet.raw.time_ns});
  }
  if (judgement.refusal == Refusal::kBlocked) return refuse(packet, judgement);
  if (connection(number).offloaded && no_room(judgement.refusal)) return accept(packet, MarkState::kOffloaded);
  return judgement.passes() ? accept(packet, MarkState::kTracked) : refuse(packet, judgement);
}

/// Handshakes are followed, so that joins are known for what they are; of what comes between, the engine sees too little to judge it.
Outcome Core::take_offloaded(const Packet& packet) {
  const engine::Judgement judgement = engine_->judge(packet.raw);
  if (judgement.connection != 0 && directory_ != nullptr) learn(packet, judgement, connection(judgement.connection));
  if (judgement.refusal == Refusal::kBlocked || judgement.refusal == Refusal::kRule) return refuse(packet, judgement);
  if (judgement.connection == 0) return {};
  Connection& c = connection(judgement.connection);
  note_mark(packet, c);
  if (!c.opened_here) c.offloaded = true;  // the program before this one has decided so
  return c.offloaded ? pass_by(packet, judgement, c) : judged(packet, judgement, c);
}

/// Of a connection whose bytes go by. The kernel lets a subflow by once its handshake has shown whose it is: a SYN can be anyone's.
Outcome Core::pass_by(const Packet& packet, engine::Judgement judgement, Connection& c) {
  // A mark is conntrack's: to it the packet is one of that flow, inside its window.
  engine_->goes_by(judgement, has_mark(packet));
  count_end(judgement, c);
  if (c.blocked) return block(packet, judgement.connection);
  if (judgement.refusal == Refusal::kBlocked || judgement.refusal == Refusal::kRule) return refuse(packet, judgement);
  const auto established = [&] {
    return std::ranges::any_of(engine_->endings(judgement.connection), [&](const engine::Ending& e) { return e.subflow == judgement.subflow; });
  };
  const bool by = settings_.offload && !judgement.subflow_over && (settings_.marks.state(packet.mark) == MarkState::kOffloaded || established());
  return addresses(packet, judgement, by ? MarkState::kOffloaded : MarkState::kTracked);
}

Outcome Core::take_judged(const Packet& packet) {
  const engine::Judgement judgement = engine_->judge(packet.raw);
  if (judgement.connection == 0) return judgement.passes() ? Outcome{} : refuse(packet, judgement);
  Connection& c = connection(judgement.connection);
  note_mark(packet, c);
  if (directory_ != nullptr) learn(packet, judgement, c);
  return c.offloaded ? pass_by(packet, judgement, c) : judged(packet, judgement, c);
}

/// Limits count what runs, not what is kept for stragglers. What one host says alone frees nothing before all is silent, and the connection goes (end()).
void Core::count_end(const engine::Judgement& judgement, Connection& c) {
  if (judgement.over && std::exchange(c.counted, 0) > 0) joins_->connection_ended(judgement.connection);
}

void Core::count_again(std::uint64_t number, Connection& c, std::uint32_t subflows, TimeNs now) {
  constexpr decide::JoinLimits kNone;
  joins_->open(number, c.client, kNone);
  decide::JoinRequest request;
  request.connection = number;
  request.client = c.client;
  request.now = now;
  for (c.counted = 1; c.counted < subflows; ++c.counted) joins_->join(request, kNone);
}

Outcome Core::judged(const Packet& packet, const engine::Judgement& judgement, Connection& c) {
  count_end(judgement, c);
  if (c.blocked) return block(packet, judgement.connection);
  if (judgement.unseen_path && !c.unseen_told) {
    c.unseen_told = true;
    ++counters_.unseen_path;
    if (!settings_.unseen_open) return block(packet, judgement.connection, "bytes took a path that is not seen (gateway.fail)");
    tell(record_of(judgement.connection, packet.raw.time_ns, "allow", "bytes took a path that is not seen (gateway.fail)"));
  }
  if (!judgement.passes()) return refuse(packet, judgement);
  return addresses(packet, judgement, MarkState::kTracked);
}

Outcome Core::refuse(const Packet& packet, const engine::Judgement& judgement) {
  if (judgement.refusal == Refusal::kRule) return block(packet, judgement.connection, "a rule with drop or reject matched");
  if (judgement.refusal == Refusal::kBlocked) return block(packet, judgement.connection);
  if (forged(judgement.refusal) && !settings_.drop_forged) return {};
  if (settings_.memory_open && no_room(judgement.refusal)) return unfollowed(packet, judgement);
  if (judgement.opens_subflow && may_be_syn(packet.raw.bytes)) return refuse_syn(packet);
  if (judgement.refusal == Refusal::kUnconfirmed) ask_receiver(packet, judgement.connection);
  return drop();
}

/// It comes round once more: the rules find out whether a NAT has changed it, and a kernel that can tells how its sender has addressed it.
Outcome Core::refuse_syn(const Packet& packet) {
  ++counters_.dropped;
  return {.what = Outcome::What::kRepeat, .mark = settings_.marks.with(packet.mark, MarkState::kRefused, settings_.shard)};
}

Outcome Core::answer_refused(const Packet& packet) {
  std::optional<rewrite::ResetReason> reason = rewrite::ResetReason::kProhibited;
  auto as_sent = packet.as_sent;
  const bool translated = settings_.marks.state(packet.mark) == MarkState::kRefused;
  if (peek(packet.raw)) {
    const auto option = syn_option(decoded_.tcp);
    const auto* capable = std::get_if<wire::mptcp::MpCapable>(&option);
    if (capable != nullptr && capable->version == 0) reason.reset();
    const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&option);
    if (join != nullptr && !as_sent && translated) as_sent = join_as_sent(join->token, packet.raw.time_ns);
  }
  if (translated && !as_sent) {
    ++counters_.told_by_kernel;
    return {.what = Outcome::What::kRepeat, .mark = (packet.mark & ~settings_.marks.mask()) | settings_.marks.refused_by_kernel()};
  }
  if (auto reply = rewrite::refuse(packet.raw.bytes, reason, as_sent)) sink_.send(*reply, false);
  return {.what = Outcome::What::kDrop, .mark = {}};  // counted as it was refused
}

/// Where the kernel does not tell it: who joins has the peer's address from the connection's other subflows. One of them is asked for; that it said nothing is
/// remembered, as a client may send many JOINs.
std::optional<Endpoints> Core::join_as_sent(std::uint32_t token, TimeNs now) {
  const auto known = connections_.find(engine_->connection_of(token));
  if (known == connections_.end()) return std::nullopt;
  Connection& c = known->second;
  if (now < c.not_asked_until_ns) return std::nullopt;
  const Endpoints seen = ends_of_syn();
  const auto endings = engine_->endings(known->first);
  const auto same =
      std::ranges::find_if(endings, [&](const engine::Ending& e) { return e.endpoints.dst == seen.dst && e.endpoints.dst_port == seen.dst_port; });
  if (same != endings.end()) {
    if (const auto sent = sink_.as_sent(same->endpoints))
      return Endpoints{.src = seen.src, .dst = sent->dst, .src_port = seen.src_port, .dst_port = sent->dst_port};
  }
  c.not_asked_until_ns = now + kAskedAgain;
  return std::nullopt;
}

/// What waits for a DATA_ACK could wait for ever: a receiver that has sent an ACK without it has no reason for another one, as the packet that would be
/// one is held up here.
void Core::ask_receiver(const Packet& packet, std::uint64_t number) {
  wire::decode(packet.raw, decoded_);
  const Endpoints to{decoded_.src, decoded_.dst, decoded_.tcp.src_port, decoded_.tcp.dst_port};
  for (const engine::Ending& e : engine_->endings(number)) {
    if (e.endpoints != to) continue;
    sink_.send(rewrite::make_ack(receiver_of(e, e.acked - 1U)), connection(number).kept_mark);
    ++counters_.asked;
  }
}

/// There is no room to follow it, and that is no reason to hold it up: the connection goes by from now on, as its numbers are known no more.
Outcome Core::unfollowed(const Packet& packet, const engine::Judgement& judgement) {
  if (judgement.connection == 0) return {};
  Connection& c = connection(judgement.connection);
  if (!std::exchange(c.offloaded, true)) {
    ++counters_.unfollowed;
    tell(record_of(judgement.connection, packet.raw.time_ns, "allow",
                   fmt::format("there is no room to follow it: {} (gateway.fail)", name_of(judgement.refusal))));
  }
  return judgement.opens_subflow ? accept(packet, MarkState::kOffloaded) : pass_by(packet, judgement, c);
}

/// The packet comes round once more with that mark, which the kernel then saves and obeys, whatever becomes of this program.
Outcome Core::block(const Packet& packet, std::uint64_t number, std::string_view reason) {
  if (number != 0) {
    Connection& c = connection(number);
    if (!c.blocked) {
      set_blocked(number, c);
      auto endings = engine_->endings(number);
      tell(record_of(number, packet.raw.time_ns, "reset", std::string(reason)));
      hold(endings);
      hold_half_open(number);
      closing_.begin(number, std::move(endings), c.kept_mark, packet.raw.time_ns, closing_send());
    } else {
      wire::decode(packet.raw, decoded_);
      closing_.seen(decoded_, packet.raw.time_ns, closing_send());
    }
  }
  if (may_be_syn(packet.raw.bytes)) return drop();  // whose addresses it has is not known
  ++counters_.dropped;
  return {.what = Outcome::What::kRepeat, .mark = settings_.marks.with(packet.mark, MarkState::kBlocked, settings_.shard)};
}

void Core::set_blocked(std::uint64_t number, Connection& c) {
  c.blocked = true;
  ++counters_.blocked_connections;
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) engine_->block(number, d);
  if (std::exchange(c.counted, 0) > 0) joins_->connection_ended(number);
}

/// What was decided of a running connection, by the rule that it has.
report::PolicyRecord Core::record_of(std::uint64_t number, TimeNs time, std::string_view action, std::string reason) {
  report::PolicyRecord record{
      .time_ns = time, .endpoints = {}, .id = {}, .action = action, .rule = connection(number).decision->rule, .reason = std::move(reason)};
  if (auto info = engine_->info(number)) {
    record.endpoints = info->endpoints;
    record.id = std::move(info->id);
  }
  return record;
}

/// The kernel's entries of all subflows say that they are blocked, whatever becomes of this program.
void Core::hold(std::span<const engine::Ending> endings) {
  for (const engine::Ending& e : endings) {
    if (e.host == 1) sink_.mark(e.endpoints, settings_.marks.with(0, MarkState::kBlocked, settings_.shard));
  }
}

/// Those that a JOIN was about to open, too.
void Core::hold_half_open(std::uint64_t number) {
  for (const Endpoints& each : engine_->half_open(number)) sink_.mark_half_open(each, settings_.marks.with(0, MarkState::kBlocked, settings_.shard));
}

void Core::hold_blocked() {
  std::uint64_t last = 0;
  for (auto some = engine_->overview(last, kAtOnce); !some.empty(); some = engine_->overview(last, kAtOnce)) {
    for (const engine::ConnectionOverview& each : some) {
      last = each.record.info.number;
      if (!each.blocked[0] && !each.blocked[1]) continue;
      connection(last).blocked = true;
      hold(engine_->endings(last));
      hold_half_open(last);
    }
  }
}

Outcome Core::take_blocked(const Packet& packet) {
  wire::decode(packet.raw, decoded_);
  closing_.seen(decoded_, packet.raw.time_ns, closing_send());
  if (decoded_.kind == wire::Kind::kTcp && decoded_.tcp.flags.rst()) engine_->judge(packet.raw);
  const auto told = closing_.instead_of(decoded_);
  if (!told) return drop();
  ++counters_.dropped;
  ++counters_.closing_in_place;
  changed_ = *told;
  return {.what = Outcome::What::kAccept, .mark = {}, .changed = changed_};
}

Outcome Core::stripped(const Packet& packet, MarkState state) {
  changed_.assign(packet.raw.bytes.begin(), packet.raw.bytes.end());
  const auto count = rewrite::strip_mptcp(changed_);
  Outcome out = accept(packet, state);
  if (!count) {
    ++counters_.unchangeable;
    return drop();
  }
  if (*count == 0) return out;
  ++counters_.changed;
  out.changed = changed_;
  return out;
}

/// How packets that end a connection go out: counted.
Closing::Send Core::closing_send() {
  return [this](auto octets, bool followed) {
    ++counters_.closing_sent;
    sink_.send(octets, followed);
  };
}

void Core::advance(TimeNs now) {
  closing_.advance(now, closing_send());
  forget_ended();
}

Core::Connection& Core::connection(std::uint64_t number) {
  const auto known = connections_.find(number);
  if (known != connections_.end()) return known->second;
  Connection& c = connections_[number];
  c.decision = standard_;
  return c;
}

/// Allowed is not looked into: neither what goes by nor what comes here before it does.
bool Core::is_allowed(std::uint64_t number) const {
  const auto known = connections_.find(number);
  return known != connections_.end() && known->second.decision->action == Action::kAllow;
}

void Core::on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) {
  if (is_allowed(info.number)) return;
  if (settings_.inspect_depth_bytes > 0 && settings_.offload) {
    Connection& c = connection(info.number);
    const auto depth = static_cast<std::uint64_t>(settings_.inspect_depth_bytes);
    c.inspected_to[index(chunk.direction)] = chunk.offset + chunk.bytes.size();
    if (!c.offloaded && c.inspected_to[0] >= depth && c.inspected_to[1] >= depth) {
      c.offloaded = true;
      ++counters_.offloaded;
    }
  }
  next_.on_data(info, chunk);
}

/// Bytes that the policy lets go by are missed by no one.
void Core::on_anomaly(const engine::AnomalyRecord& record) {
  if (record.connection && record.event == "visibility_low") {
    const auto known = connections_.find(record.connection->number);
    if (known != connections_.end() && known->second.offloaded) return;
  }
  if (surroundings_.raised) surroundings_.raised(record);
  if (!record.of_packet) return next_.on_anomaly(record);
  raised_.push_back(record);
}

void Core::on_connection(const engine::ConnectionRecord& record) {
  tell_raised(std::nullopt, record.info.number);  // the packet at hand ends its own connection
  if (directory_ != nullptr) forget_flows(record);
  end(record.info.number, record.last_ns);
  next_.on_connection(record);
}

/// Its SYN was never answered.
void Core::on_gone(std::uint64_t number) {
  end(number, std::nullopt);
  next_.on_gone(number);
}

void Core::on_flow(const engine::FlowRecord& record) {
  end(record.info.number, record.last_ns);
  next_.on_flow(record);
}

/// `time`: none, where translated addresses end by their own.
void Core::end(std::uint64_t number, std::optional<TimeNs> time) {
  if (ended_.size() >= kMostEnded) {
    counters_.forgotten_early += ended_.size();
    forget_ended();  // those before this one: the packet at hand, if there is one, is hardly theirs
  }
  ended_.push_back(number);
  const auto known = connections_.find(number);
  if (known == connections_.end()) return;
  const Connection& c = known->second;
  if (c.counted > 0) joins_->connection_ended(number);  // a lock that all shards share
  if (c.has_offers && nat_ != nullptr && time) nat_->end(number, *time);
  if (directory_ != nullptr) forget(c);
  connections_.erase(known);
}

}  // namespace weir::gateway
