#include "engine/saved.h"

#include <algorithm>
#include <concepts>

#include "base/bytes.h"
#include "base/saved_form.h"

namespace weir::engine {

namespace {

constexpr std::uint64_t kMagic = 0x5765697253746100;  // "WeirSta", and an octet for the form: '2', '3'
/// Positions beyond it were never reached by any stream.
constexpr std::uint64_t kFarthest = 1ULL << 62U;
constexpr std::size_t kUsual = 512;  ///< octets of a connection or a subflow without what passed

/// Appends fields to octets. Put and Get have the same calls, so that one list of fields serves both.
class Put {
 public:
  Put(std::vector<std::byte>& out, unsigned form) : out_(out), form_(form) {}
  unsigned form() const { return form_; }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void operator()(T& value) {
    for (unsigned shift = 8 * sizeof(T); shift > 0;) out_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (shift -= 8)));
  }
  void flag(bool value) { out_.push_back(static_cast<std::byte>(value)); }
  template <typename Set>
  void flag(bool value, Set) {
    flag(value);
  }
  void octets(Bytes& octets, std::size_t /*size*/) { out_.insert(out_.end(), octets.begin(), octets.end()); }

 private:
  std::vector<std::byte>& out_;
  unsigned form_;
};

class Get {
 public:
  explicit Get(std::span<const std::byte> in, unsigned form = kSavedForm) : in_(in), form_(form) {}
  unsigned form() const { return form_; }
  void operator()(std::uint8_t& value) { value = in_.u8(); }
  void operator()(std::uint16_t& value) { value = in_.u16(); }
  void operator()(std::uint32_t& value) { value = in_.u32(); }
  void operator()(std::uint64_t& value) { value = in_.u64(); }
  template <typename Set>
  void flag(bool, Set set) {
    set(in_.u8() == 1);
  }
  void octets(Bytes& octets, std::size_t size) { octets = in_.take(size); }
  bool ok() const { return in_.ok(); }
  /// More than there is room for.
  void leave_out() { left_out_ = true; }
  bool take_left_out() { return std::exchange(left_out_, false); }

 private:
  ByteReader in_;
  unsigned form_;
  bool left_out_ = false;
};

template <typename Archive>
void field(Archive& a, bool& value) {
  a.flag(value, [&](bool read) { value = read; });
}
template <typename Archive, std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void field(Archive& a, T& value) {
  a(value);
}
template <typename Archive>
void field(Archive& a, TimeNs& value) {
  auto octets = static_cast<std::uint64_t>(value);
  a(octets);
  value = static_cast<TimeNs>(octets);
}
template <typename Archive>
void field(Archive& a, SeqNum& value) {
  a(value.value);
}
template <typename Archive, typename Enum>
  requires std::is_enum_v<Enum>
void field(Archive& a, Enum& value) {
  auto octet = static_cast<std::uint8_t>(value);
  a(octet);
  value = static_cast<Enum>(octet);
}
template <typename Archive>
void field(Archive& a, IpAddress& address) {
  for (std::uint8_t& octet : address.octets) a(octet);
}
template <typename Archive, typename T>
void field(Archive& a, T (&pair)[2]) {
  for (T& value : pair) field(a, value);
}
template <typename Archive>
void field(Archive& a, track::TcpView& v) {
  field(a, v.isn);
  field(a, v.sent_end);
  field(a, v.last_ack);
  field(a, v.right_edge);
  field(a, v.ts_recent);
  field(a, v.ts_newest);
  field(a, v.ts_recent_s);
  field(a, v.heard_s);
  field(a, v.mss);
  field(a, v.syn_window);
  field(a, v.window_scale);
  a.flag(v.seen, [&](bool read) { v.seen = read; });
  a.flag(v.has_isn, [&](bool read) { v.has_isn = read; });
  a.flag(v.has_ack, [&](bool read) { v.has_ack = read; });
  a.flag(v.has_edge, [&](bool read) { v.has_edge = read; });
  a.flag(v.has_ts, [&](bool read) { v.has_ts = read; });
  a.flag(v.scale_known, [&](bool read) { v.scale_known = read; });
  a.flag(v.offered_scale, [&](bool read) { v.offered_scale = read; });
  a.flag(v.far, [&](bool read) { v.far = read; });
}
template <typename Archive, typename... Fields>
void fields(Archive& a, Fields&... all) {
  (field(a, all), ...);
}

template <typename Archive>
void field(Archive& a, reassemble::Mapping& m) {
  fields(a, m.position, m.dsn, m.length, m.ssn, m.wire_length);
  bool has_checksum = m.checksum.has_value();
  std::uint16_t checksum = m.checksum.value_or(0);
  fields(a, has_checksum, checksum);
  m.checksum = has_checksum ? std::optional(checksum) : std::nullopt;
}
template <typename Archive>
void field(Archive& a, SavedPiece& p) {
  bool has_bytes = !p.bytes.empty(), has_mapping = p.mapping.has_value();
  fields(a, p.begin, p.size, p.subflow, p.of_stream, has_bytes, has_mapping);
  if (has_mapping) {
    reassemble::Mapping mapping = p.mapping.value_or(reassemble::Mapping{});
    field(a, mapping);
    p.mapping = mapping;
  }
  if (has_bytes) a.octets(p.bytes, p.size);
}
template <typename Archive>
void field(Archive& a, Skipped& s) {
  fields(a, s.begin, s.end);
}

template <typename T>
void list(Put& put, std::vector<T>& all, std::size_t /*most*/) {
  auto count = static_cast<std::uint32_t>(all.size());
  put(count);
  for (T& one : all) field(put, one);
}
/// What is beyond `most` is read over.
template <typename T>
void list(Get& get, std::vector<T>& all, std::size_t most) {
  std::uint32_t count = 0;
  get(count);
  for (std::uint32_t i = 0; i < count && get.ok(); ++i) {
    T one{};
    field(get, one);
    if (all.size() < most) {
      all.push_back(one);
    } else {
      get.leave_out();
    }
  }
}
template <typename Archive, typename Of>
void passed(Archive& a, Of& of, std::size_t most) {
  for (std::size_t d = 0; d < 2; ++d) {
    list(a, of.passed[d], most);
    list(a, of.skipped[d], kMostSkipped);
  }
}

template <typename Archive>
void subflow(Archive& a, SavedSubflow& f, std::size_t most_pieces) {
  fields(a, f.endpoints.src, f.endpoints.dst, f.endpoints.src_port, f.endpoints.dst_port, f.phase, f.auth, f.join, f.opened_by_server, f.backup, f.spoke,
         f.has_isn, f.fallen_back, f.address_id, f.isn, f.next, f.acked, f.uncopied_until, f.settled, f.fin_position, f.plain_dsn, f.ssn_base, f.view);
  if (a.form() > 2) field(a, f.bytes);
  passed(a, f, most_pieces);
}

template <typename Archive>
void connection(Archive& a, SavedConnection& c, std::size_t most_pieces) {
  fields(a, c.number, c.first_ns, c.last_ns, c.version, c.version_known, c.checksum, c.refused, c.midstream, c.fallback, c.blocked, c.has_key, c.key,
         c.has_origin, c.started, c.has_ack, c.has_edge, c.has_fin, c.mapped, c.first_dsn, c.next, c.acked, c.edge, c.fin, c.delta, c.unconfirmed_until,
         c.uncopied_until, c.settled, c.settles_until_ns, c.excused);
  CountedApart& n = c.counted;
  if (a.form() > 2) fields(a, n.bytes, n.seen_bytes, n.gap_bytes, n.excused_bytes, n.duplicate_bytes);
  passed(a, c, most_pieces);
  for (auto& waiting : c.waiting) list(a, waiting, most_pieces);
}

bool near(std::uint64_t at) { return at < kFarthest; }

/// Of what passed in one direction, on either level.
bool can_be(std::span<const SavedPiece> pieces, std::span<const Skipped> skipped) {
  return std::ranges::all_of(pieces, [](const SavedPiece& p) { return near(p.begin) && p.size != 0 && (p.bytes.empty() || p.bytes.size() == p.size); }) &&
         std::ranges::all_of(skipped, [](const Skipped& s) { return near(s.begin) && near(s.end); });
}

bool can_be(const SavedSubflow& f) {
  bool in_range = std::ranges::all_of(f.next, [](std::uint64_t at) { return at >= reassemble::kFirstPosition && near(at); });
  for (std::size_t side = 0; side < 2; ++side) {
    in_range = in_range && near(f.bytes[side]) && near(f.fin_position[side]) && near(f.acked[side]) && near(f.uncopied_until[side]) && near(f.settled[side]) &&
               can_be(f.passed[side], f.skipped[side]);
  }
  const bool scales = std::ranges::all_of(f.view, [](const track::TcpView& v) { return v.window_scale <= 14; });
  return in_range && scales && f.phase >= Phase::kEstablished && f.phase <= Phase::kFailed && f.auth <= Auth::kFailed;
}

}  // namespace

/// As FNV-1a, but eight octets at a time: packets wait meanwhile. A file that was torn or has rotted is not read. Whoever can write it can do worse
/// than forge a sum.
std::uint64_t sum_of_saved(Bytes octets) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  const auto mix = [&sum](std::uint64_t value) {
    sum = (sum ^ value) * 0x100000001b3ULL;
    sum ^= sum >> 32U;
  };
  ByteReader in(octets);
  while (in.remaining() >= sizeof(sum)) mix(in.u64());
  while (in.remaining() != 0) mix(in.u8());
  return sum;
}

bool can_be(const SavedConnection& c) {
  bool in_range = c.version <= 1 && c.fallback <= FallbackReason::kVersion && !c.subflows.empty() && c.number != 0 && near(c.number);
  for (std::size_t d = 0; d < 2; ++d) {
    for (const std::uint64_t at : {c.next[d], c.acked[d], c.edge[d], c.fin[d], c.unconfirmed_until[d], c.uncopied_until[d], c.settled[d], c.counted.bytes[d],
                                   c.counted.seen_bytes[d], c.counted.gap_bytes[d], c.counted.excused_bytes[d], c.counted.duplicate_bytes})
      in_range = in_range && near(at);
    in_range = in_range && can_be(c.passed[d], c.skipped[d]) && can_be(c.waiting[d], {});
  }
  return in_range && std::ranges::all_of(c.subflows, [](const SavedSubflow& f) { return can_be(f); });
}

std::uint64_t octets_of(const SavedConnection& c) {
  std::uint64_t sum = 0;
  const auto add = [&sum](std::span<const std::vector<SavedPiece>, 2> both) {
    for (const auto& pieces : both) {
      for (const SavedPiece& p : pieces) sum += sizeof(SavedPiece) + p.bytes.size();
    }
  };
  add(c.passed);
  add(c.waiting);
  for (const SavedSubflow& f : c.subflows) add(f.passed);
  return sum;
}

std::string_view name_of(SavedError error) {
  switch (error) {
    case SavedError::kNoneOfOurs:
      return "not written by this version";
    case SavedError::kTorn:
      return "not whole";
    case SavedError::kContradicting:
      return "contradicts itself";
  }
  return "";
}

std::vector<std::byte> write_saved(SavedState& state, unsigned form) {
  std::size_t octets = 0;
  for (const SavedConnection& c : state.connections) octets += octets_of(c);
  std::vector<std::byte> out;
  out.reserve(octets + state.connections.size() * 2 * kUsual);
  Put put(out, form);
  std::uint64_t magic = magic_of(kMagic, form);
  put(magic);
  fields(put, state.since, state.newest_ns);
  auto count = static_cast<std::uint32_t>(state.connections.size());
  put(count);
  for (SavedConnection& c : state.connections) {
    connection(put, c, 0);
    auto subflows = static_cast<std::uint16_t>(c.subflows.size());
    put(subflows);
    for (SavedSubflow& f : c.subflows) subflow(put, f, 0);
  }
  std::uint64_t sum = sum_of_saved(out);
  put(sum);
  return out;
}

std::expected<SavedState, SavedError> read_saved(Bytes octets, const SavedBounds& most) {
  constexpr std::size_t kSum = sizeof(std::uint64_t);
  std::uint64_t magic = 0;
  Get start(octets);
  start(magic);
  const auto form = form_of(magic, kMagic, kOldestSavedForm, kSavedForm);
  if (!start.ok() || !form) return std::unexpected(SavedError::kNoneOfOurs);
  if (octets.size() < 2 * kSum) return std::unexpected(SavedError::kTorn);
  const auto body = octets.first(octets.size() - kSum);
  Get end(octets.last(kSum));
  std::uint64_t sum = 0;
  end(sum);
  if (sum != sum_of_saved(body)) return std::unexpected(SavedError::kTorn);
  Get get(body.subspan(sizeof(magic)), *form);
  SavedState state;
  fields(get, state.since, state.newest_ns);
  if (state.since > Since::kNothing) return std::unexpected(SavedError::kContradicting);
  std::uint32_t count = 0;
  get(count);
  std::uint64_t octets_so_far = 0;
  std::vector<SavedConnection>& all = state.connections;
  for (std::uint32_t i = 0; i < count && all.size() < most.connections; ++i) {
    SavedConnection c;
    connection(get, c, most.pieces);
    std::uint16_t subflows = 0;
    get(subflows);
    for (std::uint16_t k = 0; k < subflows && get.ok(); ++k) {
      SavedSubflow f;
      subflow(get, f, most.pieces);
      if (c.subflows.size() < most.subflows) c.subflows.push_back(std::move(f));
    }
    if (!get.ok()) return std::unexpected(SavedError::kTorn);
    if (!can_be(c)) return std::unexpected(SavedError::kContradicting);
    octets_so_far += octets_of(c);
    if (get.take_left_out() || octets_so_far > most.octets) leave_pieces(c);
    all.push_back(std::move(c));
  }
  if (!get.ok()) return std::unexpected(SavedError::kTorn);
  return state;
}

}  // namespace weir::engine
