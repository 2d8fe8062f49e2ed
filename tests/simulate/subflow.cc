#include "subflow.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "data_checksum.h"
#include "host.h"
#include "secrets.h"

namespace weir::simulate {
namespace {

namespace mptcp = wire::mptcp;

constexpr std::size_t kOptionSpace = 40;
constexpr std::uint32_t kTimestampOctets = 12, kLongestDss = 28;
constexpr std::uint32_t kLongestPayload = 60'000;  ///< of an oversized segment: an IP packet holds it with all headers
constexpr int kMostBackoff = 3;                    ///< doublings: keeps a lossy simulation within the handshake's minute

std::uint64_t leftmost(const std::array<std::byte, 20>& hmac) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8U | std::to_integer<std::uint64_t>(hmac[i]);
  return value;
}

bool newer(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

}  // namespace

Subflow::Subflow(Host& host, World& world, const Place& place)
    : host_(host),
      world_(world),
      place_(place),
      sender_(world.scenario.congestion_window),
      retransmission_(world.events, [this] { on_time_out(); }),
      delayed_ack_(world.events, [this] { acknowledge(); }) {
  // Close to the end of the number space often enough for it to wrap in many a run.
  isn_.value = world_.random.chance(0.15) ? 0U - static_cast<std::uint32_t>(world_.random.below(100'000)) : world_.random.next32();
  nonce_ = world_.random.next32();
  ip_id_ = static_cast<std::uint16_t>(world_.random.next32());
}

// --- sending ---------------------------------------------------------------------------------------------------------

Segment Subflow::blank(std::uint8_t flags, std::uint64_t position) {
  Segment s;
  s.src = place_.local;
  s.dst = place_.remote;
  s.seq = isn_ + static_cast<std::uint32_t>(position);
  s.flags.bits = flags;
  const std::uint8_t scale = flags & kSyn ? 0 : host_.parameters().window_scale;
  s.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(host_.window() >> scale, 65'535));
  if (flags & kAck) s.ack = peer_isn_ + static_cast<std::uint32_t>(receiver_.next());
  receiver_.allow(receiver_.next() + (static_cast<std::uint64_t>(s.window) << scale));
  if (world_.scenario.timestamps) {
    s.has_timestamp = true;
    s.ts_value = host_.parameters().timestamp_base + static_cast<std::uint32_t>(world_.events.now() / kMillisecond);
    s.ts_echo = flags & kAck ? ts_recent_ : 0;
  }
  return s;
}

void Subflow::emit(Segment segment) {
  if (segment.flags.ack()) {
    last_ack_sent_ = receiver_.next();
    unacknowledged_segments_ = 0;
    delayed_ack_.stop();
  }
  segment.ip_id = ip_id_++;
  world_.network.send(std::move(segment), place_.path, other(host_.side()));
}

void Subflow::send_syn(bool answer) {
  Segment s = blank(answer ? kSyn | kAck : kSyn, 0);
  const HostParameters& mine = host_.parameters();
  s.mss = mine.mss;
  s.window_scale = mine.window_scale;
  s.sack_permitted = world_.scenario.sack;
  const int version = host_.version();
  if (!place_.join) {
    mptcp::MpCapable option;
    option.version = static_cast<std::uint8_t>(version);
    option.checksum_required = mine.requires_checksum;
    if (version == 0 || answer) option.sender_key = mine.key;
    s.mptcp.emplace_back(option);
  } else if (!answer) {
    s.mptcp.emplace_back(mptcp::MpJoinSyn{.backup = place_.backup, .address_id = place_.address_id, .token = host_.peer_token(), .nonce = nonce_});
  } else {
    const auto hmac = sign_join(version, mine.key, host_.peer_key(), nonce_, peer_nonce_);
    s.mptcp.emplace_back(mptcp::MpJoinSynAck{.backup = place_.backup, .address_id = place_.address_id, .hmac = leftmost(hmac), .nonce = nonce_});
  }
  emit(std::move(s));
  retransmission_.set(std::max<TimeNs>(kSecond, world_.scenario.time_out_ns));  // RFC 6298 §2.1
}

void Subflow::send_third_ack() {
  Segment s = blank(kAck, 1);
  const HostParameters& mine = host_.parameters();
  if (place_.join) {
    s.mptcp.emplace_back(mptcp::MpJoinAck{sign_join(host_.version(), mine.key, host_.peer_key(), nonce_, peer_nonce_)});
    retransmission_.set(world_.scenario.time_out_ns << std::min(backoff_, kMostBackoff));
  } else {
    mptcp::MpCapable option;
    option.version = static_cast<std::uint8_t>(host_.version());
    option.checksum_required = world_.scenario.uses_checksum();
    option.sender_key = mine.key;
    option.receiver_key = host_.peer_key();
    s.mptcp.emplace_back(option);
    if (host_.version() == 0) {  // as the out-of-tree Linux of those days; 4 octets, or it would not fit
      mptcp::Dss dss;
      dss.data_ack = host_.data_ack();
      dss.data_ack->wide = false;
      s.mptcp.emplace_back(dss);
    }
  }
  emit(std::move(s));
}

// RFC 8684 §3.1: with the first data, until the peer is known to have the keys.
bool Subflow::mp_capable_data(const Cut& cut) const {
  return host_.version() == 1 && host_.side() == Side::kClient && !place_.join && !host_.fully_established() && cut.position == 1 && cut.length > 0;
}

void Subflow::send_cut(const Cut& cut) {
  Segment s = blank(kAck, cut.position);
  if (cut.fin) s.flags.bits |= kFin;
  if (cut.length > 0) {
    const std::uint64_t offset = cut.mapping.offset + (cut.position - cut.mapping.position);
    s.payload = std::span(host_.parameters().stream).subspan(offset, cut.length);
    if (cut.position + cut.length == cut.mapping.end()) s.flags.bits |= kPsh;
    s.oversized = cut.length > peer_mss_;
  }
  if (mp_capable_data(cut)) {
    mptcp::MpCapable option;
    option.version = 1;
    option.checksum_required = world_.scenario.uses_checksum();
    option.sender_key = host_.key();
    option.receiver_key = host_.peer_key();
    option.data_level_length = static_cast<std::uint16_t>(cut.mapping.length);
    if (world_.scenario.uses_checksum()) option.checksum = data_checksum(host_.idsn() + 1, 1, *option.data_level_length, cut.mapping.data_sum);
    s.mptcp.emplace_back(option);
  } else {
    mptcp::Dss dss;
    dss.data_ack = host_.data_ack();
    if (cut.length > 0 && (host_.parameters().maps_every_segment || cut.position == cut.mapping.position))
      dss.mapping = host_.describe(cut.mapping, dss.data_fin);
    s.mptcp.emplace_back(dss);
  }
  emit(std::move(s));
}

void Subflow::send_control(std::vector<mptcp::Option> options) {
  Segment s = blank(kAck, sender_.next());
  s.mptcp = std::move(options);
  mptcp::Dss dss;
  dss.data_ack = host_.data_ack();
  if (!s.find<mptcp::Dss>()) s.mptcp.emplace_back(dss);
  if (option_octets(s) > kOptionSpace) s.mptcp.pop_back();
  if (const auto run = receiver_.waiting(); run && world_.scenario.sack) {
    s.sack = {peer_isn_ + static_cast<std::uint32_t>(run->first), peer_isn_ + static_cast<std::uint32_t>(run->second)};
    if (option_octets(s) > kOptionSpace) s.sack.reset();
  }
  emit(std::move(s));
}

void Subflow::send_data_fin() {
  mptcp::Dss dss;
  dss.data_fin = true;
  dss.data_ack = host_.data_ack();
  dss.mapping = host_.describe_data_fin();
  send_control({dss});
}

void Subflow::probe() {
  Segment s = blank(kAck, sender_.una() - 1);
  mptcp::Dss dss;
  dss.data_ack = host_.data_ack();
  s.mptcp.emplace_back(dss);
  emit(std::move(s));
}

void Subflow::map(std::uint64_t offset, std::uint32_t length) {
  const auto data = std::span(host_.parameters().stream).subspan(offset, length);
  sender_.queue(offset, length, world_.scenario.uses_checksum() ? sum_data(data) : 0);
  push();
}

std::uint32_t Subflow::longest() {
  const std::uint32_t options = kLongestDss + (world_.scenario.timestamps ? kTimestampOctets : 0);
  std::uint32_t most = std::min(peer_mss_, host_.parameters().mss) - options;
  if (host_.parameters().oversized) most = std::min(kLongestPayload, most * static_cast<std::uint32_t>(world_.random.between(1, 12)));
  if (world_.random.chance(host_.parameters().odd_cut)) return static_cast<std::uint32_t>(world_.random.between(1, most));
  return most;
}

void Subflow::push() {
  if (state_ != State::kEstablished) return;
  // A server that got anything else before MP_CAPABLE would fall back: until it is known to have the keys, one segment.
  const auto may_send = [this] { return place_.join || host_.version() == 0 || host_.fully_established() || world_.scenario.eager || sender_.next() == 1; };
  while (may_send()) {
    const auto cut = sender_.take_new(longest());
    if (!cut) break;
    send_cut(*cut);
  }
  if (sender_.outstanding() && !retransmission_.running()) arm();
}

void Subflow::arm() {
  if (sender_.outstanding()) {
    retransmission_.set(world_.scenario.time_out_ns << std::min(backoff_, kMostBackoff));
  } else {
    retransmission_.stop();
  }
}

void Subflow::finish() {
  sender_.finish();
  push();
}

void Subflow::abort() {
  Segment s = blank(kRst | kAck, sender_.next());
  if (host_.version() == 1 && world_.random.chance(0.5)) s.mptcp.emplace_back(mptcp::MpTcprst{.flags = 0, .reason = 5});
  emit(std::move(s));
  state_ = State::kReset;
  retransmission_.stop();
  delayed_ack_.stop();
  host_.on_lost(*this);
}

void Subflow::on_time_out() {
  ++backoff_;
  switch (state_) {
    case State::kSynSent:
      send_syn(false);
      break;
    case State::kSynReceived:
      send_syn(true);
      break;
    case State::kConfirming:
      send_third_ack();
      break;
    case State::kEstablished:
      if (const auto cut = sender_.again(longest())) {
        sender_.timed_out();
        send_cut(*cut);
        arm();
        host_.on_time_out(*this);
      }
      break;
    case State::kReset:
      break;
  }
}

// --- receiving -------------------------------------------------------------------------------------------------------

void Subflow::open() { send_syn(false); }

void Subflow::accept(const Segment& syn) {
  state_ = State::kSynReceived;
  learn_peer(syn);
  if (const auto* join = syn.find<mptcp::MpJoinSyn>()) peer_nonce_ = join->nonce;
  if (const auto* capable = syn.find<mptcp::MpCapable>(); capable && capable->sender_key) host_.learn_peer_key(*capable->sender_key);
  send_syn(true);
}

void Subflow::learn_peer(const Segment& syn) {
  peer_isn_ = syn.seq;
  peer_mss_ = syn.mss.value_or(536);
  peer_scale_ = syn.window_scale.value_or(0);
  ts_recent_ = syn.ts_value;
  last_ack_sent_ = 1;
  sender_.acknowledge(1, syn.window, false);
  if (!place_.join) host_.allow_first(syn.window);
}

std::uint64_t Subflow::position_of(SeqNum seq) const {
  return receiver_.next() + static_cast<std::uint64_t>(static_cast<std::int64_t>(seq - (peer_isn_ + static_cast<std::uint32_t>(receiver_.next()))));
}

void Subflow::receive(const Segment& s) {
  if (state_ == State::kReset) {
    send_reset_for(s);
    return;
  }
  if (state_ == State::kSynSent) {
    receive_syn_ack(s);
    return;
  }
  if (s.flags.rst()) {
    receive_reset(s);
    return;
  }
  if (s.flags.syn()) {
    receive_late_syn(s);
    return;
  }
  if (state_ == State::kSynReceived && !confirm(s)) return;
  const std::uint64_t position = position_of(s.seq);
  if (!acceptable(s, position)) return;
  receive_ack(s);

  std::optional<SeenMapping> mapping;
  bool answer_now = receive_options(s, mapping);
  if (!s.payload.empty()) {
    std::vector<MappedPiece> pieces;
    const bool in_order = receiver_.take(position, s.payload, mapping, pieces);
    host_.on_pieces(pieces);
    ++unacknowledged_segments_;
    answer_now |= !in_order || receiver_.waiting() || unacknowledged_segments_ >= 2;
  }
  if (s.flags.fin()) {
    receiver_.fin_at(position + s.payload.size());
    answer_now = true;
  }
  const bool peer_finished = receiver_.take_fin();
  if (answer_now) {
    acknowledge();
  } else if (unacknowledged_segments_ > 0 && !delayed_ack_.running()) {
    delayed_ack_.set(world_.scenario.delayed_ack_ns);
  }
  // A subflow that the peer closed is of no more use to this side either (Linux: subflow_sched_work_if_closed).
  if (peer_finished && !sender_.finishing()) finish();
  host_.pump();
}

void Subflow::receive_syn_ack(const Segment& s) {
  if (!s.flags.syn() || !s.flags.ack() || !(s.ack == isn_ + 1)) return;
  learn_peer(s);
  backoff_ = 0;
  retransmission_.stop();
  if (!place_.join) {
    host_.learn_peer_key(s.find<mptcp::MpCapable>()->sender_key.value());
    state_ = State::kEstablished;
    send_third_ack();
    host_.on_established(*this);
    return;
  }
  const auto* join = s.find<mptcp::MpJoinSynAck>();
  peer_nonce_ = join->nonce;
  if (join->hmac != leftmost(sign_join(host_.version(), host_.peer_key(), host_.key(), peer_nonce_, nonce_)))
    throw std::logic_error("simulator: wrong HMAC in a SYN/ACK");
  state_ = State::kConfirming;
  send_third_ack();
}

// Whether the segment ends the handshake at the side that was called.
bool Subflow::confirm(const Segment& s) {
  if (!s.flags.ack() || !(s.ack == isn_ + 1)) return false;
  if (place_.join) {
    const auto* join = s.find<mptcp::MpJoinAck>();
    if (!join) return false;
    if (join->hmac != sign_join(host_.version(), host_.peer_key(), host_.key(), peer_nonce_, nonce_))
      throw std::logic_error("simulator: wrong HMAC in a third ACK");
  } else {
    const auto* capable = s.find<mptcp::MpCapable>();
    if (capable && capable->sender_key) {
      host_.learn_peer_key(*capable->sender_key);
    } else if (host_.version() == 1 || !s.find<mptcp::Dss>()) {
      return false;
    }
  }
  state_ = State::kEstablished;
  backoff_ = 0;
  retransmission_.stop();
  host_.on_established(*this);
  return true;
}

void Subflow::receive_late_syn(const Segment& s) {
  if (state_ == State::kSynReceived) {
    if (!s.flags.ack()) send_syn(true);
    return;
  }
  if (state_ == State::kConfirming) {
    send_third_ack();
  } else if (!place_.join && host_.side() == Side::kClient && !host_.fully_established()) {
    // The server may have missed the third ACK. Once data is under way only that data can tell it the keys.
    if (sender_.next() == 1) send_third_ack();
  } else {
    acknowledge();
  }
}

// RFC 5961 §3.2.
void Subflow::receive_reset(const Segment& s) {
  const std::uint64_t position = position_of(s.seq);
  if (position == receiver_.next()) {
    state_ = State::kReset;
    retransmission_.stop();
    delayed_ack_.stop();
    host_.on_lost(*this);
  } else if (position > receiver_.next() && position < receiver_.right_edge() && state_ == State::kEstablished) {
    acknowledge();
  }
}

void Subflow::send_reset_for(const Segment& s) {
  if (s.flags.rst() || !s.flags.ack()) return;
  Segment reset = blank(kRst, 0);
  reset.seq = s.ack;
  reset.window = 0;
  reset.has_timestamp = false;
  emit(std::move(reset));
}

// RFC 7323 §5.3 (PAWS), then RFC 9293 §3.10.7.4 with Linux's tcp_sequence.
bool Subflow::acceptable(const Segment& s, std::uint64_t position) {
  const std::uint64_t end = position + s.payload.size() + (s.flags.fin() ? 1 : 0);
  const auto signed_end = static_cast<std::int64_t>(end), signed_position = static_cast<std::int64_t>(position);
  const bool stale = s.has_timestamp && newer(ts_recent_, s.ts_value);
  if (stale) {
    if (end != position) acknowledge();
    return false;
  }
  if (signed_end < static_cast<std::int64_t>(last_ack_sent_) || signed_position > static_cast<std::int64_t>(receiver_.right_edge())) {
    acknowledge();
    return false;
  }
  if (s.has_timestamp && signed_position <= static_cast<std::int64_t>(last_ack_sent_)) ts_recent_ = s.ts_value;
  return true;
}

void Subflow::receive_ack(const Segment& s) {
  const std::uint64_t una = sender_.una();
  const std::int32_t distance = s.ack - (isn_ + static_cast<std::uint32_t>(una));
  if (state_ == State::kConfirming && distance >= 0) {
    state_ = State::kEstablished;
    backoff_ = 0;
    retransmission_.stop();
    host_.on_established(*this);
  }
  if (distance < 0) return;
  const std::uint32_t window = static_cast<std::uint32_t>(s.window) << peer_scale_;
  const bool repeat = s.payload.empty() && !s.flags.fin();
  const auto outcome = sender_.acknowledge(una + static_cast<std::uint32_t>(distance), window, repeat);
  if (outcome.progress) {
    backoff_ = 0;
    arm();
  }
  if (outcome.retransmit) {
    if (const auto cut = sender_.again(longest())) send_cut(*cut);
  }
}

// True if an answer is due at once.
bool Subflow::receive_options(const Segment& s, std::optional<SeenMapping>& mapping) {
  bool answer = false;
  if (const auto* dss = s.find<mptcp::Dss>()) {
    if (dss->data_ack) host_.on_data_ack(*dss->data_ack, static_cast<std::uint32_t>(s.window) << peer_scale_);
    host_.on_fully_established();
    if (const auto& told = dss->mapping) {
      const std::uint64_t dsn = host_.widen(told->dsn, told->wide);
      const auto length = static_cast<std::uint32_t>(told->length - (dss->data_fin ? 1 : 0));
      if (dss->data_fin) {
        host_.on_data_fin(dsn + length);
        answer = true;
      }
      if (length > 0) {
        const std::uint64_t first = position_of(peer_isn_ + told->ssn);
        mapping = SeenMapping{.position = first, .dsn = dsn, .length = length, .option_length = told->length, .checksum = told->checksum};
      }
    }
  }
  if (const auto* capable = s.find<mptcp::MpCapable>(); capable && capable->data_level_length) {
    const std::uint16_t length = *capable->data_level_length;
    mapping = SeenMapping{.position = 1, .dsn = host_.peer_idsn() + 1, .length = length, .option_length = length, .checksum = capable->checksum};
  }
  if (s.find<mptcp::MpJoinAck>()) answer = true;  // the fourth ACK, again if it got lost
  if (const auto* address = s.find<mptcp::AddAddr>()) host_.on_add_addr(*this, *address);
  return answer;
}

}  // namespace weir::simulate
