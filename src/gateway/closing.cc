#include "gateway/closing.h"

#include <algorithm>
#include <utility>

#include "rewrite/reply.h"

namespace weir::gateway {
namespace {

rewrite::Receiver receiver_of(const engine::Ending& e, SeqNum seq) {
  rewrite::Receiver to{.src = e.endpoints.src, .dst = e.endpoints.dst, .src_port = e.endpoints.src_port, .dst_port = e.endpoints.dst_port};
  to.seq = seq;
  to.ack = e.ack;
  to.window = e.window;
  if (e.has_timestamps) to.timestamps = {.value = e.ts_value, .echo = e.ts_echo};
  return to;
}

/// An RST is taken at exactly the number that the host waits for: which of the two it is hangs on what was under way.
void send_resets(const engine::Ending& e, const Closing::Send& send) {
  send(rewrite::make_reset(receiver_of(e, e.seq)));
  if (e.acked != e.seq) send(rewrite::make_reset(receiver_of(e, e.acked)));
}

}  // namespace

void Closing::begin(std::uint64_t connection, std::vector<engine::Ending> endings, TimeNs now, const Send& send) {
  if (endings.empty()) return;
  if (std::ranges::any_of(under_way_, [&](const One& one) { return one.connection == connection; })) return;
  if (under_way_.size() >= kMost) under_way_.erase(under_way_.begin());
  under_way_.push_back({.connection = connection, .endings = std::move(endings), .next_ns = now});
  advance(now, send);
}

void Closing::tell(const One& one, const Send& send) {
  for (const engine::Ending& e : one.endings) {
    if (one.ended[e.host]) continue;
    if (!fast(e)) {
      send_resets(e, send);
      continue;
    }
    send(rewrite::make_fastclose(receiver_of(e, e.seq), *e.key));
    if (e.acked != e.seq) send(rewrite::make_fastclose(receiver_of(e, e.acked), *e.key));
    if (one.tries >= kTriesAlone) send_resets(e, send);
  }
}

void Closing::reset(const One& one, const Send& send) {
  for (const engine::Ending& e : one.endings) send_resets(e, send);
}

void Closing::seen(const wire::Decoded& packet, const Send& send) {
  if (packet.kind != wire::Kind::kTcp) return;
  const wire::TcpSegment& tcp = packet.tcp;
  for (auto one = under_way_.begin(); one != under_way_.end(); ++one) {
    for (engine::Ending& e : one->endings) {
      const Endpoints& p = e.endpoints;
      if (p.dst != packet.src || p.dst_port != tcp.src_port || p.src != packet.dst || p.src_port != tcp.dst_port) continue;
      if (tcp.flags.rst()) {
        one->ended[e.host] = true;
      } else if (tcp.flags.ack() && !tcp.flags.syn()) {
        e.acked = tcp.ack;
        if (tcp.has_timestamp && after(SeqNum{tcp.ts_value}, SeqNum{e.ts_echo})) e.ts_echo = tcp.ts_value;
      }
    }
    if (!one->ended[0] || !one->ended[1]) continue;
    reset(*one, send);
    under_way_.erase(one);
    return;
  }
}

void Closing::advance(TimeNs now, const Send& send) {
  for (One& one : under_way_) {
    if (one.next_ns > now) continue;
    tell(one, send);
    ++one.tries;
    one.next_ns = now + kEvery;
    if (one.tries >= kTries) reset(one, send);
  }
  std::erase_if(under_way_, [](const One& one) { return one.tries >= kTries; });
}

}  // namespace weir::gateway
