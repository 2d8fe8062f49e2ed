#include "gateway/closing.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::gateway {

rewrite::Receiver receiver_of(const engine::Ending& e, SeqNum seq) {
  rewrite::Receiver to{.src = e.endpoints.src, .dst = e.endpoints.dst, .src_port = e.endpoints.src_port, .dst_port = e.endpoints.dst_port};
  to.seq = seq;
  to.ack = e.ack;
  to.window = e.window;
  to.data_ack = e.data_ack;
  if (e.has_timestamps) to.timestamps = {.value = e.ts_value, .echo = e.ts_echo};
  return to;
}

namespace {

/// How a packet of the host is addressed.
Endpoints sent_by(const engine::Ending& e) { return {e.endpoints.dst, e.endpoints.src, e.endpoints.dst_port, e.endpoints.src_port}; }

/// An RST is taken at exactly the number that the host waits for: which of the two it is hangs on what was under way.
void send_resets(const engine::Ending& e, bool followed, const Closing::Send& send) {
  send(rewrite::make_reset(receiver_of(e, e.seq)), followed);
  if (e.acked != e.seq) send(rewrite::make_reset(receiver_of(e, e.acked)), followed);
}

/// Where bytes went by unseen, the host's answer says which number it waits for. Without times: an old ACK with old ones is not answered.
void ask(const engine::Ending& e, bool followed, const Closing::Send& send) {
  rewrite::Receiver to = receiver_of(e, e.seq - 1U);
  to.timestamps.reset();
  send(rewrite::make_ack(to), followed);
}

}  // namespace

void Closing::begin(std::uint64_t connection, std::vector<engine::Ending> endings, bool followed, TimeNs now, const Send& send) {
  if (endings.empty()) return;
  if (const auto known = by_connection_.find(connection); known != by_connection_.end()) {
    const auto rests = resting_.find(known->second);
    if (rests == resting_.end()) return;
    const auto before = resting_.extract(rests);
    forget(before.key(), before.mapped());
  }
  make_room();
  const std::uint64_t number = ++begun_;
  for (const engine::Ending& e : endings) by_packet_[sent_by(e)] = number;
  by_connection_[connection] = number;
  std::vector<bool> over(endings.size(), false);
  under_way_.emplace(number, One{.connection = connection, .endings = std::move(endings), .over = std::move(over), .followed = followed, .next_ns = now});
  advance(now, send);
}

void Closing::forget(std::uint64_t number, const One& one) {
  for (const engine::Ending& e : one.endings) {
    // A later connection may have the same addresses.
    if (const auto packet = by_packet_.find(sent_by(e)); packet != by_packet_.end() && packet->second == number) by_packet_.erase(packet);
  }
  if (const auto known = by_connection_.find(one.connection); known != by_connection_.end() && known->second == number) by_connection_.erase(known);
}

Closing::ByAge::iterator Closing::end(ByAge::iterator one) {
  forget(one->first, one->second);
  return under_way_.erase(one);
}

void Closing::make_room() {
  if (under_way_.size() < kMost) return;
  ++counters_.given_up;
  end(under_way_.begin());
}

void Closing::rest(ByAge::node_type one, TimeNs now) {
  if (resting_.size() >= kMost) {
    ++counters_.forgotten;
    forget(resting_.begin()->first, resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
  one.mapped().tries = 0;
  one.mapped().next_ns = now + kRest;
  resting_.insert(std::move(one));
}

void Closing::tell(const One& one, const Send& send) {
  const std::size_t all = one.endings.size(), most = one.tries == 0 ? all : std::min(all, kToldAgain);
  for (std::size_t turn = 0; turn < most; ++turn) {
    const std::size_t i = (one.tries * kToldAgain + turn) % all;
    const engine::Ending& e = one.endings[i];
    if (one.over[i]) continue;
    if (one.tries > 0) ask(e, one.followed, send);
    if (!fast(e)) {
      send_resets(e, one.followed, send);
      continue;
    }
    send(rewrite::make_fastclose(receiver_of(e, e.seq), *e.key), one.followed);
    if (e.acked != e.seq) send(rewrite::make_fastclose(receiver_of(e, e.acked), *e.key), one.followed);
    if (one.tries >= kTriesAlone) send_resets(e, one.followed, send);
  }
}

void Closing::reset(const One& one, const Send& send) {
  for (const engine::Ending& e : one.endings) send_resets(e, one.followed, send);
}

void Closing::seen(const wire::Decoded& packet, TimeNs now, const Send& send) {
  if (packet.kind != wire::Kind::kTcp) return;
  const wire::TcpSegment& tcp = packet.tcp;
  const Endpoints sent{packet.src, packet.dst, tcp.src_port, tcp.dst_port};
  const auto known = by_packet_.find(sent);
  if (known == by_packet_.end()) return;
  if (const auto rests = resting_.find(known->second); rests != resting_.end()) {
    if (now < rests->second.next_ns) return;
    make_room();
    under_way_.insert(resting_.extract(rests));
  }
  const auto found = under_way_.find(known->second);
  One& one = found->second;
  for (std::size_t i = 0; i < one.endings.size(); ++i) {
    engine::Ending& e = one.endings[i];
    // A time that is before the last one is not taken from anyone.
    if (e.endpoints == sent && tcp.has_timestamp && after(SeqNum{tcp.ts_value}, SeqNum{e.ts_value})) e.ts_value = tcp.ts_value;
    if (sent_by(e) != sent) continue;
    if (tcp.flags.rst()) {
      one.over[i] = true;
    } else if (tcp.flags.ack() && !tcp.flags.syn()) {
      e.acked = tcp.ack;
      if (tcp.has_timestamp && after(SeqNum{tcp.ts_value}, SeqNum{e.ts_echo})) e.ts_echo = tcp.ts_value;
    }
  }
  if (std::ranges::find(one.over, false) != one.over.end()) return;
  reset(one, send);
  end(found);
}

std::optional<rewrite::Packet> Closing::instead_of(const wire::Decoded& packet) {
  if (packet.kind != wire::Kind::kTcp || packet.tcp.flags.syn()) return std::nullopt;
  const Endpoints sent{packet.src, packet.dst, packet.tcp.src_port, packet.tcp.dst_port};
  const auto known = by_packet_.find(sent);
  if (known == by_packet_.end()) return std::nullopt;
  const auto found = under_way_.find(known->second);
  if (found == under_way_.end()) return std::nullopt;  // it rests
  One& one = found->second;
  const auto e = std::ranges::find(one.endings, sent, &engine::Ending::endpoints);
  if (e == one.endings.end() || one.over[static_cast<std::size_t>(e - one.endings.begin())]) return std::nullopt;
  // By turns: which of the two the host waits for is not known.
  const SeqNum seq = one.instead++ % 2 == 0 ? e->acked : e->seq;
  return fast(*e) ? rewrite::make_fastclose(receiver_of(*e, seq), *e->key) : rewrite::make_reset(receiver_of(*e, seq));
}

void Closing::advance(TimeNs now, const Send& send) {
  for (auto each = under_way_.begin(); each != under_way_.end();) {
    One& one = each->second;
    if (one.next_ns <= now) {
      tell(one, send);
      ++one.tries;
      one.next_ns = now + kEvery;
      if (one.tries >= kTries) reset(one, send);
    }
    const auto next = std::next(each);
    if (one.tries >= kTries) rest(under_way_.extract(each), now);
    each = next;
  }
}

}  // namespace weir::gateway
