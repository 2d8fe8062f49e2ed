#include "report/explain.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inspect/anomaly.h"

namespace weir::report {
namespace {

using Row = std::pair<std::string_view, std::string_view>;

constexpr auto kSentences = std::to_array<Row>({
    {"join_unknown_token", "A subflow was to be added to a connection that was not seen: someone guesses tokens, or the connection began before the capture."},
    {"join_hmac_mismatch", "A subflow could not prove that it belongs to the connection; its data was kept out."},
    {"join_flood", "Many subflows were begun and left half open, which ties up memory of the host."},
    {"join_replay", "The request to add a subflow was repeated from another address."},
    {"add_addr_hmac_mismatch", "An address was offered without proof that the peer offered it: someone may want traffic to go there."},
    {"add_addr_unauthenticated", "Version 0 offered an address that no subflow uses; this version has no proof for such offers."},
    {"add_addr_private", "An address that the peer cannot reach was told to it: inside addresses leak, or point somewhere else on its side."},
    {"add_addr_flood", "Far more addresses were offered than hosts have."},
    {"remove_addr_unknown_id", "An address was withdrawn that nobody ever offered."},
    {"fastclose_key_mismatch", "An attempt to end the connection carried the wrong key; the host ignores it."},
    {"mp_fail", "A host gave up on MPTCP: something on the path changes the data, or someone forces the fallback."},
    {"mp_prio_foreign", "Traffic was moved off another subflow than the one that asked for it."},
    {"dss_checksum_mismatch", "Data did not match the checksum that its sender gave it: it was changed on the way."},
    {"dsn_overlap_conflict", "The same bytes of the connection were sent twice with different content: an inspector may see other bytes than the host."},
    {"segment_overlap_conflict", "The same bytes of a subflow were sent twice with different content: an inspector may see other bytes than the host."},
    {"mapping_conflict", "Bytes of a subflow were claimed for two places in the stream."},
    {"dsn_out_of_window", "Data was meant for a place in the stream where the receiver takes none."},
    {"data_unmapped", "Data came on a subflow without a place in the stream."},
    {"option_malformed", "An MPTCP option does not have the form that the standard gives it."},
    {"option_stripped", "A box on the path removes MPTCP options."},
    {"version_downgrade", "The answer came with an older version of MPTCP than the host speaks."},
    {"fragmented_across_subflows", "The stream was cut into tiny pieces over several subflows, as someone does who hides from inspection."},
    {"subflow_excess", "The connection has far more subflows at once than hosts use."},
    {"opened_by_server", "The server opened a subflow towards the client: legal, but it crosses firewalls inwards."},
    {"visibility_low", "Much of the data went along a path that no capture point sees."},
    {"joins_before_keys", "Subflows were put together by their data alone, for the handshake was not captured."},
});
static_assert(kSentences.size() == static_cast<std::size_t>(inspect::Event::kCount), "every event of the catalogue has its sentence");

}  // namespace

std::string_view explain_event(std::string_view event) {
  const auto found = std::ranges::find(kSentences, event, &Row::first);
  return found == kSentences.end() ? std::string_view() : found->second;
}

}  // namespace weir::report
