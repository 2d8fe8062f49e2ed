// The feed: what the prober found out of who speaks MPTCP, in a file that the gateway enforces. Text to entries and back.
//
// The form, version 1. Octets are ASCII, or UTF-8 in evidence; a line ends in LF; columns are parted by one tab:
//
//   weir-feed 1
//   written <TAB> 2026-11-28T07:00:00Z
//   valid-until <TAB> 2026-12-05T07:00:00Z          from then on the feed is stale, and is not taken
//   name <TAB> address <TAB> port <TAB> verdict <TAB> first_seen <TAB> last_seen <TAB> evidence
//   www.example <TAB> 192.0.2.1 <TAB> 443 <TAB> v1 <TAB> 2026-11-01T07:00:00Z <TAB> 2026-11-28T06:59:00Z <TAB> DATA_ACK of 5 octets
//   - <TAB> 2001:db8::1 <TAB> 443 <TAB> tcp_only <TAB> ...
//   end <TAB> 2 <TAB> SHA-256 of all octets before this line, in 64 hexadecimal digits
//
// A name is that of the target as it was given, in lower case, "-": there was none. Entries stand in the order of address (IPv4 first), port and
// name, each once. A file without its last line, or with another count or sum there, was cut off or damaged: nothing of it counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace weir::decide {

/// A file beyond these is refused.
inline constexpr std::size_t kMostFeedBytes = 1U << 30;
inline constexpr std::size_t kMostFeedEntries = 10'000'000;
inline constexpr std::size_t kMostEvidenceBytes = 512;  ///< of an entry; longer evidence is cut when it is written

/// What a target is found to be. v1, v0: it speaks MPTCP in that version. mirror: it sends back options that it does not understand. tcp_only, closed,
/// timeout: as they say. inconclusive: the answers contradict each other. stripped: a box on the way takes the option out.
enum class FeedVerdict : std::uint8_t { kV1, kV0, kMirror, kTcpOnly, kClosed, kTimeout, kInconclusive, kStripped };
inline constexpr std::size_t kFeedVerdicts = 8;
std::string_view name_of(FeedVerdict verdict);
std::optional<FeedVerdict> feed_verdict_of(std::string_view name);
constexpr bool speaks(FeedVerdict verdict) { return verdict == FeedVerdict::kV1 || verdict == FeedVerdict::kV0; }

struct FeedEntry {
  std::string name;  ///< empty: probed by address
  IpAddress address;
  std::uint16_t port = 0;
  FeedVerdict verdict = FeedVerdict::kInconclusive;
  std::int64_t first_seen_s = 0;  ///< since 1970, UTC: when it was first probed
  std::int64_t last_seen_s = 0;   ///< when the verdict was last found
  std::string evidence;           ///< for people
  friend bool operator==(const FeedEntry&, const FeedEntry&) = default;
};

struct Feed {
  std::int64_t written_s = 0, valid_until_s = 0;
  std::vector<FeedEntry> entries;
  bool stale(std::int64_t now_s) const { return now_s >= valid_until_s; }
  friend bool operator==(const Feed&, const Feed&) = default;
};

struct FeedError {
  std::size_t line = 0;  ///< from 1; 0: the file as a whole
  std::string why;
};

std::expected<Feed, FeedError> parse_feed(std::string_view text);

/// Puts the entries in order, of those for the same name, address and port leaves the one seen last, and cuts what is too long.
std::string serialise(const Feed& feed);

/// A new run into what earlier ones found: its verdict counts, but where it found out nothing (timeout, inconclusive) one of an earlier run stays as it
/// is, until it is too old. `first_seen` is the earliest, `written` and `valid_until` are those of the run.
Feed merged(const Feed& earlier, const Feed& run);

/// Takes out what was last seen before; says how many.
std::size_t age_out(Feed& feed, std::int64_t before_s);

}  // namespace weir::decide
