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

}  // namespace

/// A mark that has been given says where the packet is at home, and the kernel has brought it there; only a JOIN, and the
/// answer to it, may come on addresses whose mark is older: the kernel's stays with a SYN, which anyone may send, and goes where the JOIN's is with an answer
/// that its own shard has found right.
std::optional<unsigned> Core::other_shard(const Packet& packet, bool syn) {
  const Marks& marks = settings_.marks;
  const bool steered = (packet.mark & marks.steered_mask()) != 0;
  std::optional<unsigned> owner;
  if (syn) {
    const auto option = syn_option(decoded_.tcp);
    if (const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&option)) {
      owner = directory_->shard_of_token(join->token);
    } else if (!steered && std::holds_alternative<wire::mptcp::MpCapable>(option)) {
      // By ports, too, and the same each time that it is sent: the kernel knows but addresses.
      owner = static_cast<unsigned>(key_of_syn() % settings_.shards);
    }
  } else if (steered && may_be_syn_ack(packet.raw.bytes)) {
    wire::decode(packet.raw, decoded_);
    if (decoded_.kind == wire::Kind::kTcp) owner = directory_->take_answer(key_of_syn());
  } else if (!steered) {
    wire::decode(packet.raw, decoded_);
    if (decoded_.kind == wire::Kind::kTcp) owner = directory_->shard_of_flow(key_of_syn());
  }
  if (!owner || *owner == settings_.shard) return std::nullopt;
  // Led there already, and yet here: it does not go round for ever.
  if (steered && marks.shard(packet.mark) == *owner) return std::nullopt;
  return owner;
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
void Core::learn(const Packet& packet, std::uint64_t number, Connection& c) {
  if (std::ranges::find(ended_, number) != ended_.end()) return;  // with this packet
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
