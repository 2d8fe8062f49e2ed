#include "probe/trace/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "probe/raw/icmp_quote.h"
#include "probe/raw/packets.h"
#include "wire/checksum.h"

namespace weir::probe::trace {
namespace {

constexpr raw::Secret kSecret{.low = 1, .high = 2};
constexpr std::size_t kIp = 20;

raw::Identity identity() { return {.source = parse_ip_address("192.0.2.1").value(), .data = "x"}; }

/// The TCP part of a traced SYN.
std::vector<std::byte> syn() {
  std::vector<std::byte> packet;
  raw::write_syn(identity(), {parse_ip_address("198.51.100.7").value(), 443}, kSecret, raw::Question::kTraceCapable, packet, 3, 3);
  return {packet.begin() + kIp, packet.end()};
}

Hop hop(std::uint8_t ttl, Quoted quoted, bool control = true) {
  Hop one{.ttl = ttl, .router = {}, .control = {}, .quoted = quoted};
  const auto address = parse_ip_address("10.0.0.1").value();
  if (quoted != Quoted::kNothing) one.router = address;
  if (control) one.control = address;
  return one;
}

TEST(CompareQuote, TellsIntactRemovedChangedAndShort) {
  auto tcp = syn();
  EXPECT_EQ(compare_quote(tcp), Quoted::kIntact);
  for (std::size_t size = 0; size < tcp.size(); ++size) EXPECT_EQ(compare_quote(std::span(tcp).first(size)), Quoted::kShort) << size;
  const auto option = std::ranges::find(tcp.begin() + 20, tcp.end(), std::byte{30});
  ASSERT_NE(option, tcp.end());
  auto changed = tcp;
  changed[static_cast<std::size_t>(option - tcp.begin()) + 3] = std::byte{0x81};
  EXPECT_EQ(compare_quote(changed), Quoted::kChanged);
  std::fill(option, tcp.end(), std::byte{1});
  EXPECT_EQ(compare_quote(tcp), Quoted::kRemoved);
}

TEST(CompareQuote, TheSeriesNumberIsInTheFirstEightOctets) {
  // An ICMP time exceeded as RFC 792 asks for: the IP header and 8 octets.
  std::vector<std::byte> sent;
  const Target target{parse_ip_address("198.51.100.7").value(), 443};
  raw::write_syn(identity(), target, kSecret, raw::Question::kTraceCapable, sent, 3, 3);
  std::vector<std::byte> packet(kIp + 8);
  packet.insert(packet.end(), sent.begin(), sent.begin() + kIp + 8);
  packet[0] = std::byte{0x45};
  packet[3] = static_cast<std::byte>(packet.size());
  packet[9] = std::byte{1};
  packet[12] = std::byte{10};
  packet[kIp] = std::byte{11};
  const std::uint16_t sum = static_cast<std::uint16_t>(~wire::ones_complement_sum(std::span(packet).subspan(kIp)));
  packet[kIp + 2] = static_cast<std::byte>(sum >> 8U);
  packet[kIp + 3] = static_cast<std::byte>(sum);
  const auto quote = raw::read_icmp_quote(packet);
  ASSERT_TRUE(quote);
  EXPECT_TRUE(quote->time_exceeded);
  EXPECT_EQ(quote->dst, target.address);
  EXPECT_EQ(quote->seq, raw::cookie_of(kSecret, target, raw::Question::kTraceCapable).seq + 3);
  EXPECT_EQ(compare_quote(quote->tcp), Quoted::kShort);
  packet.back() ^= std::byte{1};
  EXPECT_FALSE(raw::read_icmp_quote(packet)) << "its checksum is wrong";
}

TEST(Locate, BetweenTheLastThatQuotesTheOptionAndTheFirstThatDoesNot) {
  Report report;
  report.hops = {hop(1, Quoted::kIntact), hop(2, Quoted::kShort), hop(3, Quoted::kIntact), hop(4, Quoted::kNothing), hop(5, Quoted::kRemoved)};
  report.capable_end = report.control_end = End::kPlain;
  locate(report);
  EXPECT_EQ(report.loss, Loss::kRemoved);
  EXPECT_EQ(report.before, 3);
  EXPECT_EQ(report.behind, 5);
}

TEST(Locate, ADropIsBehindTheLastAnswerAndBeforeTheNextOfTheControl) {
  Report report;
  report.hops = {hop(1, Quoted::kIntact), hop(2, Quoted::kShort), hop(3, Quoted::kNothing, false), hop(4, Quoted::kNothing)};
  report.control_end = End::kPlain;
  locate(report);
  EXPECT_EQ(report.loss, Loss::kDropped);
  EXPECT_EQ(report.before, 2);
  EXPECT_EQ(report.behind, 4);
  report.hops.resize(2);
  locate(report);
  EXPECT_EQ(report.behind, 0);  // the target is next
}

TEST(Locate, TheReturnPathIsSeenByTheJoinAlone) {
  Report report;
  report.hops = {hop(1, Quoted::kIntact)};
  report.capable_end = report.control_end = End::kPlain;
  locate(report);
  EXPECT_EQ(report.loss, Loss::kUnknown);
  EXPECT_EQ(report.intact_to, 1);
  report.join_reset = true;
  locate(report);
  EXPECT_EQ(report.loss, Loss::kReturnPath);
  report.capable_end = End::kCapable;
  locate(report);
  EXPECT_EQ(report.loss, Loss::kNone);
}

}  // namespace
}  // namespace weir::probe::trace
