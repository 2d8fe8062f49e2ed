#include "probe/trace/compare.h"

#include <variant>

#include "base/bytes.h"
#include "wire/mptcp/parse.h"
#include "wire/tcp.h"

namespace weir::probe::trace {
namespace {

constexpr std::size_t kTcpHeader = 20;

}  // namespace

Quoted compare_quote(std::span<const std::byte> tcp) {
  namespace mptcp = wire::mptcp;
  const auto header = fixed<kTcpHeader>(tcp);
  if (!header) return Quoted::kShort;
  const std::size_t header_bytes = (u8_at<12>(*header) >> 4U) * std::size_t{4};
  if (header_bytes < kTcpHeader) return Quoted::kChanged;
  const bool whole = tcp.size() >= header_bytes;
  wire::OptionWalker walker(tcp.first(whole ? header_bytes : tcp.size()).subspan(kTcpHeader));
  const auto found = walker.next(mptcp::kOptionKind);
  if (!found) return whole ? Quoted::kRemoved : Quoted::kShort;
  const auto option = mptcp::parse_option(*found);
  if (!option) return whole ? Quoted::kChanged : Quoted::kShort;
  const auto* const capable = std::get_if<mptcp::MpCapable>(&*option);
  return capable != nullptr && *capable == mptcp::MpCapable{} ? Quoted::kIntact : Quoted::kChanged;
}

void locate(Report& report) {
  report.loss = Loss::kUnknown;
  report.before = report.behind = report.intact_to = 0;
  for (const Hop& hop : report.hops)
    if (hop.quoted == Quoted::kIntact) report.intact_to = hop.ttl;
  if (report.capable_end == End::kCapable) {
    report.loss = Loss::kNone;
    return;
  }
  std::uint8_t answered = 0;
  for (const Hop& hop : report.hops) {
    if (hop.quoted == Quoted::kRemoved || hop.quoted == Quoted::kChanged) {
      report.loss = hop.quoted == Quoted::kRemoved ? Loss::kRemoved : Loss::kChanged;
      report.behind = hop.ttl;
      return;
    }
    if (hop.quoted == Quoted::kIntact) report.before = hop.ttl;
    if (hop.router) answered = hop.ttl;
  }
  report.before = 0;
  if (report.capable_end == End::kSilent && report.control_end != End::kSilent) {
    report.loss = Loss::kDropped;
    report.before = answered;
    for (const Hop& hop : report.hops) {
      if (hop.ttl <= answered || !hop.control) continue;
      report.behind = hop.ttl;
      break;
    }
    return;
  }
  if (report.join_reset && (report.capable_end == End::kPlain || report.capable_end == End::kOther)) report.loss = Loss::kReturnPath;
}

}  // namespace weir::probe::trace
