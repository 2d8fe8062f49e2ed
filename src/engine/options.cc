// The MPTCP options of a segment: all of them are walked, those that a receiver would take are acted on.
#include <algorithm>
#include <type_traits>

#include "engine/state.h"
#include "track/address_scope.h"
#include "wire/mptcp/parse.h"

namespace weir::engine {

namespace {

using namespace wire::mptcp;

constexpr TimeNs kSecondNs = 1'000'000'000;

const char* reason_of(OptionError error) {
  switch (error) {
    case OptionError::kTruncated:
      return "truncated";
    case OptionError::kBadLength:
      return "length";
    case OptionError::kBadSubtype:
      return "subtype";
    case OptionError::kBadIpVersion:
      return "ip_version";
  }
  return "unknown";
}

template <typename T>
void keep_first(std::optional<T>& slot, const Option& option) {
  if (!slot) slot = std::get<T>(option);
}

}  // namespace

SegmentOptions Engine::State::read_options(Connection* c, const Segment& s) {
  SegmentOptions read;
  const wire::TcpFlags flags = s.tcp->flags;
  const Carrier carrier = !flags.syn() ? Carrier::kOther : flags.ack() ? Carrier::kSynAck : Carrier::kSyn;
  std::optional<std::uint8_t> version;
  if (c != nullptr && c->mp && c->mp->version && !flags.syn()) version = c->mp->version;
  wire::OptionWalker walker(s.tcp->options);
  while (const auto bytes = walker.next(kOptionKind)) {
    ++counters.options;
    const auto parsed = parse_option(*bytes);
    std::optional<OptionError> error;
    if (!parsed) {
      error = parsed.error();
    } else {
      error = check_legal(*parsed, *bytes, version, carrier);
    }
    if (error) {
      ++counters.options_malformed;
      read.ambiguous = true;
      const auto subtype = bytes->size() > 2 ? std::to_integer<std::uint64_t>((*bytes)[2]) >> 4U : 0xffU;
      const auto length = bytes->size() > 1 ? std::to_integer<std::uint64_t>((*bytes)[1]) : 0U;
      inspect::Detail detail{{"subtype", subtype}, {"length", length}, {"reason", std::string(reason_of(*error))}};
      if (c != nullptr && c->mp) {
        raise(*c, inspect::Event::option_malformed, s.time_ns, std::move(detail));
      } else {
        raise_unknown(s, inspect::Event::option_malformed, std::move(detail));
      }
      continue;
    }
    const Option& option = *parsed;
    constexpr unsigned kOnce = 1U << static_cast<unsigned>(Subtype::kMpCapable) | 1U << static_cast<unsigned>(Subtype::kMpJoin) |
                               1U << static_cast<unsigned>(Subtype::kDss) | 1U << static_cast<unsigned>(Subtype::kMpFail) |
                               1U << static_cast<unsigned>(Subtype::kMpFastclose);
    read.ambiguous |= (read.subtypes & kOnce & 1U << (std::to_integer<unsigned>((*bytes)[2]) >> 4U)) != 0;
    read.subtypes = static_cast<std::uint16_t>(read.subtypes | 1U << (std::to_integer<unsigned>((*bytes)[2]) >> 4U));
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, MpCapable>) {
            if (!value.extensibility) keep_first(read.capable, option);  // RFC 8684 §3.1: B set, the option is ignored
          } else if constexpr (std::is_same_v<T, MpJoinSyn>) {
            keep_first(read.join_syn, option);
          } else if constexpr (std::is_same_v<T, MpJoinSynAck>) {
            keep_first(read.join_syn_ack, option);
          } else if constexpr (std::is_same_v<T, MpJoinAck>) {
            keep_first(read.join_ack, option);
          } else if constexpr (std::is_same_v<T, Dss>) {
            keep_first(read.dss, option);
          } else if constexpr (std::is_same_v<T, MpFastclose>) {
            keep_first(read.fastclose, option);
          } else if constexpr (!std::is_same_v<T, Unknown>) {
            read.others.push_back(option);
          }
        },
        option);
    read.any = true;
  }
  return read;
}

/// `old`: all of the segment was acknowledged before; `good`: the receiver does not throw it away.
void Engine::State::on_options(Subflow& f, Side side, const Segment& s, SegmentOptions& options, bool old, bool good) {
  Connection& c = *f.connection;
  if (options.dss && options.dss->data_fin) on_data_fin(f, side, s, *options.dss, good);
  if (!good) return;
  PointView& v = view(f, s);
  if (options.capable && side == kOpener && !f.join && options.capable->sender_key && !c.fallen_back()) {
    take_keys(c, *options.capable, f.host(side));
    become_keyed(c);
  }
  if (options.dss) {
    if (options.dss->data_ack && !c.fallen_back()) on_data_ack(f, side, s, *options.dss->data_ack, v);
  } else {
    note_syn_window(f, side, *s.tcp, v);
  }
  if (old && s.tcp->payload_bytes == 0 && !s.tcp->flags.fin()) return;  // Linux answers an old segment and looks no further
  for (const Option& option : options.others) {
    if (const auto* add = std::get_if<AddAddr>(&option)) on_add_addr(f, side, s, *add);
    if (const auto* remove = std::get_if<RemoveAddr>(&option)) on_remove_addr(f, side, s, *remove);
    if (const auto* prio = std::get_if<MpPrio>(&option)) on_mp_prio(f, side, s, *prio);
    if (const auto* fail = std::get_if<MpFail>(&option)) on_mp_fail(f, side, s, *fail);
  }
  if (options.fastclose) on_fastclose(f, side, s, *options.fastclose);
}

/// DATA_FIN (RFC 8684 §3.3.3): the last octet of its mapping's length.
void Engine::State::on_data_fin(Subflow& f, Side side, const Segment& s, const Dss& dss, bool good) {
  Connection& c = *f.connection;
  if (f.silent || f.phase == Phase::kFailed || c.fallen_back()) return;
  if (settings.inline_mode && !c.midstream && !c.mp->has_key[f.host(side)]) return;  // its receiver cannot place it either
  if (f.join && !f.was_established && !c.held) good = false;
  if (!dss.mapping || dss.mapping->length == 0) return;
  const Direction d = f.direction(side);
  auto& data = c.mp->data[index(d)];
  const std::uint64_t dsn = full_dsn(c, d, dss.mapping->dsn, dss.mapping->wide);
  const std::uint64_t at = data_position(c, d, dsn + dss.mapping->length - 1);
  if (data.started() && at < data.next()) return;                 // before what was delivered: none
  if (!good && data.has_ack() && data.acked() > at) good = true;  // another point has shown that it was taken
  if (!good) {
    data.doubtful_fin(at, data_output);
    return;
  }
  data.fin(at);
  if (!c.held && !data.started()) start_stream(c, d, s.time_ns);
  data_output.clear();
  give(c, d, s.time_ns);
}

/// DATA_ACK of the direction towards the sender of this segment, and the window that counts from it (RFC 8684 §3.3.5).
void Engine::State::on_data_ack(Subflow& f, Side side, const Segment& s, const Dss::DataAck& ack, const PointView& v) {
  Connection& c = *f.connection;
  const Direction d = reverse(f.direction(side));
  auto& data = c.mp->data[index(d)];
  if (!data.has_origin()) {
    if (!ack.wide) return;
    if (c.keyed) return;
    link_by_dsn(f, other(side), ack.value, s.time_ns);
    if (f.connection != &c) return on_data_ack(f, side, s, ack, v);
    if (!data.has_origin()) data.set_origin(ack.value);
  }
  if (ack.wide) widen(c, d, ack.value);
  const std::uint64_t value = ack.wide ? ack.value : extend(static_cast<std::uint32_t>(ack.value), DataSeq{data.dsn(data.near_ack())}).value;
  const std::uint64_t at = data.position(value);
  if (!data.believable_ack(at)) return;
  const track::TcpView& sender = v.side[side];
  const track::TcpView& receiver = v.side[other(side)];
  const bool known = sender.scale_known && (receiver.scale_known || !sender.offered_scale);
  const std::optional<std::uint64_t> believed = settings.inline_mode ? followed_data_ack(c, d, at, ack.wide) : at;
  if (known && (believed || (c.guard && c.guard->resumed))) {
    const bool scaling = sender.offered_scale && receiver.offered_scale;
    std::uint64_t window = scaling ? static_cast<std::uint64_t>(s.tcp->window) << sender.window_scale : s.tcp->window;
    // What lets the other host send is its subflow's window, which a smaller one in the same place leaves as it was (RFC 9293 §3.10.7.4). What may be
    // beyond that of its receiver passes twice, if it is the same.
    // It counts from the latest ACK: this one may be older.
    const SeqNum from = sender.has_ack && before(s.tcp->ack, sender.last_ack) ? sender.last_ack : s.tcp->ack;
    const std::int32_t open = sender.has_edge ? sender.right_edge - from : 0;
    if (settings.inline_mode && open > 0) window = std::max<std::uint64_t>(window, static_cast<std::uint32_t>(open));
    data.window(at + window);
  }
  data_output.clear();
  if (believed) data.acknowledged(*believed, s.time_ns, limits, data_output);
  if (data.has_fin() && !data.started() && !c.held) start_stream(c, d, s.time_ns);  // nothing but its end
  give(c, d, s.time_ns);
  let_go(c, d);
}

bool Engine::State::is_address_of(const Connection& c, std::size_t host, const IpAddress& address) const {
  return std::ranges::any_of(c.subflows, [&](const Subflow* f) { return (f->host(kOpener) == host ? f->endpoints.src : f->endpoints.dst) == address; });
}

bool Engine::State::add_addr_forged(const Connection& c, std::size_t host, const AddAddr& option) {
  return !option.echo && option.hmac && c.keyed &&
         track::add_addr_hmac(c.mp->key[host], c.mp->key[1 - host], option.address_id, option.address, option.port.value_or(0)) != *option.hmac;
}

bool Engine::State::knows_address(const Connection& c, std::size_t host, std::uint8_t id) {
  return id == 0 || (c.mp->extra && c.mp->extra->addresses.known(host, id));
}

// RFC 8684 §3.4.1; RFC 6824 §3.4.1 has no HMAC.
void Engine::State::on_add_addr(Subflow& f, Side side, const Segment& s, const AddAddr& option) {
  Connection& c = *f.connection;
  auto& book = c.mp->more().addresses;
  if (option.echo) return;
  const std::size_t host = f.host(side);
  const inspect::Detail what{{"address_id", static_cast<std::uint64_t>(option.address_id)}, {"address", to_string(option.address)}};
  if (add_addr_forged(c, host, option)) {
    raise(c, inspect::Event::add_addr_hmac_mismatch, s.time_ns, what);
    return;  // the receiver ignores it
  }
  if (c.told_established) {
    inspect::MptcpUse use;
    use.what = inspect::MptcpUse::What::kAddress;
    use.by_server = host == 1;
    use.address = option.address;
    use.port = option.port;
    use.authentic = option.hmac && c.keyed;
    tell_use(c, use, s.time_ns);
  }
  if (option.version == 0 && !is_address_of(c, host, option.address)) raise(c, inspect::Event::add_addr_unauthenticated, s.time_ns, what);
  if (track::is_private(option.address) && track::is_global(s.decoded->dst)) {
    auto detail = what;
    detail.emplace_back("peer", to_string(s.decoded->dst));
    raise(c, inspect::Event::add_addr_private, s.time_ns, std::move(detail));
  }
  const TimeNs window = limits.add_addr_seconds * kSecondNs;
  const auto distinct = book.offer(host, option.address_id, option.address, s.time_ns, window, static_cast<std::size_t>(limits.add_addr_connection));
  bool evicted = false;
  auto& offered = offered_addresses.at(option.address, static_cast<std::size_t>(limits.watch_entries), evicted);
  if (evicted) ++counters.evicted_watch;
  const auto in_connections = offered.add(c.number, s.time_ns, window, static_cast<std::size_t>(limits.add_addr_connections) + 1);
  if (std::cmp_greater(distinct, limits.add_addr_connection)) {
    raise(c, inspect::Event::add_addr_flood, s.time_ns, {{"addresses", static_cast<std::uint64_t>(distinct)}, {"limit", limits.add_addr_connection}});
  } else if (std::cmp_greater(in_connections, limits.add_addr_connections)) {
    raise(c, inspect::Event::add_addr_flood, s.time_ns,
          {{"address", to_string(option.address)}, {"connections", static_cast<std::uint64_t>(in_connections)}, {"limit", limits.add_addr_connections}});
  }
}

// RFC 8684 §3.4.2. Of a connection seen from its middle the IDs used before are not known.
void Engine::State::on_remove_addr(Subflow& f, Side side, const Segment& s, const RemoveAddr& option) {
  Connection& c = *f.connection;
  if (c.midstream || c.mp->orphan) return;
  const std::size_t host = f.host(side);
  for (const std::byte id : option.address_ids) {
    const auto value = std::to_integer<std::uint8_t>(id);
    if (!knows_address(c, host, value)) raise(c, inspect::Event::remove_addr_unknown_id, s.time_ns, {{"address_id", static_cast<std::uint64_t>(value)}});
  }
}

/// False: it is of its own subflow.
bool Engine::State::tell_foreign_prio(const Subflow& f, Side side, const Segment& s, const MpPrio& option) {
  if (!option.address_id || *option.address_id == f.address_id[side]) return false;
  raise(*f.connection, inspect::Event::mp_prio_foreign, s.time_ns,
        {{"address_id", static_cast<std::uint64_t>(*option.address_id)},
         {"own_address_id", static_cast<std::uint64_t>(f.address_id[side])},
         {"backup", option.backup}});
  return true;
}

// RFC 8684 §3.3.8; in v0 an address ID may name other subflows than its own (RFC 6181; Munir et al.).
void Engine::State::on_mp_prio(Subflow& f, Side side, const Segment& s, const MpPrio& option) {
  Connection& c = *f.connection;
  if (tell_foreign_prio(f, side, s, option)) {
    for (Subflow* g : c.subflows) {
      for (const Side g_side : {kOpener, kAnswerer}) {
        if (g->host(g_side) == f.host(side) && g->address_id[g_side] == *option.address_id) g->backup = option.backup;
      }
    }
    return;
  }
  f.backup = option.backup;
}

// RFC 8684 §3.7: on the only subflow it means falling back; otherwise that subflow is closed with a RST.
void Engine::State::on_mp_fail(Subflow& f, Side, const Segment& s, const MpFail&) {
  Connection& c = *f.connection;
  raise(c, inspect::Event::mp_fail, s.time_ns, {{"subflow", static_cast<std::uint64_t>(f.id)}});
  if (settings.inline_mode && joined_once(c)) return;  // Linux resets the subflow instead
  if (only_subflow(c, f) && !c.fallen_back()) fall_back(c, FallbackReason::kMpFail, s.time_ns);
}

void Engine::State::on_mp_fail_only(Subflow& f, Side side, const Segment& s, const SegmentOptions& options) {
  for (const Option& option : options.others) {
    if (const auto* fail = std::get_if<MpFail>(&option)) on_mp_fail(f, side, s, *fail);
  }
}

// RFC 8684 §3.5. Without the keys it cannot be told from a forgery, and is taken: the hosts that close say so by their RSTs.
bool Engine::State::on_fastclose(Subflow& f, Side side, const Segment& s, const MpFastclose& option) {
  Connection& c = *f.connection;
  const std::size_t receiver = 1 - f.host(side);
  if (c.mp->has_key[receiver] && c.mp->key[receiver] != option.receiver_key) {
    raise(c, inspect::Event::fastclose_key_mismatch, s.time_ns, {{"subflow", static_cast<std::uint64_t>(f.id)}});
    return false;
  }
  if (c.fallen_back()) return false;
  if (c.guard && c.guard->goes_by) return true;  // take_ends()
  fastclose(f, side, s.time_ns);
  touch(c, s.time_ns);
  return true;
}

void Engine::State::fastclose(const Subflow& f, Side side, TimeNs now) {
  Connection& c = *f.connection;
  c.fastclosed = true;
  tell_reset(c, f.direction(side), now);
  for (Subflow* g : c.subflows) {
    if (g->phase == Phase::kEstablished) end_subflow(*g, Phase::kReset);
    g->silent = true;
  }
}

}  // namespace weir::engine
