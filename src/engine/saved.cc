#include "engine/saved.h"

#include <algorithm>
#include <concepts>

#include "base/bytes.h"

namespace weir::engine {

namespace {

constexpr std::uint64_t kMagic = 0x5765697253746132;  // "WeirSta2": the last octet is the version of the form
/// Positions beyond it were never reached by any stream.
constexpr std::uint64_t kFarthest = 1ULL << 62U;

/// Appends fields to octets. Put and Get have the same calls, so that one list of fields serves both.
class Put {
 public:
  explicit Put(std::vector<std::byte>& out) : out_(out) {}
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

 private:
  std::vector<std::byte>& out_;
};

class Get {
 public:
  explicit Get(std::span<const std::byte> in) : in_(in) {}
  void operator()(std::uint8_t& value) { value = in_.u8(); }
  void operator()(std::uint16_t& value) { value = in_.u16(); }
  void operator()(std::uint32_t& value) { value = in_.u32(); }
  void operator()(std::uint64_t& value) { value = in_.u64(); }
  template <typename Set>
  void flag(bool, Set set) {
    set(in_.u8() == 1);
  }
  bool ok() const { return in_.ok(); }
  std::size_t remaining() const { return in_.remaining(); }

 private:
  ByteReader in_;
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
void subflow(Archive& a, SavedSubflow& f) {
  fields(a, f.endpoints.src, f.endpoints.dst, f.endpoints.src_port, f.endpoints.dst_port, f.phase, f.auth, f.join, f.opened_by_server, f.backup, f.spoke,
         f.has_isn, f.fallen_back, f.address_id, f.isn, f.next, f.fin_position, f.plain_dsn, f.ssn_base, f.view);
}

template <typename Archive>
void connection(Archive& a, SavedConnection& c) {
  fields(a, c.number, c.first_ns, c.last_ns, c.version, c.version_known, c.checksum, c.refused, c.midstream, c.fallback, c.blocked, c.has_key, c.key,
         c.has_origin, c.started, c.has_ack, c.has_edge, c.has_fin, c.mapped, c.first_dsn, c.next, c.acked, c.edge, c.fin, c.delta, c.unconfirmed_until);
}

/// FNV-1a: a file that was torn or has rotted is not read. Whoever can write it can do worse than forge a sum.
std::uint64_t sum_of(std::span<const std::byte> octets) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const std::byte b : octets) sum = (sum ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3ULL;
  return sum;
}

bool can_be(const SavedSubflow& f) {
  const bool in_range = std::ranges::all_of(f.next, [](std::uint64_t at) { return at >= reassemble::kFirstPosition && at < kFarthest; }) &&
                        std::ranges::all_of(f.fin_position, [](std::uint64_t at) { return at < kFarthest; });
  const bool scales = std::ranges::all_of(f.view, [](const track::TcpView& v) { return v.window_scale <= 14; });
  return in_range && scales && f.phase >= Phase::kEstablished && f.phase <= Phase::kFailed && f.auth <= Auth::kFailed;
}

}  // namespace

bool can_be(const SavedConnection& c) {
  bool in_range = c.version <= 1 && c.fallback <= FallbackReason::kVersion && !c.subflows.empty() && c.number != 0;
  for (std::size_t d = 0; d < 2; ++d) {
    for (const std::uint64_t at : {c.next[d], c.acked[d], c.edge[d], c.fin[d], c.unconfirmed_until[d]}) in_range = in_range && at < kFarthest;
  }
  return in_range && std::ranges::all_of(c.subflows, [](const SavedSubflow& f) { return can_be(f); });
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

std::vector<std::byte> write_saved(std::span<SavedConnection> connections) {
  std::vector<std::byte> out;
  Put put(out);
  std::uint64_t magic = kMagic;
  put(magic);
  auto count = static_cast<std::uint32_t>(connections.size());
  put(count);
  for (SavedConnection& c : connections) {
    connection(put, c);
    auto subflows = static_cast<std::uint16_t>(c.subflows.size());
    put(subflows);
    for (SavedSubflow& f : c.subflows) subflow(put, f);
  }
  std::uint64_t sum = sum_of(out);
  put(sum);
  return out;
}

std::expected<std::vector<SavedConnection>, SavedError> read_saved(std::span<const std::byte> octets, std::size_t most_connections, std::size_t most_subflows) {
  constexpr std::size_t kSum = sizeof(std::uint64_t);
  std::uint64_t magic = 0;
  Get start(octets);
  start(magic);
  if (!start.ok() || magic != kMagic) return std::unexpected(SavedError::kNoneOfOurs);
  if (octets.size() < 2 * kSum) return std::unexpected(SavedError::kTorn);
  const auto body = octets.first(octets.size() - kSum);
  Get end(octets.last(kSum));
  std::uint64_t sum = 0;
  end(sum);
  if (sum != sum_of(body)) return std::unexpected(SavedError::kTorn);
  Get get(body.subspan(sizeof(magic)));
  std::uint32_t count = 0;
  get(count);
  std::vector<SavedConnection> all;
  for (std::uint32_t i = 0; i < count && all.size() < most_connections; ++i) {
    SavedConnection c;
    connection(get, c);
    std::uint16_t subflows = 0;
    get(subflows);
    for (std::uint16_t k = 0; k < subflows && get.ok(); ++k) {
      SavedSubflow f;
      subflow(get, f);
      if (c.subflows.size() < most_subflows) c.subflows.push_back(f);
    }
    if (!get.ok()) return std::unexpected(SavedError::kTorn);
    if (!can_be(c)) return std::unexpected(SavedError::kContradicting);
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace weir::engine
