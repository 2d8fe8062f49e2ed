// Records as entries of the feed, and what an nftables rule takes of them. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "decide/feed.h"
#include "probe/output/record.h"

namespace weir::probe::output {

inline constexpr std::int64_t kFeedValidSeconds = 7LL * 24 * 3'600;  ///< after a run: then the feed is stale
inline constexpr std::int64_t kFeedKeptSeconds = 30LL * 24 * 3'600;  ///< what was not seen for so long goes

decide::FeedVerdict feed_verdict(Verdict verdict);
/// What the verdict stands on, for people, as "MP_CAPABLE v1 answered with a key; DATA_ACK exact".
std::string explain(const Record& record);
/// One entry for each name, or one without.
void append_feed_entries(std::vector<decide::FeedEntry>& entries, const Record& record);

/// For `nft -f`: table inet weir_probe with the sets mptcp4 and mptcp6 of addresses and ports that speak MPTCP; what they held before goes.
std::string nft_sets(std::span<const decide::FeedEntry> entries);

}  // namespace weir::probe::output
