// Inline: whether a packet may pass, and what ends a connection from its middle (judgement.h).
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

void Engine::State::refuse(Refusal refusal) {
  if (settings.inline_mode && judged.refusal == Refusal::kNone) judged.refusal = refusal;
}

/// Whose packet is under way.
void Engine::State::judging(const Subflow& f, Side side) {
  judged.connection = f.connection->number;
  judged.subflow = f.id;
  judged.direction = f.direction(side);
  judged.fallen_back = f.connection->fallen_back();
}

Connection* Engine::State::by_number(std::uint64_t number) const {
  const auto found = numbers.find(number);
  return found == numbers.end() ? nullptr : found->second;
}

Judgement Engine::judge(const RawPacket& packet) {
  State& state = *state_;
  state.judged = {};
  Fate fate = Fate::kOther;
  state.step(std::span(&packet, 1), std::span(&fate, 1));
  const wire::Decoded& decoded = state.batch[0];
  state.judged.fate = fate;
  state.judged.payload = decoded.kind == wire::Kind::kTcp && decoded.tcp.payload_bytes != 0;
  if (!state.judged.passes()) ++state.refused[static_cast<std::size_t>(state.judged.refusal)];
  return state.judged;
}

void Engine::block(std::uint64_t connection, Direction d) {
  Connection* const c = state_->by_number(connection);
  if (c == nullptr) return;
  c->blocked[index(d)] = true;
  if (state_->judged.connection == connection) state_->refuse(Refusal::kRule);
}

std::uint64_t Engine::refused(Refusal refusal) const { return state_->refused[static_cast<std::size_t>(refusal)]; }

std::optional<ConnectionKeys> Engine::keys(std::uint64_t connection) const {
  const Connection* const c = state_->by_number(connection);
  if (c == nullptr || !c->mptcp()) return std::nullopt;
  const Mptcp& mp = *c->mp;
  ConnectionKeys keys;
  keys.version = mp.version.value_or(1);
  for (std::size_t host = 0; host < 2; ++host) {
    if (mp.has_key[host]) keys.key[host] = mp.key[host];
    if (mp.has_token[host]) keys.token[host] = mp.token[host];
  }
  return keys;
}

std::uint64_t Engine::connection_of(std::uint32_t token) const {
  const Connection* const c = state_->by_token(token, 0, 0);
  return c != nullptr && state_->state_of(*c) == ConnectionState::kOpen ? c->number : 0;
}

std::vector<Ending> Engine::endings(std::uint64_t connection) const {
  const State& state = *state_;
  std::vector<Ending> all;
  const Connection* const c = state.by_number(connection);
  if (c == nullptr) return all;
  for (const Subflow* f : c->subflows) {
    if (!f->live()) continue;
    for (const Side side : {kOpener, kAnswerer}) {
      const Side peer = other(side);
      const track::TcpView& mine = f->home.side[side];
      const track::TcpView& its = f->home.side[peer];
      Ending e;
      e.host = f->host(side);
      e.subflow = f->id;
      e.endpoints = f->endpoints;
      if (peer == kAnswerer) e.endpoints = {f->endpoints.dst, f->endpoints.src, f->endpoints.dst_port, f->endpoints.src_port};
      e.seq = state.sequence(*f, peer, f->home, f->rx[peer].next() + (f->fin[peer] ? 1U : 0U));
      e.acked = mine.has_ack ? mine.last_ack : e.seq;
      e.ack = its.has_ack ? its.last_ack : state.sequence(*f, side, f->home, f->rx[side].next());
      if (its.has_edge && its.has_ack) {
        const bool scaling = its.offered_scale && mine.offered_scale;
        const auto window = static_cast<std::uint32_t>(its.right_edge - its.last_ack) >> (scaling ? its.window_scale : 0U);
        e.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(window, 0xffff));
      }
      e.has_timestamps = mine.has_ts && its.has_ts;
      e.ts_value = its.ts_recent;
      e.ts_echo = mine.ts_recent;
      e.fallen_back = !c->mptcp() || c->fallen_back();
      if (c->mptcp()) {
        e.version = c->mp->version.value_or(1);
        if (c->mp->has_key[e.host]) e.key = c->mp->key[e.host];
      }
      all.push_back(e);
    }
  }
  return all;
}

}  // namespace weir::engine
