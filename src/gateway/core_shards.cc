// Core: which of several shards a packet is for.
#include <algorithm>

#include "gateway/core.h"
#include "gateway/syn_option.h"
#include "track/flow_table.h"

namespace weir::gateway {
namespace {

/// Packets of a connection after which keys that were not seen are not waited for any more.
constexpr std::uint8_t kMostLooks = 32;
constexpr std::size_t kAnnouncedAtOnce = 1'024;

bool is_syn_ack(const wire::TcpSegment& tcp) { return tcp.flags.syn() && tcp.flags.ack(); }

}  // namespace

/// A mark that has been given says where the packet is at home, and the kernel has brought it there; only a JOIN, and the
/// answer to it, may come on addresses whose mark is older: the kernel's stays with a SYN, which anyone may send, and goes where the JOIN's is with an answer
/// that its own shard has found right.
std::optional<Outcome> Core::lead(const Packet& packet, bool syn) {
  const bool steered = has_mark(packet);
  if (syn) {
    const auto option = syn_option(decoded_.tcp);
    if (const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&option)) return lead_to(packet, directory_->shard_of_token(join->token));
    // By ports, too, and the same each time that it is sent: the kernel knows but addresses.
    if (!steered && std::holds_alternative<wire::mptcp::MpCapable>(option)) return lead_to(packet, static_cast<unsigned>(key_of_syn() % settings_.shards));
    return std::nullopt;
  }
  const bool answer = may_be_syn_ack(packet.raw.bytes);
  if (steered && !answer) return std::nullopt;
  wire::decode(packet.raw, decoded_);
  if (decoded_.kind != wire::Kind::kTcp) return std::nullopt;
  if (answer && is_syn_ack(decoded_.tcp)) return lead_answer(packet);
  return steered ? std::nullopt : lead_to(packet, directory_->shard_of_flow(key_of_syn()));
}

std::optional<Outcome> Core::lead_to(const Packet& packet, std::optional<unsigned> shard) {
  if (!shard || *shard == settings_.shard) return std::nullopt;
  // Led there already, and yet here: it does not go round for ever.
  if (has_mark(packet) && settings_.marks.shard(packet.mark) == *shard) return std::nullopt;
  return steer(packet, *shard);
}

/// The SYN/ACK that is decoded. Who has both keys can answer its own JOIN on addresses of a subflow that runs, in its server's name: no answer takes these from
/// another shard before that one, and whoever else has a flow there, was asked.
std::optional<Outcome> Core::lead_answer(const Packet& packet) {
  const std::uint64_t key = key_of_syn();
  const auto holder = directory_->shard_of_flow(key);
  const auto joined = directory_->shard_of_answer(key, decoded_.tcp.ack.value, packet.raw.time_ns);
  if (!joined) return has_mark(packet) ? std::nullopt : lead_to(packet, holder);
  if (*joined == settings_.shard) {
    // By way of the others, or nothing was known of any: the engine has what is older here.
    return has_mark(packet) ? std::nullopt : lead_to(packet, holder);
  }
  const MarkState state = settings_.marks.state(packet.mark);
  const bool followed = state == MarkState::kNone || state == MarkState::kTracked || state == MarkState::kOffloaded;
  if (!followed) return std::nullopt;  // whether what goes by runs still is not known
  if (engine_->refuses_answer(packet.raw)) return drop();
  return lead_to(packet, holder && *holder != settings_.shard ? holder : joined);
}

/// The addresses are the JOIN's from now on, as its shard has found the packet right.
void Core::note_answer(const Packet& packet) {
  wire::decode(packet.raw, decoded_);
  if (decoded_.kind != wire::Kind::kTcp || !is_syn_ack(decoded_.tcp) || !answers_join(decoded_.tcp)) return;
  const std::uint64_t key = key_of_syn();
  if (directory_->shard_of_answer(key, decoded_.tcp.ack.value, packet.raw.time_ns) != settings_.shard) return;
  directory_->forget_answer(key);
  directory_->assign_flow(key, settings_.shard);
}

Outcome Core::steer(const Packet& packet, unsigned shard) {
  ++counters_.steered;
  return {.what = Outcome::What::kRepeat, .mark = settings_.marks.with(packet.mark, MarkState::kNone, shard)};
}

/// Of the packet that is decoded.
void Core::claim_flow() {
  if (directory_ != nullptr) directory_->assign_flow(key_of_syn(), settings_.shard);
}

/// Before the packet that makes a token known goes on: the JOIN that it allows finds it.
void Core::claim_tokens(std::uint64_t number, Connection& c) {
  if (directory_ == nullptr || c.looked_for_tokens >= kMostLooks) return;
  ++c.looked_for_tokens;
  const auto keys = engine_->keys(number);
  if (!keys) return;
  for (std::size_t host = 0; host < 2; ++host) {
    if (!keys->token[host] || c.tokens[host]) continue;
    c.tokens[host] = keys->token[host];
    directory_->claim_token(*keys->token[host], settings_.shard);
  }
  if (c.tokens[0] && c.tokens[1]) c.looked_for_tokens = kMostLooks;
}

/// A packet whose mark says nothing yet: its flow began before this program, or the kernel does not follow it.
void Core::learn(const Packet& packet, const engine::Judgement& judgement, Connection& c) {
  const std::uint64_t number = judgement.connection;
  if (std::ranges::find(ended_, number) != ended_.end()) return;  // with this packet
  if (judgement.passes() && may_be_syn_ack(packet.raw.bytes)) note_answer(packet);
  if ((packet.mark & settings_.marks.steered_mask()) == 0) {
    wire::decode(packet.raw, decoded_);
    if (decoded_.kind == wire::Kind::kTcp) claim_flow();
  }
  claim_tokens(number, c);
}

void Core::announce() {
  if (directory_ == nullptr) return;
  std::uint64_t last = 0;
  for (;;) {
    const auto some = engine_->overview(last, kAnnouncedAtOnce);
    if (some.empty()) return;
    for (const engine::ConnectionOverview& each : some) {
      last = each.record.info.number;
      claim_tokens(last, connection(last));
      for (const engine::SubflowRecord& f : each.record.subflows) {
        const Endpoints& e = f.endpoints;
        directory_->assign_flow(track::hash_flow(e.src, e.src_port, e.dst, e.dst_port, 0, settings_.hash_seed), settings_.shard);
      }
    }
  }
}

void Core::forget(const Connection& c) {
  for (const auto& token : c.tokens) {
    if (token) directory_->forget_token(*token, settings_.shard);
  }
  if (c.opened_here) directory_->forget_flow(c.syn_key, settings_.shard);
}

void Core::forget_flows(const engine::ConnectionRecord& record) {
  for (const engine::SubflowRecord& f : record.subflows) {
    const Endpoints& e = f.endpoints;
    directory_->forget_flow(track::hash_flow(e.src, e.src_port, e.dst, e.dst_port, 0, settings_.hash_seed), settings_.shard);
  }
}

}  // namespace weir::gateway
