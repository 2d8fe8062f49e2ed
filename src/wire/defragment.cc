#include "wire/defragment.h"

#include <algorithm>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6_extensions.h"

namespace weir::wire {
namespace {

constexpr std::uint32_t kLargestDatagram = 65535;  // RFC 791 §3.1 for the whole of it; RFC 8200 §4.5 for the payload

/// RFC 791 §3.2: source, destination, protocol, identification. RFC 8200 §4.5: without the protocol, which is 0 here.
struct Key {
  IpAddress src, dst;
  std::uint64_t tunnel = 0;
  std::uint32_t id = 0;
  PointId point = 0;
  std::uint8_t protocol = 0;
  std::uint8_t ip_version = 0;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t state = key.tunnel;
    const auto mix = [&](std::uint64_t word) {
      state = (state ^ word) * 0x9fb21c651e98df25U;
      state ^= state >> 32U;
    };
    for (const auto* address : {&key.src, &key.dst}) {
      const Fixed<16> octets = std::as_bytes(std::span(address->octets));
      mix(u64_at<0>(octets));
      mix(u64_at<8>(octets));
    }
    mix(std::uint64_t{key.id} << 32U | std::uint32_t{key.point} << 16U | std::uint32_t{key.protocol} << 8U | key.ip_version);
    return state;
  }
};

/// Which octets of the datagram a run or a piece has.
struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// One datagram's fragments. Invariant: the ranges of `runs` do not overlap, and the pieces fill them exactly.
struct Datagram {
  Key key;
  TimeNs since_ns = 0;  ///< of the first fragment: Linux's timer is not restarted by later ones
  std::vector<std::byte> bytes;
  std::vector<Range> pieces;  ///< in order of arrival, as their octets in `bytes`
  /// By begin, the end. A run is what came in order, as Linux has it (inet_frag_queue_insert): a copy inside of one is a
  /// duplicate, one that crosses its edge an overlap.
  std::map<std::uint32_t, std::uint32_t> runs;
  std::uint32_t length = 0;  ///< of the payload, as far as known
  bool length_final = false;
  std::vector<std::byte> header;  ///< of the first fragment; empty until it comes
  std::uint32_t next_header_offset = 0;
  std::uint8_t protocol = 0;
  std::uint64_t tunnel_pair = 0;
  std::uint64_t held = 0;  ///< what it counts in bytes_held
};

using Datagrams = std::list<Datagram>;  // oldest first

/// What a piece costs besides its octets, so that the bound holds for tiny fragments, too.
constexpr std::uint64_t kPieceOverhead = 64;
constexpr std::uint64_t kDatagramOverhead = sizeof(Datagram) + 64;

/// RFC 8200 §4.5: a first fragment without the whole chain of headers is discarded (Linux: ipv6frag_thdr_truncated).
bool has_whole_header_chain(const FragmentInfo& fragment) {
  ByteReader in(fragment.payload);
  std::uint8_t next = fragment.protocol;
  while (is_extension(next)) {
    take_extension(in, next);
    if (!in.ok()) return false;
  }
  switch (next) {
    case kTcp:
      return in.remaining() >= 20;
    case kUdp:
    case kIcmpv6:
      return in.remaining() >= 8;
    default:
      return in.remaining() >= 1;
  }
}

enum class Fit : std::uint8_t { kNew, kDuplicate, kOverlap };

/// Where a range falls among those that there are; a new one is entered. Linux: inet_frag_queue_insert().
Fit enter(std::map<std::uint32_t, std::uint32_t>& runs, Range range) {
  if (runs.empty()) {
    runs.emplace(range.begin, range.end);
    return Fit::kNew;
  }
  const auto last = std::prev(runs.end());
  if (range.end > last->second) {
    if (range.begin < last->second) return Fit::kOverlap;
    if (range.begin == last->second) {
      last->second = range.end;  // the common case: in order
    } else {
      runs.emplace_hint(runs.end(), range.begin, range.end);
    }
    return Fit::kNew;
  }
  const auto after = runs.upper_bound(range.begin);
  if (after != runs.begin()) {
    const auto before = std::prev(after);
    if (range.end <= before->second) return Fit::kDuplicate;
    if (range.begin < before->second) return Fit::kOverlap;
  }
  if (after != runs.end() && range.end > after->first) return Fit::kOverlap;
  runs.emplace_hint(after, range.begin, range.end);
  return Fit::kNew;
}

}  // namespace

struct Defragmenter::State {
  DefragmentLimits limits;
  DefragmentCounters counters;
  DecodeError error = DecodeError::kNone;
  Datagrams datagrams;
  std::unordered_map<Key, Datagrams::iterator, KeyHash> by_key;
  std::vector<std::byte> assembled;

  void remove(Datagrams::iterator datagram) {
    counters.bytes_held -= datagram->held;
    by_key.erase(datagram->key);
    datagrams.erase(datagram);
  }

  Result drop(DecodeError why) {
    error = why;
    return Result::kDropped;
  }
  Result drop(Datagrams::iterator datagram, DecodeError why) {
    remove(datagram);
    return drop(why);
  }

  void expire(TimeNs now_ns) {
    while (!datagrams.empty() && now_ns - datagrams.front().since_ns > limits.timeout_ns) {
      remove(datagrams.begin());
      ++counters.timeouts;
    }
  }

  Datagrams::iterator find_or_start(const Key& key, TimeNs now_ns) {
    if (const auto found = by_key.find(key); found != by_key.end()) return found->second;
    while (!datagrams.empty() && datagrams.size() >= limits.max_datagrams) evict_oldest();
    datagrams.emplace_back();
    const auto datagram = std::prev(datagrams.end());
    datagram->key = key;
    datagram->since_ns = now_ns;
    hold(*datagram, kDatagramOverhead);
    by_key.emplace(key, datagram);
    return datagram;
  }

  void evict_oldest() {
    remove(datagrams.begin());
    ++counters.evicted;
  }

  void hold(Datagram& datagram, std::uint64_t octets) {
    datagram.held += octets;
    counters.bytes_held += octets;
  }

  void assemble(const Datagram& datagram);
};

void Defragmenter::State::assemble(const Datagram& datagram) {
  const std::size_t header_bytes = datagram.header.size();
  assembled.resize(header_bytes + datagram.length);
  std::ranges::copy(datagram.header, assembled.begin());
  const std::span<std::byte> payload = std::span(assembled).subspan(header_bytes);
  Bytes from = datagram.bytes;
  for (const Range& piece : datagram.pieces) {
    const std::uint32_t octets = piece.end - piece.begin;
    std::ranges::copy(from.first(octets), payload.subspan(piece.begin).begin());
    from = from.subspan(octets);
  }

  const std::span<std::byte> header = std::span(assembled).first(header_bytes);
  if (datagram.key.ip_version == 4) {
    // RFC 791 §3.1: total length, no more fragments, offset 0, and a new checksum.
    ByteWriter(header.subspan(2)).u16(static_cast<std::uint16_t>(assembled.size()));
    ByteWriter(header.subspan(6)).u16(0);
    ByteWriter(header.subspan(10)).u16(ipv4_header_checksum(header));
  } else {
    // RFC 8200 §4.5: the fragment header goes, and what named it names what it named.
    ByteWriter(header.subspan(4)).u16(static_cast<std::uint16_t>(assembled.size() - kIpv6Header));
    ByteWriter(header.subspan(datagram.next_header_offset)).u8(datagram.protocol);
  }
}

Defragmenter::Defragmenter(DefragmentLimits limits) : state_(std::make_unique<State>()) { state_->limits = limits; }
Defragmenter::~Defragmenter() = default;

DecodeError Defragmenter::error() const { return state_->error; }
const DefragmentCounters& Defragmenter::counters() const { return state_->counters; }

Defragmenter::Result Defragmenter::push(const Decoded& in, PointId point, TimeNs now_ns, Decoded& out) {
  State& s = *state_;
  s.error = DecodeError::kNone;
  ++s.counters.fragments;
  s.expire(now_ns);

  const FragmentInfo& fragment = in.fragment;
  const bool v6 = in.ip_version == 6;
  const Key key{
      .src = in.src,
      .dst = in.dst,
      .tunnel = in.tunnel,
      .id = fragment.id,
      .point = point,
      .protocol = v6 ? std::uint8_t{0} : fragment.protocol,
      .ip_version = in.ip_version,
  };
  if (fragment.payload.size() < fragment.payload_bytes) {
    // Cut by the snap length: this datagram can never be whole, and nobody did wrong.
    if (const auto found = s.by_key.find(key); found != s.by_key.end()) s.remove(found->second);
    return s.drop(DecodeError::kNone);
  }

  Range range{.begin = fragment.offset_bytes, .end = fragment.offset_bytes + fragment.payload_bytes};
  if (v6) {
    // RFC 8200 §4.5: these fragments are discarded by themselves; Linux keeps the rest of the datagram.
    if (range.end > kLargestDatagram) return s.drop(DecodeError::kFragmentTooLarge);
    if (fragment.more && range.end % 8 != 0) return s.drop(DecodeError::kFragmentBadLength);
    if (range.begin == 0 && !has_whole_header_chain(fragment)) return s.drop(DecodeError::kFragmentTooSmall);
  } else if (fragment.more) {
    range.end &= ~std::uint32_t{7};  // Linux, ip_frag_queue(): what exceeds a multiple of 8 is cut off
  }

  const auto datagram = s.find_or_start(key, now_ns);
  // The end is where the last fragment says, and nothing may lie beyond it (Linux: ip_frag_queue, ip6_frag_queue).
  if (!fragment.more) {
    if (range.end < datagram->length || (datagram->length_final && range.end != datagram->length)) return s.drop(datagram, DecodeError::kFragmentBadLength);
    datagram->length_final = true;
    datagram->length = range.end;
  } else if (range.end > datagram->length) {
    if (datagram->length_final) return s.drop(datagram, DecodeError::kFragmentBadLength);
    datagram->length = range.end;
  }
  if (range.end == range.begin) return s.drop(datagram, DecodeError::kFragmentTooSmall);

  switch (enter(datagram->runs, range)) {
    case Fit::kDuplicate:
      return Result::kHeld;
    case Fit::kOverlap:
      // RFC 5722 §4 for IPv6; Linux does the same for IPv4.
      ++s.counters.overlaps;
      return s.drop(datagram, DecodeError::kFragmentOverlap);
    case Fit::kNew:
      break;
  }
  const Bytes payload = fragment.payload.first(range.end - range.begin);
  datagram->bytes.insert(datagram->bytes.end(), payload.begin(), payload.end());
  datagram->pieces.push_back(range);
  s.hold(*datagram, payload.size() + kPieceOverhead);
  if (range.begin == 0) {
    datagram->header.assign(fragment.header.begin(), fragment.header.end());
    datagram->next_header_offset = fragment.next_header_offset;
    datagram->protocol = fragment.protocol;
    datagram->tunnel_pair = in.tunnel_pair;
    s.hold(*datagram, datagram->header.size());
  }

  const bool complete = datagram->length_final && !datagram->header.empty() && datagram->bytes.size() == datagram->length;
  if (!complete) {
    while (s.counters.bytes_held > s.limits.max_bytes) {
      const bool itself = s.datagrams.begin() == datagram;
      s.evict_oldest();
      if (itself) return s.drop(DecodeError::kNone);
    }
    return Result::kHeld;
  }
  const std::size_t counted = v6 ? datagram->header.size() - kIpv6Header + datagram->length : datagram->header.size() + datagram->length;
  if (counted > kLargestDatagram) return s.drop(datagram, DecodeError::kFragmentTooLarge);
  s.assemble(*datagram);
  ++s.counters.datagrams;
  const std::uint64_t tunnel = datagram->key.tunnel;
  const std::uint64_t tunnel_pair = datagram->tunnel_pair;
  s.remove(datagram);
  decode_ip(s.assembled, static_cast<std::uint32_t>(s.assembled.size()), tunnel, tunnel_pair, out);
  return Result::kComplete;
}

}  // namespace weir::wire
