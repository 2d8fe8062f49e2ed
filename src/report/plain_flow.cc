#include "report/plain_flow.h"

#include <algorithm>
#include <array>

namespace weir::report {
namespace {

using engine::Direction;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

/// Readers rebuild a stream when it is acknowledged: where the capture shows no acknowledgements at all, one for so many bytes.
constexpr std::uint64_t kAckEvery = 64 << 10;
/// Where it does they are followed, unless this much is in flight: well below the window of 1 GiB that the flow announces.
constexpr std::uint64_t kMostInFlight = 16 << 20;

/// Well-mixed bits of a counter (the finaliser of SplitMix64).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

PlainFlow::PlainFlow(std::uint64_t number, std::size_t segment_bytes) : segment_bytes_(segment_bytes) {
  const std::uint64_t bits = mix(number);
  halves_[0].first = {static_cast<std::uint32_t>(bits)};
  halves_[1].first = {static_cast<std::uint32_t>(bits >> 32)};
}

SeqNum PlainFlow::next(Direction d) const {
  const Half& from = halves_[index(d)];
  return from.first + static_cast<std::uint32_t>(from.end + (from.syn ? 1 : 0) + (from.fin ? 1 : 0));
}

void PlainFlow::send(Direction d, std::uint8_t flags, std::span<const std::byte> options, std::span<const std::byte> payload, const Emit& emit) const {
  const Half& to = halves_[index(reverse(d))];
  const SeqNum ack = flags & kAck ? to.first + static_cast<std::uint32_t>(to.acked + (to.syn ? 1 : 0) + (to.fin_acked ? 1 : 0)) : SeqNum{};
  emit({d == Direction::kToServer, next(d), ack, {flags}, options, payload});
}

namespace {

/// MSS, window scale 14 (RFC 7323 §2.3: the largest), SACK permitted, padded to 4 octets.
std::array<std::byte, 12> syn_options(std::size_t segment_bytes) {
  const auto octet = [](std::size_t value) { return static_cast<std::byte>(value & 0xff); };
  return {octet(2), octet(4), octet(segment_bytes >> 8), octet(segment_bytes), octet(1), octet(3), octet(3), octet(14), octet(1), octet(1), octet(4), octet(2)};
}

}  // namespace

void PlainFlow::syn(const Emit& emit) {
  Half& client = half(Direction::kToServer);
  if (client.syn || ended_) return;
  send(Direction::kToServer, kSyn, syn_options(segment_bytes_), {}, emit);
  client.syn = true;
}

void PlainFlow::syn_ack(const Emit& emit) {
  Half& server = half(Direction::kToClient);
  if (server.syn || ended_) return;
  syn(emit);
  send(Direction::kToClient, kSyn | kAck, syn_options(segment_bytes_), {}, emit);
  server.syn = true;
}

void PlainFlow::established(const Emit& emit) {
  if (established_ || ended_) return;
  syn_ack(emit);
  send(Direction::kToServer, kAck, {}, {}, emit);
  established_ = true;
}

void PlainFlow::data(Direction direction, std::uint64_t offset, std::span<const std::byte> bytes, const Emit& emit) {
  Half& from = half(direction);
  if (ended_ || from.fin) return;
  established(emit);
  if (offset < from.end) {  // given already: the flow never says a byte twice
    const std::uint64_t known = from.end - offset;
    if (known >= bytes.size()) return;
    bytes = bytes.subspan(known);
    offset = from.end;
  }
  from.end = offset;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), segment_bytes_));
    bytes = bytes.subspan(piece.size());
    send(direction, bytes.empty() ? kAck | kPsh : kAck, {}, piece, emit);
    from.end += piece.size();
    from.shown = from.end;
    if (from.shown - from.acked >= (from.acks_come ? kMostInFlight : kAckEvery)) acknowledge(direction, from.shown, emit);
  }
}

void PlainFlow::gap(Direction direction, std::uint64_t offset, std::uint64_t bytes) {
  Half& from = half(direction);
  if (!ended_ && !from.fin) from.end = std::max(from.end, offset + bytes);
}

void PlainFlow::acknowledge(Direction direction, std::uint64_t offset, const Emit& emit) {
  Half& from = half(direction);
  offset = std::min(offset, from.shown);
  if (offset <= from.acked) return;  // the same again would be a duplicate ACK
  from.acked = offset;
  send(reverse(direction), kAck, {}, {}, emit);
}

void PlainFlow::ack(Direction direction, std::uint64_t offset, const Emit& emit) {
  Half& from = half(direction);
  if (ended_) return;
  from.acks_come = true;
  acknowledge(direction, offset, emit);
}

void PlainFlow::fin(Direction direction, const Emit& emit) {
  Half& from = half(direction);
  if (ended_ || from.fin) return;
  established(emit);
  send(direction, kFin | kAck, {}, {}, emit);
  from.fin = true;
  from.acked = from.end;
  from.fin_acked = true;
  send(reverse(direction), kAck, {}, {}, emit);
}

void PlainFlow::reset(Direction direction, const Emit& emit) {
  if (ended_) return;
  syn(emit);
  const bool known = half(reverse(direction)).syn;  // a client that has heard nothing has nothing to acknowledge
  send(direction, known ? kRst | kAck : kRst, {}, {}, emit);
  ended_ = true;
}

}  // namespace weir::report
